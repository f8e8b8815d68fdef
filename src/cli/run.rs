//! From arguments to an exit code.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use parklite::clock::SystemClock;
use parklite::error::{Error, ErrorKind, Result};
use parklite::run::{Interrupt, Run, set_last_resort};
use serde::Serialize;

use crate::cli::args::{Cli, Command};
use crate::cli::exit::{error_document, print_error, write_stderr, write_stdout};
use crate::cli::progress::{ProgressStyle, reporter};
use crate::cli::terminal::Terminal;
use crate::cli::text::safe_json;
use crate::cli::{allocator, confine, diff, digest, export, inspect, man, migrate, restore, verify};

/// What a verb has to say at its end.
pub(crate) struct Outcome {
    /// For people, on standard output; on the standard error where something was emitted.
    pub(crate) text: String,
    /// For scripts, on standard output.
    pub(crate) document: serde_json::Value,
    /// How it went.
    pub(crate) status: Status,
    /// What was asked for, on standard output.
    pub(crate) emitted: Option<String>,
    /// What of the text is told even where only errors are asked for, if not all of it.
    pub(crate) findings: Option<String>,
    /// What to do where standard output takes nothing, though what was asked for is done.
    pub(crate) if_unprinted: Option<&'static str>,
}

/// How a verb that did not fail went; its number is the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// All is well.
    Done = 0,
    /// Nothing was done, and the report says what has to be told first.
    Unclear = 2,
    /// Something is missing, and the report says what.
    Partly = 3,
    /// Differences were found.
    Differs = 4,
    /// A server was gone before it took everything; what it did not take is kept.
    Unsent = 15,
}

impl Outcome {
    pub(crate) fn new(verb: &str, report: &impl Serialize, text: String, status: Status) -> Result<Self> {
        let failed = |error| Error::new(ErrorKind::Failed, "writing the report failed").because(error);
        let mut document = serde_json::json!({ "verb": verb, "exit_code": status as u8 });
        let report = serde_json::to_value(report).map_err(failed)?;
        if let (Some(document), serde_json::Value::Object(report)) = (document.as_object_mut(), report) {
            document.extend(report);
        }
        Ok(Self { text, document, status, emitted: None, findings: None, if_unprinted: None })
    }
}

/// Runs the program.
pub(crate) fn run() -> ExitCode {
    allocator::keep_blocks();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; clap knows where each goes.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { refuse_usage(&error) } else { 0 });
        }
    };
    if let Command::Completions { shell } = cli.command {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "parklite", &mut script);
        let printed = print_text(&cli, "completions", &String::from_utf8_lossy(&script));
        return finish(printed.map(|()| 0), &cli);
    }
    if let Command::Man { verb } = &cli.command {
        let printed = man::page(verb.as_deref()).and_then(|page| print_text(&cli, "man", &page));
        return finish(printed.map(|()| 0), &cli);
    }
    silence_expected_panics();
    set_last_resort(if cli.output.json { end_with_document } else { end });
    let interrupt = Interrupt::new();
    if let Err(error) = handle_signals(&interrupt) {
        return finish(Err(error), &cli);
    }
    let confinement = match confine::needs_of(&cli.command) {
        None => confine::is_switched_off(&cli.command).then(confine::Confinement::default),
        Some(needs) => match confine::enter(&needs, &interrupt) {
            Ok(Some(confinement)) => Some(confinement),
            Ok(None) => return finish(confine::run_in_child(&needs, &interrupt), &cli),
            Err(error) => return finish(Err(error), &cli),
        },
    };
    let style = ProgressStyle::resolve(cli.output.progress, cli.output.quiet, Terminal::stderr());
    let reporter = reporter(style, Terminal::stderr().color);
    let run = Run { progress: &*reporter, clock: &SystemClock, interrupt: &interrupt };
    if let Some(note) = confinement.as_ref().and_then(confine::Confinement::note) {
        reporter.note(&note);
    }
    let outcome = match &cli.command {
        Command::Export(args) => export::run(args, run),
        Command::Verify(args) => verify::run(args, run),
        Command::Restore(args) => restore::run(args, cli.output.json, run, &*reporter),
        Command::Inspect(args) => inspect::run(args, run),
        Command::Diff(args) => diff::run(args, run),
        Command::Digest(args) => digest::run(args, run),
        Command::Migrate(args) => migrate::run(args, cli.output.json, run),
        Command::Completions { .. } | Command::Man { .. } => printed_before(),
    };
    reporter.finish();
    let outcome = outcome.map_err(|error| interrupted(error, &interrupt));
    let code = outcome.and_then(|mut outcome| {
        let if_unprinted = outcome.if_unprinted;
        let print = |text: &str| {
            write_stdout(text).map_err(|error| match if_unprinted {
                Some(hint) => error.hint(hint),
                None => error,
            })
        };
        if let Some(emitted) = &outcome.emitted {
            print(emitted)?;
            if !cli.output.quiet {
                write_stderr(&outcome.text);
            } else if outcome.status != Status::Done {
                write_stderr(outcome.findings.as_ref().unwrap_or(&outcome.text));
            }
        } else if cli.output.json {
            if let (Some(confinement), Some(document)) = (confinement, outcome.document.as_object_mut()) {
                document.insert("confinement".to_string(), confinement.names().into());
            }
            let document = serde_json::to_string_pretty(&outcome.document).unwrap_or_default();
            print(&format!("{}\n", safe_json(&document)))?;
        } else if !cli.output.quiet {
            print(&outcome.text)?;
        } else if outcome.status != Status::Done {
            // Quiet means that nothing is said while all is well.
            write_stderr(outcome.findings.as_ref().unwrap_or(&outcome.text));
        }
        Ok(outcome.status as u8)
    });
    finish(code, &cli)
}

