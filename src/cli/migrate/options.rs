//! What is typed after `parklite migrate`, and what it means.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgGroup, Args};
use parklite::error::{Error, ErrorKind, Result};
use parklite::http::{Address, Headers};
use parklite::local_storage::code_units::CodeUnits;
use parklite::local_storage::mapping::Mapping;
use parklite::local_storage::moment::Moment;
use parklite::local_storage::origin::{is_origin, normal, without_slash};
use parklite::migrate::{
    BulkSyncOptions, DEFAULT_BATCH_SIZE, DEFAULT_POST_TIMEOUT, MigrateOptions, PROGRAM_GAP, PostOptions,
    PutBackForm, PutBackOptions, RETRY_WAITS,
};

use crate::cli::args::{BusyArgs, MORE};
use crate::cli::units::parse_duration;

#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("made").args(["emit", "post"]),
    after_help = "Profiles of Chrome, Edge, Brave, Electron, Firefox, Safari and WebKitGTK can be read: name the profile's folder, or one above it. It is only read, and may be in use. Of several origins, name those you want.\n\n\
    A dump is what JSON.stringify(localStorage), Object.entries(localStorage) or Playwright's storageState give, one in a file or one in each line. Importing it again adds nothing; dumps of several devices are merged.\n\n\
    Examples:\n  \
    parklite migrate dump-laptop.json --list            what is in it?\n  \
    parklite migrate dump-laptop.json --into gymlog.db --device laptop\n  \
    parklite migrate dumps/ --into gymlog.db --dry-run  nothing is changed\n  \
    parklite migrate ~/.config/google-chrome --list     whose storage is there?\n  \
    parklite migrate ~/old-laptop/Default --origin https://app.example \\\n      \
    --into gymlog.db\n  \
    parklite migrate liftbook.json --map liftbook.toml --into gymlog.db\n  \
    parklite migrate dumps/ --into planner.db --to progress-logs --set user_id=42\n  \
    parklite migrate dump.json --emit bulk-sync -o bodies.jsonl\n  \
    parklite migrate dump.json --into gymlog.db --header-file token \\\n      \
    --post 'https://app.example/progress/{program_id}/bulk-sync'\n  \
    parklite migrate phone.json laptop.json --origin https://app.example \\\n      \
    --emit console -o paste.js\n\n\
    Exit code 3 says that something did not fit, could not be read or was refused by a server; the report names it, the rest is imported. Exit code 15 says that a server was gone: all is imported, and the same command goes on with what is to be sent."
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(crate) struct MigrateArgs {
    /// Profiles of browsers, dumps, or folders of these.
    #[arg(value_name = "INPUT", required = true)]
    inputs: Vec<PathBuf>,
    /// The events database; it is made if it is missing.
    #[arg(long, value_name = "DATABASE")]
    into: Option<PathBuf>,
    /// Only show whose storage it is, which stores are known, and how many sessions they have.
    #[arg(long, conflicts_with_all = ["into", "made"])]
    list: bool,
    /// Print what an app takes; with or without a database.
    #[arg(long, value_enum, value_name = "FORM", help_heading = MORE)]
    emit: Option<EmitForm>,
    /// A new file for what is emitted [default: standard output].
    #[arg(short, long, value_name = "FILE", requires = "emit", help_heading = MORE)]
    output: Option<PathBuf>,
    /// Send completed sessions, in the bodies of --emit bulk-sync, to a server that takes them; `{program_id}` in the address is
    /// the program. What is still to be sent is kept in the database: the same command again goes on.
    #[arg(long, value_name = "URL", requires = "into", help_heading = MORE)]
    post: Option<String>,
    /// With --post: a file of headers for each request, such as a token, each in a line like `Authorization: Bearer …`.
    #[arg(long, value_name = "FILE", requires = "post", help_heading = MORE)]
    header_file: Option<PathBuf>,
    /// With --post: how long one request may take: 30s, 500ms, 2m [default: 30s].
    #[arg(long, value_name = "TIME", requires = "post", value_parser = parse_duration, help_heading = MORE)]
    post_timeout: Option<Duration>,
    /// With --post: how long is waited before each further attempt, instead of 1, 5 and 15 seconds; for tests.
    #[arg(long, value_name = "TIME,…", requires = "post", value_delimiter = ',', value_parser = parse_duration, hide = true)]
    retry_waits: Option<Vec<Duration>>,
    /// Take only the storage of this origin; may be given again.
    #[arg(long = "origin", value_name = "https://HOST")]
    origins: Vec<String>,
    /// A mapping file, for the stores of other apps.
    #[arg(long, value_name = "FILE.toml")]
    map: Option<PathBuf>,
    /// The device that the dumps are of; it is kept beside each event.
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    device: Option<String>,
    /// When the dumps were made: 2025-12-31 or 2025-12-31T18:30:00Z [default: when each storage or file was changed last].
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    captured_at: Option<Moment>,
    /// The key of dumps that are the value of a single store.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Keep the value of every key, not only of stores that are known; there may be tokens among them.
    #[arg(long)]
    all_keys: bool,
    /// Make the sessions rows of a table `progress_logs`, which is filled if it is there and else made, instead of a view.
    #[arg(long, value_enum, value_name = "TABLE", requires = "into", help_heading = MORE)]
    to: Option<ToTable>,
    /// With --to: give new rows what no dump can know, such as `user_id=42`, or `id=uuid()` for a random one in each row; may be
    /// given again.
    #[arg(long, value_name = "COLUMN=VALUE", requires = "to", value_parser = parse_set, help_heading = MORE)]
    set: Vec<(String, String)>,
    /// Read everything, change nothing, and show what would be done.
    #[arg(short = 'n', long)]
    dry_run: bool,

    /// Take storage of a site inside others, which browsers keep apart, too.
    #[arg(long, help_heading = MORE)]
    with_partitioned: bool,
    /// Take what the origin keeps inside this site, as --list shows it, too; may be given again.
    #[arg(long = "partition", value_name = "SITE", conflicts_with = "with_partitioned", help_heading = MORE)]
    partitions: Vec<String>,
    /// Take values from a browser's damaged files, too, of which a newer one or the deletion may have been lost.
    #[arg(long, help_heading = MORE)]
    with_doubtful: bool,
    /// Leave out the sessions of programs with a marker `migrated-<program>`, which the app says it has sent; a marker counts
    /// for the dump or storage that has it.
    #[arg(long, help_heading = MORE)]
    skip_migrated: bool,
    /// Emit or send sessions that are not completed, too.
    #[arg(long, requires = "made", help_heading = MORE)]
    all_sessions: bool,
    /// How many sessions a batch has at most [default: 100].
    #[arg(long, value_name = "COUNT", requires = "made", value_parser = parse_batch_size, help_heading = MORE)]
    batch_size: Option<usize>,
    /// Emit or send only the sessions of this program.
    #[arg(long, value_name = "ID", requires = "made", help_heading = MORE)]
    program: Option<String>,
    /// An existing folder for a dry run, and for copies of browsers' databases [default: the system's].
    #[arg(long, value_name = "FOLDER", help_heading = MORE)]
    temp_dir: Option<PathBuf>,
    /// How many threads read dumps and write events [default: one per core].
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=256), help_heading = MORE)]
    threads: Option<u16>,
    #[command(flatten)]
    busy: BusyArgs,
}

