//! What was typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use parklite::content::ContentOptions;

use crate::cli::migrate::MigrateArgs;
use crate::cli::progress::ProgressChoice;
use crate::cli::units::{parse_duration, parse_memory};

pub(super) const MORE: &str = "More options";
const OUTPUT: &str = "Output";
const ORDER_BY_HELP: &str = "Order a table's rows: 'events=_created_at desc,id'; may be given again";

/// SQLite in, ordered zstd Parquet out, and the exact database back, verified.
#[derive(Debug, Parser)]
#[command(name = "parklite", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Examples:\n  \
    parklite export gymlog.db                          → ./gymlog-2026-11-20T09-30-00Z/, verified\n  \
    parklite verify gymlog-2026-11-20T09-30-00Z/       content, and a full restore into a temporary database\n  \
    parklite restore gymlog-2026-11-20T09-30-00Z/ restored.db\n  \
    parklite inspect gymlog-2026-11-20T09-30-00Z/\n  \
    parklite diff gymlog.db backup.db                  rows, schema and header, whatever their layout\n\n\
    Exit codes: 0 done, 1 failed, 2 usage, 3 partly done, 4 differences found, 10 not found, 11 busy,\n\
    12 target exists, 13 damaged or not a database, 14 newer format, 15 not all sent, 130 interrupted.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// How results and progress are told; for every verb.
#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    /// Print one JSON document with the result, or the error, on standard output.
    #[arg(long, global = true, help_heading = OUTPUT)]
    pub(crate) json: bool,
    /// Print nothing but errors.
    #[arg(short, long, global = true, help_heading = OUTPUT)]
    pub(crate) quiet: bool,
    /// How progress is shown on standard error.
    #[arg(long, global = true, value_enum, value_name = "STYLE", default_value = "auto", help_heading = OUTPUT)]
    pub(crate) progress: ProgressChoice,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a verified snapshot of a SQLite database.
    Export(ExportArgs),
    /// Prove that a snapshot is whole, up to a full restore; or check a database.
    Verify(VerifyArgs),
    /// Turn a snapshot back into a database.
    Restore(RestoreArgs),
    /// Show what a snapshot or a database holds.
    Inspect(InspectArgs),
    /// Compare two snapshots or databases, down to the cell.
    Diff(DiffArgs),
    /// Print content digests of snapshots or databases, or compare them with a list.
    Digest(DigestArgs),
    /// Turn a browser's old localStorage into an events database.
    Migrate(Box<MigrateArgs>),
    /// Print a completion script for a shell.
    #[command(after_help = "Examples:\n  \
        parklite completions bash > ~/.local/share/bash-completion/completions/parklite\n  \
        parklite completions fish > ~/.config/fish/completions/parklite.fish")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print a manual page.
    #[command(after_help = "Examples:\n  \
        parklite man | man -l -\n  \
        parklite man export > ~/.local/share/man/man1/parklite-export.1")]
    Man {
        /// The verb; the page of the program as a whole if none is given.
        #[arg(value_parser = VERBS)]
        verb: Option<String>,
    },
}

/// What there is a manual page of.
const VERBS: [&str; 9] =
    ["export", "verify", "restore", "inspect", "diff", "digest", "migrate", "completions", "man"];

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    parklite export gymlog.db\n  \
    parklite export gymlog.db -o backups/today\n  \
    parklite export gymlog.db --table events -o gymlog-backup-2026-11-20.parquet\n  \
    parklite export gymlog.db --exclude 'note*' --order-by 'sets=workout_id,ordinal'\n  \
    parklite export gymlog.db --dry-run")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(crate) struct ExportArgs {
    /// The database.
    pub(crate) database: PathBuf,
    /// Where to: a folder, or for a single table a file ending in .parquet [default: ./<NAME>-<TIME>/].
    #[arg(short, long, value_name = "PATH")]
    pub(crate) output: Option<PathBuf>,
    /// Take only tables of this name; may be given again; * ? [..] {a,b} are patterns.
    #[arg(short, long = "table", value_name = "PATTERN")]
    pub(crate) tables: Vec<String>,
    /// Order a table's rows.
    #[arg(long, value_name = "TABLE=COLUMNS", help = ORDER_BY_HELP)]
    pub(crate) order_by: Vec<String>,
    /// Replace an existing snapshot of that name.
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Read everything, write nothing, and show what would be done.
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,

    /// Leave tables of this name out; may be given again.
    #[arg(short = 'x', long, value_name = "PATTERN", help_heading = MORE)]
    pub(crate) exclude: Vec<String>,
    /// zstd level, 1 (fast) to 22 (small): the most effort for any column.
    #[arg(long, value_name = "LEVEL", default_value_t = 3, value_parser = clap::value_parser!(i32).range(1..=22), help_heading = MORE)]
    pub(crate) compression_level: i32,
    /// Do not match what was written with what was read; the snapshot is marked as not verified.
    #[arg(long, help_heading = MORE)]
    pub(crate) no_verify: bool,
    /// Fail if anything cannot be restored exactly, and publish nothing.
    #[arg(long, help_heading = MORE)]
    pub(crate) strict: bool,
    /// Let SQLite check the database first (every page, every index) and record its answer; takes about as long again.
    #[arg(long, help_heading = MORE)]
    pub(crate) check_source: bool,
    /// Copy the database first and export the copy, so that its writers are held up only briefly.
    #[arg(long, help_heading = MORE)]
    pub(crate) copy_first: bool,
    /// Take a file of zero bytes for an empty database.
    #[arg(long, help_heading = MORE)]
    pub(crate) allow_empty: bool,
    #[command(flatten)]
    pub(crate) busy: BusyArgs,
    #[command(flatten)]
    pub(crate) resources: ResourceArgs,
}

