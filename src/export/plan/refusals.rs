//! What a planned export refuses before anything is written.

use std::path::Path;

use crate::durable::{Existing, PathKind, TargetForm, check_target, kind_of_name};
use crate::error::{Error, ErrorKind, Result};
use crate::export::ExportOptions;
use crate::export::plan::{ExportPlan, OutputForm};
use crate::snapshot::{Snapshot, refuse_inside_snapshot, surplus_files};
use crate::sqlite::not_kept::NotKept;
use crate::sqlite::source_check::SourceCheckResult;

/// Fails under `strict` when something cannot be kept.
pub(super) fn refuse_loss(not_kept: &[NotKept], options: &ExportOptions, source: &Path) -> Result<()> {
    let Some(lost) = not_kept.first().filter(|_| options.strict) else { return Ok(()) };
    let message = format!("not everything can be kept: {lost}");
    Err(Error::new(ErrorKind::Failed, message)
        .at(source)
        .hint("leave --strict away to export it all the same, or leave the table out with --exclude"))
}

impl ExportPlan {
    /// Refuses what shall not be done: losing anything under `strict`, replacing what is not to be replaced.
    ///
    /// # Errors
    /// `Failed` with `strict` when something cannot be kept; `Exists`; `Usage` where the output is the source.
    pub(crate) fn check(&self, options: &ExportOptions) -> Result<()> {
        refuse_loss(&self.not_kept, options, &self.source)?;
        if options.strict && self.source_check.result == SourceCheckResult::Findings {
            let first = self.source_check.first_findings.first().map_or("", String::as_str);
            let what = if self.source_check.is_damaged() {
                "the database damaged"
            } else {
                "rows that break its rules"
            };
            let message = format!("SQLite's integrity check finds {what}: {first}");
            return Err(Error::new(ErrorKind::Failed, message)
                .at(&self.source)
                .hint("leave --strict away to export what can be read all the same"));
        }
        let form = match self.form {
            OutputForm::Folder => TargetForm::Directory,
            OutputForm::File => TargetForm::File,
        };
        refuse_inside_snapshot(&self.output)?;
        check_target(&self.output, form, options.existing)?;
        let real = |path: &Path| std::fs::canonicalize(path).ok();
        if real(&self.output).is_some_and(|output| Some(output) == real(&self.source)) {
            return Err(Error::new(ErrorKind::Usage, "the output is the database itself")
                .at(&self.output)
                .hint("choose another name with -o"));
        }
        if options.existing == Existing::Replace { self.check_replaced() } else { Ok(()) }
    }
}

impl ExportPlan {
    /// Replaces snapshots, and nothing else: not a folder or file of another program, not one with files of
    /// somebody else's in it, and never the source.
    fn check_replaced(&self) -> Result<()> {
        let refuse = |message: &str| {
            Err(Error::new(ErrorKind::Exists, message.to_string())
                .at(&self.output)
                .hint("choose another name with -o, or remove it yourself"))
        };
        let real = |path: &Path| std::fs::canonicalize(path).ok();
        let (output, source) = (real(&self.output), real(&self.source));
        if output.zip(source).is_some_and(|(output, source)| source.starts_with(&output)) {
            return refuse("the database lies in the folder that would be replaced");
        }
        let is_empty_folder = std::fs::read_dir(&self.output).is_ok_and(|mut files| files.next().is_none());
        if is_empty_folder || matches!(kind_of_name(&self.output)?, PathKind::Missing) {
            return Ok(());
        }
        match Snapshot::open(&self.output) {
            Ok(snapshot) if surplus_files(&snapshot)?.is_empty() => Ok(()),
            Ok(_) => refuse("the snapshot that would be replaced has other files in it"),
            // It may be one, and cannot be read.
            Err(error) if error.kind() == ErrorKind::Failed => Err(error),
            Err(_) => refuse("what would be replaced is not a whole snapshot"),
        }
    }
}
