//! `parklite man`: the manual pages, made from the same description of the arguments as `--help`.

use std::io;

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use parklite::error::{Error, ErrorKind, Result};

use crate::cli::args::Cli;

const EXIT_CODES: [(&str, &str); 12] = [
    ("0", "done"),
    ("1", "the operation failed"),
    ("2", "wrong usage or configuration"),
    ("3", "partly done; the report says what is missing"),
    ("4", "verification or comparison found differences"),
    ("10", "source or snapshot not found"),
    ("11", "locked or busy past the timeout"),
    ("12", "target already exists"),
    ("13", "not a database, not a snapshot, or damaged beyond reading"),
    ("14", "written by a newer format version"),
    ("15", "a server did not take everything; what is left is kept, and the same command goes on"),
    ("130", "interrupted; nothing partial was published"),
];

/// The manual page of the program, or of one of its verbs, in troff.
///
/// # Errors
/// `Usage` where there is no such verb.
pub(crate) fn page(verb: Option<&str>) -> Result<String> {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let command = match verb {
        None => program.clone(),
        Some(verb) => program
            .find_subcommand(verb)
            .cloned()
            .ok_or_else(|| Error::new(ErrorKind::Usage, format!("there is no verb {verb:?}")))?,
    };
    let mut text = Vec::new();
    render(&program, &command, &mut text)
        .map_err(|error| Error::new(ErrorKind::Failed, "writing the manual page failed").because(error))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn render(program: &Command, command: &Command, text: &mut Vec<u8>) -> io::Result<()> {
    let is_program = command.get_name() == program.get_name();
    // What follows the arguments in the help is laid out by spaces: it stands as it is, in a section of its own.
    let examples = command.get_after_help().map(ToString::to_string);
    let man = Man::new(command.clone().after_help(""))
        .source(format!("parklite {}", env!("CARGO_PKG_VERSION")))
        .manual("parklite");
    man.render_title(text)?;
    man.render_name_section(text)?;
    man.render_synopsis_section(text)?;
    man.render_description_section(text)?;
    man.render_options_section(text)?;
    if is_program {
        man.render_subcommands_section(text)?;
    }
    let mut more = Roff::new();
    if let Some(examples) = examples {
        more.control("SH", ["EXAMPLES"]);
        more.control("nf", []);
        // Exit codes have a section of their own.
        let lines = examples.trim().lines().take_while(|line| !line.starts_with("Exit codes"));
        for line in lines.filter(|line| line.trim() != "Examples:") {
            // A paragraph is one line, which is as long as it is.
            let is_paragraph = line.len() > 80 && !line.starts_with(' ');
            if is_paragraph {
                more.control("fi", []);
            }
            more.text([roman(line)]);
            if is_paragraph {
                more.control("nf", []);
            }
        }
        more.control("fi", []);
    }
    more.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in EXIT_CODES {
        more.control("TP", ["6"]);
        more.text([bold(code)]);
        more.text([roman(meaning)]);
    }
    more.control("SH", ["ENVIRONMENT"]);
    more.control("TP", []);
    more.text([bold("NO_COLOR")]);
    more.text([roman("Set and not empty: no colours.")]);
    more.control("SH", ["SEE ALSO"]);
    let verbs = program.get_subcommands().filter(|verb| !verb.is_hide_set());
    let mut pages: Vec<String> = verbs.map(|verb| format!("parklite-{}(1)", verb.get_name())).collect();
    pages.insert(0, "parklite(1)".to_owned());
    let own =
        if is_program { "parklite(1)".to_owned() } else { format!("parklite-{}(1)", command.get_name()) };
    pages.retain(|page| *page != own);
    more.text([roman(format!("{}, sqlite3(1)", pages.join(", ")))]);
    more.to_writer(text)
}
