//! Random changes of footers, page headers and page bodies, read by both decoders in a process with little memory.
//!
//! What is changed: bytes of a footer or of a page header; fields of either, as a tree; bytes of a page before it is
//! compressed. Sizes, places and hashes are made to fit again, so that what was changed is reached. A process of its
//! own reads them, since some ends of a process cannot be caught; it writes down which case it is at.

use std::fs;
use std::path::Path;

use parklite::error::{Error, ErrorKind};
use parklite::parquet_file::{IndependentReader, TableReader, check_footer_bounds};
use tempfile::TempDir;

use super::forge::Forge;
use super::thrift::{BINARY, Value};
use super::trial::{Trial, is_full_run, limited};

const TEST: &str = "hostile_parquet::mutations::nothing_that_is_changed_at_random_brings_a_reader_down";

/// The variables by which the reading process knows what to do.
const FOLDER: &str = "PARKLITE_TEST_MUTATIONS";
const CASES: &str = "PARKLITE_TEST_CASES";

/// Cases of a usual run, and of a full one.
const FEW: u64 = 4_000;
const MANY: u64 = 400_000;

/// What the reading process may have of address space, in KiB: the test program itself and 512 MiB.
const LIMIT_KIB: u32 = 1024 * 1024;

#[test]
fn nothing_that_is_changed_at_random_brings_a_reader_down() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let cases = std::env::var(CASES).ok().and_then(|cases| cases.parse().ok()).expect("a number");
        return read_all(Path::new(&folder), cases);
    }
    let cases = if is_full_run() { MANY } else { FEW };
    let trial = Trial::new();
    let folder = TempDir::new().expect("a folder");
    fs::copy(trial.path("good.parquet"), folder.path().join("good.parquet")).expect("copied");
    let output = limited(LIMIT_KIB, &std::env::current_exe().expect("this program"))
        .args(["--exact", TEST, "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder.path())
        .env(CASES, cases.to_string())
        .output()
        .expect("run");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let case = fs::read_to_string(folder.path().join("case")).unwrap_or_default();
        let end: String = String::from_utf8_lossy(&output.stderr).chars().rev().take(2_000).collect();
        let end: String = end.chars().rev().collect();
        panic!("case {case} ended with {}: {told}\n{end}", output.status);
    }
    let counts = told.lines().find(|line| line.contains("mutated files")).expect("the counts are told");
    println!("{counts}");
}

/// How the readers took the files.
#[derive(Default)]
struct Counts {
    refused_by_footer: u64,
    refused_by_pages: u64,
    read: u64,
    beyond_bounds: u64,
}

fn read_all(folder: &Path, cases: u64) {
    let good = Forge::open(&folder.join("good.parquet"));
    let path = folder.join("mutated.parquet");
    let mut counts = Counts::default();
    for case in 0..cases {
        fs::write(folder.join("case"), case.to_string()).expect("written");
        let bytes = mutated(&good, &mut Random(case));
        fs::write(&path, bytes).expect("written");
        read(&path, &mut counts);
    }
    let Counts { refused_by_footer, refused_by_pages, read, beyond_bounds } = counts;
    println!(
        "\n{cases} mutated files: {refused_by_footer} refused by their footer ({beyond_bounds} by bounds that hold for \
         any Parquet), {refused_by_pages} by their pages, {read} decoded"
    );
    assert!(refused_by_footer > cases / 20, "footers are reached");
    assert!(refused_by_pages > cases / 20, "pages are reached");
    assert!(read > 0, "and some changes change little");
}

fn read(path: &Path, counts: &mut Counts) {
    if let Err(error) = check_footer_bounds(path) {
        judge(&error);
        counts.beyond_bounds += 1;
    }
    let reader = match TableReader::open(path) {
        Ok(reader) => reader,
        Err(error) => {
            judge(&error);
            counts.refused_by_footer += 1;
            return;
        }
    };
    let mut is_read = true;
    let mut take = |result: Result<(), Error>| {
        if let Err(error) = result {
            judge(&error);
            is_read = false;
        }
    };
    for index in 0..reader.row_group_count() {
        take(reader.check_statistics(index).map(drop));
        take(
            reader
                .read_row_group(index)
                .and_then(|mut batches| batches.try_for_each(|batch| batch.map(drop))),
        );
        let second = IndependentReader::open(path);
        take(second.and_then(|second| second.read_row_group(index)).map(drop));
    }
    if is_read {
        counts.read += 1;
    } else {
        counts.refused_by_pages += 1;
    }
}

