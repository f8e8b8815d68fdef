//! What is told where inputs do not hold what was asked for, or nothing at all.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Import;
use crate::error::{Error, ErrorKind};
use crate::migrate::inputs::SkippedFile;
use crate::migrate::names::first_of;

/// How many origins a message names.
const MOST_NAMES: usize = 10;

impl Import<'_> {
    /// The parts of the origins that are taken, each with its origin.
    fn partitions(&self) -> impl Iterator<Item = (&str, &str)> {
        let wanted = &self.options.origins;
        let named =
            self.origins.keys().filter_map(|(origin, part)| Some((&**origin.as_ref()?, &**part.as_ref()?)));
        named.filter(move |(origin, _)| wanted.is_empty() || wanted.iter().any(|it| it == origin))
    }

    pub(super) fn has_partition(&self, wanted: &str) -> bool {
        self.partitions().any(|(_, partition)| partition == wanted)
    }

    /// The refusal of a partition that no input has.
    pub(super) fn no_partition(&self, partition: &str) -> Error {
        let others: BTreeSet<String> = self.partitions().map(|(_, partition)| partition.to_owned()).collect();
        let origins = match &self.options.origins[..] {
            [] => String::new(),
            origins => format!(" of {}", first_of(origins.iter().collect::<BTreeSet<_>>(), MOST_NAMES)),
        };
        let hint = if others.is_empty() {
            "there is none inside other sites; --list shows what is in it".to_owned()
        } else {
            format!("it is inside {}; --list shows it", first_of(&others, MOST_NAMES))
        };
        let message = format!("no input holds storage{origins} inside {partition}");
        match self.report.sources.iter().find(|source| source.is_incomplete) {
            None => Error::new(ErrorKind::Usage, message).hint(hint),
            Some(damaged) => {
                let path = damaged.path.display();
                let message = format!("{message} that can be told; it may be what is missing of {path}");
                Error::new(ErrorKind::Damaged, message).hint(hint)
            }
        }
    }

    /// What is said of rules that are for no store.
    pub(super) fn unused_rules(&self) -> Vec<String> {
        let unnamed = self.origins.iter().filter(|((origin, _), _)| origin.is_none());
        let unnamed: u64 = unnamed.map(|(_, (told, _))| told.sources).sum();
        let rules = self.options.mapping.own_rules().enumerate();
        rules
            .filter(|(index, _)| !self.used_rules.contains(index))
            .map(|(_, (key, origin))| {
                let of = match origin {
                    None => String::new(),
                    Some(origin) if unnamed == 0 => format!(" (origin {origin})"),
                    Some(origin) => format!(
                        " (origin {origin}; storage of no known origin: {unnamed} {})",
                        if unnamed == 1 { "dump" } else { "dumps" }
                    ),
                };
                format!("no store is for the rule of {key:?}{of}")
            })
            .collect()
    }

    /// The refusal of an origin that no input has, as far as the inputs can be read.
    pub(super) fn not_there(&self, origin: &str) -> Error {
        let others = if self.known.is_empty() {
            String::new()
        } else {
            format!("there is storage of {}; ", first_of(&self.known, MOST_NAMES))
        };
        let Some(damaged) = self.report.sources.iter().find(|source| source.is_incomplete) else {
            return Error::new(ErrorKind::Usage, format!("no input holds storage of {origin}"))
                .hint(format!("{others}--list shows what is in it"));
        };
        let problem = damaged.problems.iter().find(|problem| problem.may_lose_items);
        let why = damaged.unreadable.first().cloned();
        let why = why
            .or(problem.map(|it| match &*it.place {
                "" => it.message.clone(),
                place => format!("{place}: {}", it.message),
            }))
            .unwrap_or_default();
        let path = damaged.path.display();
        let message = format!(
            "no input holds storage of {origin} that can be told; it may be what is missing or left out of {path}: {why}"
        );
        Error::new(ErrorKind::Damaged, message).hint(format!("{others}--list tells of all damage"))
    }
}

/// Whether it is what stands in a file that is wrong, rather than what is asked for or how the file is read.
pub(super) fn is_of_text(error: &Error) -> bool {
    error.kind() == ErrorKind::Damaged && std::error::Error::source(error).is_none()
}

/// Which of two is told where nothing can be read: the first one, but rather one that asks for something.
pub(super) fn first_of_errors(first: Option<Error>, second: Option<Error>) -> Option<Error> {
    let asks = |error: &Error| error.kind() == ErrorKind::Usage;
    match (first, second) {
        (Some(first), Some(second)) if asks(&second) && !asks(&first) => Some(second),
        (first, second) => first.or(second),
    }
}

/// The refusal of an origin that no input names, where some input names none.
pub(super) fn beside_unnamed(error: &Error) -> Error {
    let hint = error.hint_text().unwrap_or_default();
    let hint =
        format!("{hint}; a dump that does not say whose it is, is migrated by itself with its --origin");
    Error::new(error.kind(), error.message()).hint(hint)
}

/// The refusal of inputs in which there is nothing to read, with the first of what was skipped.
pub(super) fn nothing_there(inputs: &[PathBuf], skipped: &[SkippedFile]) -> Error {
    const MOST: usize = 3;
    let skipped = skipped.iter().map(|file| format!("{} ({})", file.path.display(), file.reason));
    let passed_over = match skipped.len() {
        0 => String::new(),
        _ => format!("; skipped: {}", first_of(skipped, MOST)),
    };
    // One input is the error's place, which stands at its end.
    let place = match inputs {
        [_] => "here".to_owned(),
        several => format!("in {}", first_of(several.iter().map(|it| it.display()), MOST)),
    };
    let message = format!("there is no localStorage {place}, and no dump of it{passed_over}");
    let hint = "name the profile's folder (chrome://version and about:support show it), or a dump";
    let error = Error::new(ErrorKind::Damaged, message).hint(hint);
    match inputs {
        [input] => error.at(input),
        _ => error,
    }
}

/// What is told of a file of a LevelDB that was named by itself, and is no dump: the error itself for any other file.
pub(super) fn of_leveldb(path: &Path, error: Error) -> Error {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_number = |text: &str| text.len() >= 6 && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_numbered = ["ldb", "log", "sst"].into_iter().any(|ending| {
        name.strip_suffix(ending).and_then(|name| name.strip_suffix('.')).is_some_and(is_number)
    });
    if !is_numbered && !name.strip_prefix("MANIFEST-").is_some_and(is_number) {
        return error;
    }
    Error::new(ErrorKind::Damaged, "this is a part of a browser's storage, and no dump")
        .at(path)
        .hint("name the folder it is in")
}