/// As a site is written; what a browser calls a partition by itself stays as it is.
fn normal_partition(partition: &str) -> String {
    if is_origin(without_slash(partition)) { normal(partition) } else { partition.to_owned() }
}

/// A table that an app has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ToTable {
    /// One row per program, week and day.
    ProgressLogs,
}

impl MigrateArgs {
    /// Whether what is emitted goes to the standard output.
    pub(crate) fn prints_emitted(&self) -> bool {
        self.emit.is_some() && self.output.is_none()
    }

    /// The inputs.
    pub(crate) fn inputs(&self) -> &[PathBuf] {
        &self.inputs
    }

    /// What the library is asked for.
    pub(crate) fn options(&self, json: bool) -> Result<MigrateOptions> {
        self.check()?;
        if json && self.prints_emitted() {
            let message = "what is emitted and the report cannot both go to the standard output";
            return Err(
                Error::new(ErrorKind::Usage, message).hint("name a file for what is emitted: -o FILE")
            );
        }
        if self.emit.is_some_and(|form| form != EmitForm::BulkSync)
            && (self.all_sessions || self.program.is_some() || self.batch_size.is_some())
        {
            let message = "--all-sessions, --program and --batch-size are for --emit bulk-sync: storage is put back as a whole";
            return Err(Error::new(ErrorKind::Usage, message).hint("leave them out"));
        }
        Ok(MigrateOptions {
            target: self.into.clone(),
            origins: self.origins.iter().map(|origin| normal(origin)).collect(),
            mapping: self.map.as_deref().map_or_else(|| Ok(Mapping::built_in()), read_mapping)?,
            device: self.device.clone(),
            captured_at: self.captured_at,
            key: self.key.as_deref().map(CodeUnits::from),
            all_keys: self.all_keys,
            with_partitioned: self.with_partitioned,
            partitions: self.partitions.iter().map(|partition| normal_partition(partition)).collect(),
            with_doubtful: self.with_doubtful,
            skip_migrated: self.skip_migrated,
            dry_run: self.dry_run,
            progress_table: self.to.map(|ToTable::ProgressLogs| self.set.clone()),
            temp_folder: self.temp_dir.clone(),
            busy_timeout: self.busy.busy_timeout,
            threads: self.threads.map_or_else(
                || std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
                usize::from,
            ),
            bulk_sync: (self.emit == Some(EmitForm::BulkSync)).then(|| self.sessions()),
            post: self.post.as_ref().map(|address| self.post_options(address)).transpose()?,
            put_back: self
                .emit
                .and_then(EmitForm::put_back)
                .map(|form| PutBackOptions { form, output: self.output.clone() }),
        })
    }