#[track_caller]
fn judge(error: &Error) {
    let is_right = match error.kind() {
        ErrorKind::Damaged => true,
        ErrorKind::Failed => error.to_string().contains("more memory than can be had"),
        _ => false,
    };
    assert!(is_right, "{error:?}");
}

/// Pages change first, so that sizes, places and hashes can be made to fit; then the footer may.
fn mutated(good: &Forge, random: &mut Random) -> Vec<u8> {
    let mut forge = good.clone();
    let kind = random.below(8);
    if kind < 5 {
        for _ in 0..=random.below(2) {
            let page = any_page(&mut forge, random);
            match random.below(3) {
                0 => change_tree(&mut page.header, random),
                1 => {
                    // One whose header no longer says how large it is stays compressed.
                    if let Some(mut content) = page.content() {
                        change_bytes(&mut content, random);
                        page.set_content(&content);
                    }
                }
                _ => change_bytes(&mut page.body, random),
            }
        }
        if random.below(8) > 0 {
            forge.lay_out();
        }
        forge.hash_descriptions();
    }
    match kind {
        0 | 5 | 6 => (0..=random.below(2)).for_each(|_| change_tree(&mut forge.footer, random)),
        7 => {
            let mut bytes = forge.footer.bytes();
            change_bytes(&mut bytes, random);
            forge.after_footer = bytes;
            forge.replace_footer = true;
        }
        _ => {}
    }
    forge.bytes_as_they_are()
}

fn any_page<'a>(forge: &'a mut Forge, random: &mut Random) -> &'a mut super::forge::Page {
    let mut pages: Vec<_> = forge.chunks.iter_mut().flatten().flatten().collect();
    let index = random.below(pages.len() as u64) as usize;
    pages.swap_remove(index)
}

fn change_bytes(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len().max(1) as u64) as usize;
        match random.below(5) {
            _ if bytes.is_empty() => bytes.push(random.byte()),
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.byte(),
            2 => drop(bytes.remove(at)),
            3 => bytes.insert(at, random.byte()),
            _ => bytes.truncate(at),
        }
    }
}

/// Changes one value somewhere in a tree.
fn change_tree(value: &mut Value, random: &mut Random) {
    match value {
        Value::Struct(fields) if !fields.is_empty() => {
            let at = random.below(fields.len() as u64) as usize;
            match random.below(12) {
                0 => drop(fields.remove(at)),
                1 => fields.push(fields[at].clone()),
                2 => fields[at].0 = random.below(20) as i16 + 1,
                _ => change_tree(&mut fields[at].1, random),
            }
        }
        Value::List(_, items) if !items.is_empty() => {
            let at = random.below(items.len() as u64) as usize;
            match random.below(10) {
                0 => drop(items.remove(at)),
                1 => items.insert(at, items[at].clone()),
                _ => change_tree(&mut items[at], random),
            }
        }
        Value::I16(number) | Value::I32(number) | Value::I64(number) => *number = random.number(*number),
        Value::Binary(bytes) => match random.below(3) {
            0 => *value = Value::Raw(BINARY, vec![0xff, 0xff, 0xff, 0xff, 0x07]),
            _ => change_bytes(bytes, random),
        },
        Value::Bool(is_true) => *is_true = !*is_true,
        Value::Struct(fields) => fields.push((1, Value::I32(1))),
        Value::List(..) | Value::Raw(..) => *value = Value::I32(1),
    }
}

/// Numbers that follow from a case's own (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    /// Another number: near, far, or where something ends.
    fn number(&mut self, from: i64) -> i64 {
        const ENDS: [i64; 12] = [
            0,
            1,
            -1,
            255,
            65_536,
            131_072,
            131_073,
            i32::MAX as i64,
            i32::MIN as i64,
            1 << 32,
            i64::MAX,
            i64::MIN,
        ];
        match self.below(4) {
            0 => from.wrapping_add(1),
            1 => from.wrapping_sub(1),
            2 => ENDS[self.below(ENDS.len() as u64) as usize],
            _ => self.next().cast_signed() >> self.below(64),
        }
    }
}
