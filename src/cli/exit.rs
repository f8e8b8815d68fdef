//! How a run ends: results on the standard output, the error on the standard error, and an exit code.
//!
//! An error is rendered here and nowhere else, once: its line, one line per cause, and what to do next.
//! A reader that went away (`parklite inspect … | head`) is no failure.

use std::error::Error as StdError;
use std::io::{self, Write};

use parklite::error::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::text::one_line;

const RED_BOLD: &str = "\x1b[1;31m";
const CYAN_BOLD: &str = "\x1b[1;36m";
const RESET: &str = "\x1b[0m";

/// Prints an error on the standard error stream, for people.
pub(crate) fn print_error(error: &Error, color: bool) {
    write_stderr(&render_error(error, color));
}

/// Writes on the standard error stream.
pub(crate) fn write_stderr(text: &str) {
    let mut stderr = io::stderr().lock();
    // Nobody is left to be told when even this stream fails.
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.flush();
}

/// An error as people read it: `error: …`, the causes, and after a blank line `hint: …`.
///
/// Only the words error and hint are coloured, if `color`.
pub(crate) fn render_error(error: &Error, color: bool) -> String {
    let mut text = format!("{}: {}\n", painted("error", RED_BOLD, color), one_line(&error.to_string()));
    for cause in causes(error) {
        text.push_str("  caused by: ");
        text.push_str(&one_line(&cause));
        text.push('\n');
    }
    if let Some(hint) = hint(error) {
        text.push('\n');
        text.push_str(&painted("hint", CYAN_BOLD, color));
        text.push_str(": ");
        text.push_str(&one_line(hint));
        text.push('\n');
    }
    text
}

/// An error as scripts read it; every key is always there, `null` where nothing is known.
///
/// Keys: `kind`, `exit_code`, `message` (without place and cause), `path`, `table`, `column`, `row`
/// (1-based, in reading order), `causes` (an array, the nearest first), `hint`.
pub(crate) fn error_document(error: &Error) -> Value {
    let place = error.place();
    json!({
        "kind": error.kind().name(),
        "exit_code": error.kind().exit_code(),
        "message": error.message(),
        "path": place.path.as_ref().map(|path| path.to_string_lossy()),
        "table": place.table,
        "column": place.column,
        "row": place.row_ordinal,
        "causes": causes(error),
        "hint": hint(error),
    })
}

/// Writes the result of a run to the standard output stream, all of it or until nobody reads any more.
///
/// # Errors
/// [`ErrorKind::Failed`] if the stream takes no more, such as a full disk behind a redirection. A reader
/// that closed the stream is quiet success.
pub(crate) fn write_stdout(text: &str) -> Result<()> {
    write_result(&mut io::stdout().lock(), text)
}

fn write_result(target: &mut impl Write, text: &str) -> Result<()> {
    match target.write_all(text.as_bytes()).and_then(|()| target.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(ErrorKind::Failed, "writing to the standard output failed").because(error))
        }
        _ => Ok(()),
    }
}

/// The texts of the whole chain of causes, except where a cause only repeats the end of what it caused.
fn causes(error: &Error) -> Vec<String> {
    let mut causes = Vec::new();
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !said.ends_with(&text) {
            causes.push(text.clone());
            said = text;
        }
        source = cause.source();
    }
    causes
}

/// The hint of the error, or of the nearest cause that has one.
fn hint(error: &Error) -> Option<&str> {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(cause) = next {
        if let Some(hint) = cause.downcast_ref::<Error>().and_then(Error::hint_text) {
            return Some(hint);
        }
        next = cause.source();
    }
    None
}

fn painted(word: &str, paint: &str, color: bool) -> String {
    if color { format!("{paint}{word}{RESET}") } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn damaged() -> Error {
        let inner = Error::new(ErrorKind::Failed, "line one\nline \x1b[31mtwo")
            .hint("free some\nspace")
            .because(io::Error::other(Error::new(ErrorKind::Failed, "the disk is full")));
        Error::new(ErrorKind::Damaged, "a page cannot be read")
            .in_table("eve\nnts")
            .in_column("payload")
            .at_row(7)
            .at("/a\nb.db")
            .because(inner)
    }

    #[test]
    fn an_error_is_one_line_per_cause_and_a_hint() {
        let expected = r#"error: a page cannot be read, table "eve\nnts", column "payload", row 7: /a b.db
  caused by: line one line \u{1b}[31mtwo
  caused by: the disk is full

hint: free some space
"#;
        assert_eq!(render_error(&damaged(), false), expected);
    }

    #[test]
    fn only_the_words_error_and_hint_are_coloured() {
        let error = Error::new(ErrorKind::Usage, "no such table").hint("run parklite inspect");
        let expected =
            "\x1b[1;31merror\x1b[0m: no such table\n\n\x1b[1;36mhint\x1b[0m: run parklite inspect\n";
        assert_eq!(render_error(&error, true), expected);
    }

    #[test]
    fn an_error_without_cause_and_hint_is_one_line() {
        let error = Error::new(ErrorKind::Interrupted, "interrupted; nothing partial was published");
        assert_eq!(render_error(&error, false), "error: interrupted; nothing partial was published\n");
    }

    #[test]
    fn the_document_has_the_same_facts() {
        let expected = json!({
            "kind": "damaged",
            "exit_code": 13,
            "message": "a page cannot be read",
            "path": "/a\nb.db",
            "table": "eve\nnts",
            "column": "payload",
            "row": 7,
            "causes": ["line one\nline \x1b[31mtwo", "the disk is full"],
            "hint": "free some\nspace",
        });
        assert_eq!(error_document(&damaged()), expected);
        let bare = error_document(&Error::new(ErrorKind::Busy, "locked"));
        assert_eq!(
            (&bare["exit_code"], &bare["path"], &bare["hint"]),
            (&json!(11), &Value::Null, &Value::Null)
        );
    }

    /// A stream that fails as told.
    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure_but_a_full_disk_is() {
        assert!(write_result(&mut Failing(io::ErrorKind::BrokenPipe), "x").is_ok());
        let error = write_result(&mut Failing(io::ErrorKind::StorageFull), "x").expect_err("full");
        assert_eq!(error.kind(), ErrorKind::Failed);
    }
}