/// How long to wait.
#[derive(Debug, Args)]
pub(crate) struct BusyArgs {
    /// How long to wait for a database that another process has locked: 10s, 500ms, 2m.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration, help_heading = MORE)]
    pub(crate) busy_timeout: Duration,
}

/// What may be used.
#[derive(Debug, Args)]
pub(crate) struct ResourceArgs {
    /// How much memory to use for rows in flight, sorting and caches, 64MiB at the least; on top come the program (48 MiB
    /// at most), 4 times the largest row, and 128 KiB for each column of a table that is decoded.
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = parse_memory, help_heading = MORE)]
    pub(crate) memory_limit: u64,
    /// How many threads read, encode and decode, as far as the memory limit allows [default: one per core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256), help_heading = MORE)]
    pub(crate) threads: Option<u16>,
    /// An existing folder for temporary files [default: beside what is written, or what is read].
    #[arg(long, value_name = "FOLDER", help_heading = MORE)]
    pub(crate) temp_dir: Option<PathBuf>,
}

/// How far a snapshot's own expressions are trusted.
#[derive(Debug, Args)]
pub(crate) struct ExpressionArgs {
    /// How long expressions of its schema may be evaluated at the least; more rows get more time.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_duration, help_heading = MORE)]
    pub(crate) expression_timeout: Duration,
}