    /// Refuses what is commonly typed and means something else here.
    fn check(&self) -> Result<()> {
        let is_dash = |path: &PathBuf| path.as_os_str() == "-";
        if self.into.is_none() && !self.list && self.emit.is_none() {
            return Err(Error::new(
                ErrorKind::Usage,
                "nothing says where it is to go: --into DATABASE is missing",
            )
            .hint("--into gymlog.db imports it, or --list to see what is in it"));
        }
        // Where these are given, the option's own rule does not count for the parser.
        if let (Some(output), None) = (&self.output, self.emit) {
            let message = "the file after -o is for what --emit makes, and nothing is emitted";
            return Err(Error::new(ErrorKind::Usage, message)
                .at(output)
                .hint("leave -o out, or name a form after --emit"));
        }
        if self.list && self.to.is_some() {
            let message = "--list writes to no table, and --to names one";
            return Err(Error::new(ErrorKind::Usage, message).hint("leave one of them out"));
        }
        if self.output.as_ref().is_some_and(is_dash) {
            return Err(Error::new(ErrorKind::Usage, "the file after -o would be one that is named -")
                .hint("leave -o out for the standard output"));
        }
        if self.inputs.iter().any(|input| is_dash(input) && !input.exists()) {
            return Err(Error::new(ErrorKind::NotFound, "there is no such file or folder")
                .at("-")
                .hint("standard input is not read: save it as a file"));
        }
        Ok(())
    }

    /// Which sessions go to a server.
    fn sessions(&self) -> BulkSyncOptions {
        BulkSyncOptions {
            all_sessions: self.all_sessions,
            batch_size: self.batch_size.unwrap_or(DEFAULT_BATCH_SIZE),
            program: self.program.clone(),
            output: self.output.clone(),
        }
    }

    /// How they are sent.
    fn post_options(&self, address: &str) -> Result<PostOptions> {
        Ok(PostOptions {
            // Not by clap, whose errors repeat what was typed: there may be a password in it.
            address: Address::parse(address, PROGRAM_GAP)?,
            headers: self.header_file.as_deref().map(Headers::read).transpose()?.unwrap_or_default(),
            sessions: self.sessions(),
            timeout: self.post_timeout.unwrap_or(DEFAULT_POST_TIMEOUT),
            waits: self.retry_waits.clone().unwrap_or_else(|| RETRY_WAITS.to_vec()),
        })
    }
}

/// What can be emitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum EmitForm {
    /// Completed sessions in batches, as JSON for a server's bulk-sync address: one body in each line.
    BulkSync,
    /// The merged storage, as a file for Playwright's storageState.
    StorageState,
    /// The merged storage, as a text to paste into a browser's console.
    Console,
}

impl EmitForm {
    /// What puts storage back.
    fn put_back(self) -> Option<PutBackForm> {
        match self {
            Self::BulkSync => None,
            Self::StorageState => Some(PutBackForm::StorageState),
            Self::Console => Some(PutBackForm::Console),
        }
    }
}

fn parse_batch_size(text: &str) -> std::result::Result<usize, String> {
    match text.parse() {
        Ok(size) if (1..=10_000).contains(&size) => Ok(size),
        _ => Err("a batch has 1 to 10000 sessions".to_owned()),
    }
}

fn read_mapping(path: &Path) -> Result<Mapping> {
    let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Error::new(ErrorKind::NotFound, "there is no such mapping file").at(path).hint("check the path")
        }
        std::io::ErrorKind::InvalidData => {
            let hint = "save it as UTF-8; docs/MIGRATE.md shows what is in a mapping file";
            Error::new(ErrorKind::Usage, "the mapping file is no text in UTF-8").at(path).hint(hint)
        }
        std::io::ErrorKind::IsADirectory => {
            let hint = "name a TOML file after --map; docs/MIGRATE.md shows what is in it";
            Error::new(ErrorKind::Usage, "the mapping file is a folder").at(path).hint(hint)
        }
        _ => Error::io("reading the mapping file", path, error),
    })?;
    Mapping::from_toml(&text).map_err(|error| error.at(path))
}

fn parse_set(text: &str) -> std::result::Result<(String, String), String> {
    let (column, value) = text.split_once('=').ok_or("write a column and its value, like user_id=42")?;
    Ok((column.to_owned(), value.to_owned()))
}

fn parse_moment(text: &str) -> std::result::Result<Moment, String> {
    Moment::from_rfc3339(text)
        .or_else(|| Moment::from_date(text))
        .ok_or_else(|| "write a time like 2025-12-31 or 2025-12-31T18:30:00Z".to_owned())
}
