//! `parklite digest`.

use std::fmt::Write as _;
use std::path::Path;

use parklite::digests::{DigestList, DigestReport, ListDifference, TableChoice, compare_with_list, digests};
use parklite::error::{Error, ErrorKind, Result};
use parklite::run::Run;
use serde::Serialize;

use crate::cli::args::DigestArgs;
use crate::cli::run::{Outcome, Status};
use crate::cli::text::{one_line, quantity, safe};

/// What is told of one subject.
#[derive(Serialize)]
struct SubjectReport {
    #[serde(flatten)]
    digests: DigestReport,
    /// Where there is a list to compare with.
    #[serde(skip_serializing_if = "Option::is_none")]
    differences: Option<Vec<ListDifference>>,
}

/// Runs the verb.
pub(crate) fn run(args: &DigestArgs, run: Run<'_>) -> Result<Outcome> {
    let list = args.check.as_deref().map(read_list).transpose()?;
    let known = list.as_ref().map(|list| list.tables.as_slice()).unwrap_or_default();
    let options = args.resources.content_options(&args.busy);
    let mut subjects = Vec::with_capacity(args.subjects.len());
    for path in &args.subjects {
        let digests = digests(path, TableChoice { patterns: &args.tables, known }, &options, run)?;
        let differences = list.as_ref().map(|list| compare_with_list(&digests, list, &args.tables));
        let differences = differences.transpose().map_err(|error| match &args.check {
            Some(list) => error.at(list),
            None => error,
        })?;
        subjects.push(SubjectReport { digests, differences });
    }
    let differs = subjects.iter().flat_map(|subject| &subject.differences).any(|found| !found.is_empty());
    let status = if differs { Status::Differs } else { Status::Done };
    let text = match &args.check {
        Some(_) => check_text(&subjects),
        None => list_text(&subjects, !args.tables.is_empty()),
    };
    Outcome::new("digest", &serde_json::json!({ "subjects": subjects }), text, status)
}

fn read_list(path: &Path) -> Result<DigestList> {
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::new(ErrorKind::NotFound, "there is no such list of digests")
            .at(path)
            .hint("`parklite digest <SNAPSHOT|DATABASE> > digests.txt` makes one"),
        _ => Error::io("reading the list of digests", path, error),
    })?;
    DigestList::parse(&bytes).map_err(|error| error.at(path))
}

/// The lists; each behind its subject's name where there are several.
fn list_text(subjects: &[SubjectReport], is_of_some_tables: bool) -> String {
    let mut text = String::new();
    for subject in subjects {
        if subjects.len() > 1 {
            // Writing into a string cannot fail, here and below.
            let _ = writeln!(text, "# {}", safe(&subject.digests.subject.display().to_string()));
        }
        text.push_str(&DigestList::of(&subject.digests, is_of_some_tables).text());
    }
    text
}

fn check_text(subjects: &[SubjectReport]) -> String {
    let mut text = String::new();
    for SubjectReport { digests, differences } in subjects {
        let name = safe(&digests.subject.display().to_string());
        let differences = differences.as_deref().unwrap_or_default();
        for difference in differences {
            let _ = writeln!(text, "{}", one_line(&difference.to_string()));
        }
        let tables = quantity(digests.tables.len() as u64, "table", "tables");
        let _ = if differences.is_empty() {
            writeln!(text, "{name}: as the list says, {tables}")
        } else {
            let count = quantity(differences.len() as u64, "difference", "differences");
            writeln!(text, "{name}: NOT as the list says, {count}")
        };
    }
    text
}