/// Whether foreign bytes are read in a process apart.
#[derive(Debug, Args)]
pub(crate) struct ConfineArgs {
    /// Read the snapshot in this process, not in a confined one of its own: only for snapshots you trust.
    #[arg(long, help_heading = MORE)]
    pub(crate) no_confine: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Levels:\n  \
    --quick    every file is there and has the bytes that were written (SHA-256)\n  \
    --data     and everything decodes to the rows and the schema that were read\n  \
    (default)  and a database rebuilt from it passes SQLite's checks and holds the same rows\n\n\
    Levels of a SQLite database, whoever made it (it is not touched, not even by side files):\n  \
    --quick    quick_check\n  \
    (default)  integrity_check, foreign_key_check, and every row is read; --data is the same\n\n\
    Examples:\n  \
    parklite verify gymlog-2026-11-20T09-30-00Z/\n  \
    parklite verify litestream-restored.db --against gymlog-2026-11-20T09-30-00Z/\n  \
    parklite verify --quick backups/today && echo unchanged\n  \
    parklite verify --data --independent backups/today   two decoders that share no code\n  \
    parklite verify --json gymlog-backup-2026-11-20.parquet")]
pub(crate) struct VerifyArgs {
    /// The snapshot, a folder or a single-table file; or a SQLite database.
    #[arg(value_name = "SNAPSHOT|DATABASE")]
    pub(crate) snapshot: PathBuf,
    /// Only whether every file has the bytes that were written.
    #[arg(long, conflicts_with = "data")]
    pub(crate) quick: bool,
    /// Files and content, but no restore.
    #[arg(long)]
    pub(crate) data: bool,
    /// Decode once more with a second decoder, which shares no code with the first (polars').
    #[arg(long, conflicts_with = "quick")]
    pub(crate) independent: bool,
    /// Then compare its content with that of another snapshot or database.
    #[arg(long, value_name = "SNAPSHOT|DATABASE")]
    pub(crate) against: Option<PathBuf>,
    /// How many differing rows of each table are shown.
    #[arg(long, value_name = "N", default_value_t = 10, requires = "against", help_heading = MORE)]
    pub(crate) max_rows: usize,
    #[command(flatten)]
    pub(crate) busy: BusyArgs,
    #[command(flatten)]
    pub(crate) expressions: ExpressionArgs,
    #[command(flatten)]
    pub(crate) resources: ResourceArgs,
    #[command(flatten)]
    pub(crate) confine: ConfineArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "What counts is content: rows with their rowids, the text of every table, index, view and trigger, counters,\n\
    user_version, application_id and encoding. Layout does not: page size, auto_vacuum, journal mode, free pages,\n\
    the order of rows, compression. Nothing is touched, not even by SQLite's side files.\n\n\
    Examples:\n  \
    parklite diff gymlog.db backup.db\n  \
    parklite diff gymlog.db gymlog-2026-11-20T09-30-00Z/ --table events --max-rows 100\n  \
    parklite --quiet diff before.db after.db && echo the same content"
)]
pub(crate) struct DiffArgs {
    /// A snapshot or a database.
    #[arg(value_name = "A")]
    pub(crate) a: PathBuf,
    /// Another one.
    #[arg(value_name = "B")]
    pub(crate) b: PathBuf,
    /// Compare only tables of this name; may be given again; * ? [..] {a,b} are patterns.
    #[arg(short, long = "table", value_name = "PATTERN")]
    pub(crate) tables: Vec<String>,
    /// How many differing rows of each table are shown.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) max_rows: usize,
    #[command(flatten)]
    pub(crate) busy: BusyArgs,
    #[command(flatten)]
    pub(crate) resources: ResourceArgs,
    #[command(flatten)]
    pub(crate) confine: ConfineArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "A line is <digest>  <rows>  <name>. The same content gives the same lines, in a live database, a backup made by any\n\
    program, a snapshot, and what is restored from it.\n\n\
    Examples:\n  \
    parklite digest gymlog.db > digests.txt\n  \
    parklite digest --check digests.txt backup.db gymlog-2026-11-20T09-30-00Z/\n  \
    parklite digest gymlog.db --table events --table 'set*'"
)]
pub(crate) struct DigestArgs {
    /// Snapshots or databases.
    #[arg(value_name = "SNAPSHOT|DATABASE", required = true)]
    pub(crate) subjects: Vec<PathBuf>,
    /// Compare with the digests in this file, which the same verb has printed.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) check: Option<PathBuf>,
    /// Only tables of this name, and neither header nor schema; may be given again; * ? [..] {a,b} are patterns.
    #[arg(short, long = "table", value_name = "PATTERN")]
    pub(crate) tables: Vec<String>,
    #[command(flatten)]
    pub(crate) busy: BusyArgs,
    #[command(flatten)]
    pub(crate) resources: ResourceArgs,
    #[command(flatten)]
    pub(crate) confine: ConfineArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    parklite restore gymlog-2026-11-20T09-30-00Z/ restored.db\n  \
    parklite restore gymlog-2026-11-20T09-30-00Z/ gymlog.db --overwrite\n  \
    parklite restore from-duckdb.parquet events.db --as events\n\n\
    A database that is replaced is kept beside the new one as <NAME>.before-restore-<TIME>.")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(crate) struct RestoreArgs {
    /// The snapshot: a folder, a single-table file, or any other Parquet file.
    pub(crate) snapshot: PathBuf,
    /// The database to make.
    pub(crate) target: PathBuf,
    /// Replace an existing database without asking; it is kept under another name.
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Do not keep the database that is replaced.
    #[arg(long, requires = "overwrite")]
    pub(crate) discard_old: bool,
    /// The table's name, for a Parquet file of another program [default: the file's name].
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) table_name: Option<String>,
    /// Do not match the restored database with the snapshot.
    #[arg(long)]
    pub(crate) no_verify: bool,
    /// Fail if anything cannot be restored exactly, and publish nothing.
    #[arg(long)]
    pub(crate) strict: bool,
    #[command(flatten)]
    pub(crate) busy: BusyArgs,
    #[command(flatten)]
    pub(crate) expressions: ExpressionArgs,
    #[command(flatten)]
    pub(crate) resources: ResourceArgs,
    #[command(flatten)]
    pub(crate) confine: ConfineArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    parklite inspect gymlog-2026-11-20T09-30-00Z/\n  \
    parklite inspect backups/today --table events --columns\n  \
    parklite inspect litestream-restored.db")]
pub(crate) struct InspectArgs {
    /// The snapshot, a folder or a single-table file; or a SQLite database; or any other Parquet file.
    #[arg(value_name = "SNAPSHOT|DATABASE")]
    pub(crate) snapshot: PathBuf,
    /// Show each column: type and why, sizes, encodings; of a database, how many cells of each storage class.
    #[arg(short, long)]
    pub(crate) columns: bool,
    /// Show the columns of this table only.
    #[arg(short, long, value_name = "NAME")]
    pub(crate) table: Option<String>,
    #[command(flatten)]
    pub(crate) busy: BusyArgs,
    /// An existing folder for temporary files [default: beside what is read].
    #[arg(long, value_name = "FOLDER", help_heading = MORE)]
    pub(crate) temp_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) confine: ConfineArgs,
}

impl ResourceArgs {
    /// Threads that each hold a decoded row group: no more than the memory limit has room for.
    pub(crate) fn decoding_thread_count(&self) -> usize {
        /// What a decoded row group takes, and what it is decoded from.
        const THREAD_BYTES: u64 = 64 << 20;
        let room = usize::try_from(self.memory_limit / THREAD_BYTES).unwrap_or(usize::MAX);
        self.thread_count().clamp(1, room.max(1))
    }

    /// How content is read with these resources.
    pub(crate) fn content_options(&self, busy: &BusyArgs) -> ContentOptions {
        ContentOptions {
            busy_timeout: busy.busy_timeout,
            memory_limit_bytes: self.memory_limit,
            threads: self.thread_count(),
            temp_folder: self.temp_dir.clone(),
        }
    }

    pub(crate) fn thread_count(&self) -> usize {
        self.threads.map_or_else(
            || std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            usize::from,
        )
    }
}