/// Prints a script or a page, as a member of a document where one is asked for.
fn print_text(cli: &Cli, verb: &str, text: &str) -> Result<()> {
    if !cli.output.json {
        return write_stdout(text);
    }
    let document = serde_json::json!({ "verb": verb, "text": text });
    write_stdout(&format!("{}\n", safe_json(&serde_json::to_string_pretty(&document).unwrap_or_default())))
}

/// The document of arguments that make no sense, if one was asked for; the exit code.
fn refuse_usage(refusal: &clap::Error) -> u8 {
    let error = usage_error(refusal);
    // The arguments were not understood, so this one is looked for as it stands.
    if std::env::args_os().skip(1).take_while(|word| word != "--").any(|word| word == "--json") {
        print_error_document(&error);
    }
    error.kind().exit_code()
}

/// What clap has to say, without its usage text.
fn usage_error(refusal: &clap::Error) -> Error {
    let text = refusal.to_string();
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let usage_at = lines().position(|line| line.starts_with("Usage:")).unwrap_or(usize::MAX);
    let mut message: Vec<&str> = lines().take(usage_at).filter(|line| !line.starts_with("tip:")).collect();
    if let Some(first) = message.first_mut() {
        *first = first.strip_prefix("error: ").unwrap_or(first);
    }
    let tip = lines().find_map(|line| line.strip_prefix("tip: ").map(str::to_string));
    let hint = tip.unwrap_or_else(|| "parklite --help shows verbs and options".to_string());
    Error::new(ErrorKind::Usage, message.join(" ")).hint(hint)
}

/// Whatever failed after a signal failed because of it, such as a wait for a lock.
fn interrupted(error: Error, interrupt: &Interrupt) -> Error {
    match interrupt.check() {
        // Where it was interrupted is of no use to anybody, but what stays of it and how it goes on is.
        Err(stopped) if error.kind() == stopped.kind() && error.hint_text().is_none() => stopped,
        Err(stopped) if error.kind() == stopped.kind() => error,
        Err(stopped) => stopped.because(error),
        Ok(()) => error,
    }
}

fn printed_before() -> Result<Outcome> {
    Err(Error::new(ErrorKind::Usage, "completions and manual pages are printed before anything runs"))
}

fn finish(code: Result<u8>, cli: &Cli) -> ExitCode {
    match code {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            print_error(&error, Terminal::stderr().color);
            if cli.output.json {
                print_error_document(&error);
            }
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// Tells the error and ends the process, whatever its other threads are at. What it leaves is cleared by the process
/// that started it, or by the next run.
#[expect(clippy::exit, reason = "nothing else stops a thread inside a call of SQLite's")]
fn end(error: &Error) {
    print_error(error, Terminal::stderr().color);
    std::process::exit(error.kind().exit_code().into());
}

fn end_with_document(error: &Error) {
    print_error_document(error);
    end(error);
}

fn print_error_document(error: &Error) {
    let document = serde_json::to_string_pretty(&serde_json::json!({
        "exit_code": error.kind().exit_code(),
        "error": error_document(error),
    }));
    let _ = write_stdout(&format!("{}\n", safe_json(&document.unwrap_or_default())));
}

/// A decoder that panics on a damaged file is caught and told as an error: its own words would only confuse.
fn silence_expected_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !parklite::parquet_file::is_decoding() {
            usual(panic);
        }
    }));
}

/// The first signal asks the run to stop and clean up; a second one ends it at once.
fn handle_signals(interrupt: &Interrupt) -> Result<()> {
    let failed = |error| Error::new(ErrorKind::Failed, "handling signals failed").because(error);
    for signal in signals() {
        let flag = interrupt.flag();
        let code = ErrorKind::Interrupted.exit_code().into();
        signal_hook::flag::register_conditional_shutdown(signal, code, flag).map_err(failed)?;
        signal_hook::flag::register(signal, interrupt.flag()).map_err(failed)?;
    }
    #[cfg(unix)]
    {
        // A file beyond the limit then is an error of writing, which is told and cleared up after.
        let unheard = std::sync::Arc::default();
        signal_hook::flag::register(signal_hook::consts::SIGXFSZ, unheard).map_err(failed)?;
    }
    Ok(())
}

#[cfg(unix)]
fn signals() -> [i32; 3] {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    [SIGINT, SIGTERM, SIGHUP]
}

#[cfg(not(unix))]
fn signals() -> [i32; 2] {
    use signal_hook::consts::{SIGINT, SIGTERM};
    [SIGINT, SIGTERM]
}
