//! Snapshots to damage: small ones, with several row groups all the same.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::compute::concat_batches;
use parklite::digest::ContentDigest;
use parklite::export::Selection;
use parklite::frame::digest_batch;
use parklite::parquet_file::{TableEncoder, TableReader, TableWriter, Trials, WriterSettings, sorting_terms};
use parklite::snapshot::{
    DataFile, Location, MANIFEST_FILE, Manifest, SNAPSHOT_KEY, SUMS_FILE, Snapshot, TABLE_KEY, TableEntry,
    TableFooter, VIEWS_FILE, sums_text, views_text,
};
use tempfile::TempDir;

use crate::fixtures::Fixture;
use crate::round_trip::{export_options, with_run};

/// Three tables: one with companions and a number family, one without rowid and with every storage class in one
/// column, one without rows.
const SMALL: &str = "
CREATE TABLE sets (id INTEGER PRIMARY KEY, name TEXT, weight DECIMAL(5,2), note);
CREATE TABLE moods (day TEXT PRIMARY KEY, mood) WITHOUT ROWID;
CREATE TABLE empty (a, b TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
INSERT INTO sets SELECT i * 7, 'exercise ' || (i % 11), CASE i % 3 WHEN 0 THEN i ELSE i + 0.25 END,
    CASE WHEN i % 5 = 0 THEN zeroblob(i % 7) WHEN i % 4 = 0 THEN NULL ELSE 'note ' || i END FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 24)
INSERT INTO moods SELECT printf('2026-11-%02d', i), CASE i % 5 WHEN 0 THEN i WHEN 1 THEN i / 8.0 WHEN 2 THEN 'good'
    WHEN 3 THEN x'ff00' END FROM n;
";

/// One table of random values: its column chunks cannot be compressed and so are large.
const LARGER: &str = "
CREATE TABLE samples (id INTEGER PRIMARY KEY, value REAL, token BLOB, word TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
INSERT INTO samples SELECT i, i * 1.61803398875 / 3, substr(hex(i * 2654435761 * 40503), 1, 8) || zeroblob(i % 5),
    'word ' || (i * 7919 % 5003) FROM n;
";

/// A snapshot alone in a folder of its own.
pub(super) struct Subject {
    /// The snapshot: a folder or a file.
    pub(super) path: PathBuf,
    /// Removed in the end.
    _folder: TempDir,
}

impl Subject {
    /// A folder of three tables.
    pub(super) fn small_folder() -> Self {
        Self::of(SMALL, None, 20)
    }

    /// A file that is a snapshot by itself.
    pub(super) fn small_file() -> Self {
        Self::of(SMALL, Some("sets"), 30)
    }

    /// A folder of a few hundred kilobytes.
    pub(super) fn larger() -> Self {
        Self::of(LARGER, None, 500)
    }

    fn of(sql: &str, table: Option<&str>, group_rows: usize) -> Self {
        let fixture = Fixture::new("source");
        fixture.execute(sql);
        let folder = TempDir::new().expect("a temporary folder can be made");
        let path = folder.path().join(if table.is_some() { "snapshot.parquet" } else { "snapshot" });
        let selection = table.map_or_else(Selection::default, |table| Selection {
            tables: vec![table.to_owned()],
            ..Selection::default()
        });
        let options = parklite::export::ExportOptions { selection, ..export_options(&path) };
        with_run(|run| parklite::export::export(&fixture.path, &options, run)).expect("exports");
        rewrite(&path, group_rows, &[], |_, _| ());
        Self { path, _folder: folder }
    }

    /// A snapshot like [`Self::small_folder`] of a database with the same schema and other rows.
    pub(super) fn other_small_folder() -> Self {
        Self::of(&SMALL.replace("exercise", "movement").replace("2026-11", "2025-10"), None, 20)
    }

    /// A copy in a folder of its own.
    pub(super) fn duplicate(&self) -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let path = folder.path().join(self.path.file_name().expect("a name"));
        copy(&self.path, &path);
        Self { path, _folder: folder }
    }

    /// Its files in alphabetical order, and whose rows each holds.
    pub(super) fn files(&self) -> Vec<SubjectFile> {
        let snapshot = Snapshot::open(&self.path).expect("a whole snapshot");
        let table_of = |path: &Path| {
            let mut entries = snapshot.manifest.tables.iter();
            let entry = entries.find(|entry| entry.files.iter().any(|file| snapshot.data_path(file) == path));
            entry.map(|entry| entry.table.name.lossy().into_owned())
        };
        let paths = match &snapshot.location {
            Location::File(path) => vec![path.clone()],
            Location::Folder(folder) => {
                let mut paths: Vec<_> = fs::read_dir(folder)
                    .expect("the snapshot can be listed")
                    .map(|entry| entry.expect("the snapshot can be listed").path())
                    .collect();
                paths.sort();
                paths
            }
        };
        let file = |path: PathBuf| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let bytes = fs::read(&path).expect("readable");
            SubjectFile { table: table_of(&path), name, path, bytes }
        };
        paths.into_iter().map(file).collect()
    }
}

/// One file of a whole snapshot.
#[derive(Clone)]
pub(super) struct SubjectFile {
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// The table whose rows it holds.
    pub(super) table: Option<String>,
    pub(super) bytes: Vec<u8>,
}

fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        fs::copy(from, to).expect("copied");
        return;
    }
    fs::create_dir(to).expect("made");
    for entry in fs::read_dir(from).expect("listed") {
        let path = entry.expect("listed").path();
        fs::copy(&path, to.join(path.file_name().expect("a name"))).expect("copied");
    }
}

/// Writes a snapshot anew with row groups of `group_rows` rows, which an export only makes of far more. `change` may
/// do to the rows of each row group and what is recorded of them what it likes, and footers get `pairs` besides their own;
/// every sum is right in the end.
pub(super) fn rewrite(
    path: &Path,
    group_rows: usize,
    pairs: &[(&str, &str)],
    mut change: impl FnMut(&TableEntry, &mut RowGroup),
) {
    let mut snapshot = Snapshot::open(path).expect("a whole snapshot");
    let is_folder = matches!(snapshot.location, Location::Folder(_));
    for index in 0..snapshot.manifest.tables.len() {
        let Some(file) = snapshot.manifest.tables[index].files.first() else { continue };
        let data_path = snapshot.data_path(file);
        let footer = Footer { is_folder, pairs };
        rewrite_file(&mut snapshot.manifest, index, &data_path, &footer, group_rows, &mut change);
    }
    if is_folder {
        write_texts(path, &snapshot.manifest);
    }
}

/// Writes manifest, views and sums of a snapshot folder.
pub(super) fn write_texts(folder: &Path, manifest: &Manifest) {
    let text = manifest.to_text().expect("a manifest is text");
    fs::write(folder.join(MANIFEST_FILE), &text).expect("written");
    fs::write(folder.join(VIEWS_FILE), views_text(manifest)).expect("written");
    fs::write(folder.join(SUMS_FILE), sums_text(manifest, text.as_bytes())).expect("written");
}

/// One row group as it is about to be written.
pub(super) struct RowGroup {
    pub(super) rows: arrow::array::RecordBatch,
    /// What is recorded of its rows.
    pub(super) digest: ContentDigest,
}

struct Footer<'a> {
    is_folder: bool,
    pairs: &'a [(&'a str, &'a str)],
}

fn rewrite_file(
    manifest: &mut Manifest,
    index: usize,
    path: &Path,
    footer: &Footer<'_>,
    group_rows: usize,
    change: &mut impl FnMut(&TableEntry, &mut RowGroup),
) {
    let entry = manifest.tables[index].clone();
    let TableEntry { table, mapping, order, .. } = &entry;
    let reader = TableReader::open(path).expect("opens");
    let batches: Vec<_> = (0..reader.row_group_count())
        .flat_map(|group| reader.read_row_group(group).expect("a row group"))
        .map(|batch| batch.expect("a batch"))
        .collect();
    let rows = concat_batches(&mapping.arrow_schema(), &batches).expect("one table");
    let sorting = sorting_terms(table, mapping, order);
    let encoder = TableEncoder::new(mapping, &WriterSettings::default(), sorting).expect("an encoder");
    let new_path = path.with_extension("new");
    let mut writer =
        TableWriter::create(File::create(&new_path).expect("made"), &new_path, &encoder).expect("begun");
    // A manifest's digests are only as true as `change` leaves them.
    let mut digest = ContentDigest::default();
    for (number, first) in (0..rows.num_rows()).step_by(group_rows).enumerate() {
        let rows = rows.slice(first, group_rows.min(rows.num_rows() - first));
        let mut group =
            RowGroup { digest: digest_batch(table, mapping, &rows).expect("rows of the table"), rows };
        change(&entry, &mut group);
        digest.add(group.digest);
        let interrupt = parklite::run::Interrupt::new();
        let trials = Trials::default();
        let mut written = encoder.row_group(number, &trials, &interrupt);
        for column in group.rows.columns() {
            written.encode_column(vec![Arc::clone(column)]).expect("encoded");
        }
        writer.append(written.finish().expect("encoded"), group.digest).expect("appended");
    }
    let schema = manifest.schema.clone();
    let new_entry = |row_groups: &[_]| {
        let file = DataFile {
            path: entry.files[0].path.clone(),
            size_bytes: None,
            sha256: None,
            in_key_order: entry.files[0].in_key_order,
            digest,
            row_groups: row_groups.to_vec(),
            chosen: Vec::new(),
            tail: None,
        };
        TableEntry { digest, files: vec![file], ..entry.clone() }
    };
    let facts = writer.finish(|written| {
        let own = TableFooter::of(&entry, digest, written.row_groups, &schema);
        let mut pairs = vec![(TABLE_KEY.to_owned(), serde_json::to_string(&own).expect("JSON"))];
        pairs.extend(footer.pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())));
        if !footer.is_folder {
            let mut manifest = manifest.clone();
            manifest.tables[index] = new_entry(written.row_groups);
            pairs.push((SNAPSHOT_KEY.to_owned(), manifest.to_text()?));
        }
        Ok(pairs)
    });
    let facts = facts.expect("finished");
    let mut entry = new_entry(&facts.row_groups);
    let file = &mut entry.files[0];
    (file.size_bytes, file.sha256, file.tail) =
        (Some(facts.size_bytes), Some(facts.sha256), Some(facts.tail));
    manifest.tables[index] = entry;
    fs::rename(&new_path, path).expect("renamed");
}
