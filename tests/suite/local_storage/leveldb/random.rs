//! Random stores in random files: what comes out is what a map has; and bytes of chance never bring the reader down.

use std::collections::BTreeMap;
use std::fs;

use parklite::local_storage::chromium::{
    Selection, StorageKey, decode_string, list_leveldb, read_leveldb, unpack_value,
};
use parklite::local_storage::code_units::CodeUnits;
use parklite::local_storage::leveldb::{is_leveldb, read};
use parklite::run::Interrupt;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::local_storage::leveldb::writer::*;

const ORIGINS: [&str; 3] =
    ["https://a.example", "https://a.example/^0https://b.example", "http://c.example:80"];

/// One change of the model: storage, key, value.
type Step = (usize, Vec<u16>, Option<Vec<u16>>);

fn units() -> impl Strategy<Value = Vec<u16>> {
    let unit = prop_oneof![0_u16..4, 0x41_u16..0x45, 0xD800_u16..0xD803, 0xDC00_u16..0xDC03, any::<u16>()];
    vec(unit, 0..6)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    vec((0..ORIGINS.len(), units(), proptest::option::weighted(0.7, units())), 1..60)
}

/// As the browser writes it: UTF-16 only where it must be.
fn encoded(units: &[u16]) -> Vec<u8> {
    if units.iter().all(|&unit| unit < 256) {
        let mut bytes = vec![1];
        bytes.extend(units.iter().map(|unit| unit.to_le_bytes()[0]));
        bytes
    } else {
        utf16(units)
    }
}

fn record_key(step: &Step) -> Vec<u8> {
    [b"_", ORIGINS[step.0].as_bytes(), b"\0", &encoded(&step.1)[..]].concat()
}

/// A file, and for logs: how many steps have happened after how many bytes of it.
struct File {
    name: String,
    bytes: Vec<u8>,
    steps_after: Vec<(usize, usize)>,
}

/// The files of a database in which `steps` happened one after the other, cut where `cuts` say: the parts become tables
/// from the lowest level up to level 0, the last two parts logs.
fn written(steps: &[Step], cuts: &[usize], packing: usize, batch_size: usize) -> Vec<File> {
    let packings = [Packing::Plain, Packing::Snappy, Packing::Zstd];
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (steps.len() + 1)).collect();
    cuts.extend([0, steps.len()]);
    cuts.sort_unstable();
    let keyed: Vec<(Vec<u8>, Option<Vec<u8>>)> =
        steps.iter().map(|step| (record_key(step), step.2.as_deref().map(encoded))).collect();
    let mut files = Vec::new();
    let mut manifest = Manifest::new(20, 30);
    let parts: Vec<_> = cuts.windows(2).map(|cut| cut[0]..cut[1]).collect();
    for (number, part) in parts.iter().enumerate() {
        let changes = &keyed[part.clone()];
        if number + 2 < parts.len() {
            if changes.is_empty() {
                continue;
            }
            let entries: Vec<Entry<'_>> = changes
                .iter()
                .zip(part.start as u64 + 1..)
                .map(|((key, value), sequence)| (&key[..], sequence, value.as_deref()))
                .collect();
            let made = table(&entries, 1 + packing, &packings[packing % 3..]);
            let level = (parts.len() - 3 - number).saturating_sub(2) as u64;
            manifest = manifest.table(level, number as u64 + 5, &made);
            files.push(File::new(format!("{:06}.ldb", number + 5), made.bytes));
        } else if number + 1 < parts.len() && changes.is_empty() {
            // A log is left only when it is full.
        } else {
            let mut sequence = part.start as u64 + 1;
            if number + 1 < parts.len() {
                manifest = manifest.previous_log(19);
            }
            let mut bytes = Vec::new();
            let mut steps_after = vec![(0, part.start)];
            for changes in changes.chunks(batch_size) {
                let changes: Vec<Change<'_>> =
                    changes.iter().map(|(key, value)| (&key[..], value.as_deref())).collect();
                append_record(&mut bytes, &batch(sequence, &changes));
                sequence += changes.len() as u64;
                steps_after.push((bytes.len(), usize::try_from(sequence).expect("few") - 1));
            }
            files.push(File { name: format!("{:06}.log", 21 + number - parts.len()), bytes, steps_after });
        }
    }
    files.push(File::new("MANIFEST-000001", log(&[manifest.edit()])));
    files.push(File::new("CURRENT", b"MANIFEST-000001\n".to_vec()));
    files
}

type Model = BTreeMap<(StorageKey, CodeUnits), CodeUnits>;

fn model(steps: &[Step]) -> Model {
    let mut model = Model::new();
    for (storage, key, value) in steps {
        let place =
            (StorageKey::decode(ORIGINS[*storage].as_bytes()).expect("decoded"), CodeUnits::new(key.clone()));
        match value {
            Some(value) => model.insert(place, CodeUnits::new(value.clone())),
            None => model.remove(&place),
        };
    }
    model
}

fn model_of(reading: &parklite::local_storage::item::Reading) -> Model {
    let mut model = Model::new();
    for storage in &reading.storages {
        let key = StorageKey {
            origin: storage.origin.clone().expect("an origin"),
            partition: storage.partition.clone(),
        };
        for item in &storage.items {
            assert!(model.insert((key.clone(), item.key.clone()), item.value.clone()).is_none());
        }
    }
    model
}

fn folder_of(files: &[File]) -> tempfile::TempDir {
    let folder = crate::local_storage::leveldb::truth::folder_in_memory();
    for file in files {
        fs::write(folder.path().join(&file.name), &file.bytes).expect("writing");
    }
    folder
}

impl File {
    fn new(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self { name: name.into(), bytes, steps_after: Vec::new() }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if crate::local_storage::leveldb::truth::is_full() { 5000 } else { 200 }, ..ProptestConfig::default() })]

    #[test]
    fn what_was_stored_last_is_what_is_read(
        steps in steps(), cuts in vec(any::<usize>(), 1..6), packing in 0..6_usize, batch_size in 1..9_usize,
    ) {
        let files = written(&steps, &cuts, packing, batch_size);
        let folder = folder_of(&files);
        let reading = read_leveldb(folder.path(), &Selection::default(), &Interrupt::new()).expect("read");
        prop_assert_eq!(&reading.problems, &vec![]);
        prop_assert_eq!(model_of(&reading), model(&steps));
        let listing = list_leveldb(folder.path(), &Interrupt::new()).expect("read");
        prop_assert_eq!(listing.storages.iter().map(|it| it.item_count).sum::<usize>(), model(&steps).len());
        // Without those that name the files, everything is there as well, and it is told.
        for name in ["CURRENT", "MANIFEST-000001"] {
            fs::remove_file(folder.path().join(name)).expect("removing");
        }
        let reading = read_leveldb(folder.path(), &Selection::default(), &Interrupt::new()).expect("read");
        prop_assert!(!reading.problems.is_empty());
        prop_assert_eq!(model_of(&reading), model(&steps));
    }

    #[test]
    fn a_flipped_bit_in_a_random_store_invents_nothing_and_is_told(
        steps in steps(), cuts in vec(any::<usize>(), 1..6), packing in 0..6_usize, batch_size in 1..9_usize,
        file in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), bit in 0..8_u32, has_manifest in any::<bool>(),
    ) {
        let mut files = written(&steps, &cuts, packing, batch_size);
        if !has_manifest {
            files.truncate(files.len() - 2);
        }
        let file = file.index(files.len());
        let bytes = &mut files[file].bytes;
        prop_assume!(!bytes.is_empty());
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        let folder = folder_of(&files);
        let reading = match read_leveldb(folder.path(), &Selection::default(), &Interrupt::new()) {
            Ok(reading) => reading,
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        let (found, whole) = (model_of(&reading), model(&steps));
        for (place, value) in &found {
            prop_assert_eq!(whole.get(place), Some(value), "{:?}", reading.problems);
        }
        prop_assert!(found.len() == whole.len() || reading.problems.iter().any(|problem| problem.may_lose_items));
    }

    #[test]
    fn a_random_store_of_which_a_file_is_cut_or_gone_yields_no_state_that_never_was(
        steps in steps(), cuts in vec(any::<usize>(), 1..6), packing in 0..6_usize, batch_size in 1..9_usize,
        file in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), is_gone in any::<bool>(),
    ) {
        let mut files = written(&steps, &cuts, packing, batch_size);
        // The last log that has anything ends the history: without its end, the store is an earlier one.
        let last_log = files.iter().rposition(|file| file.steps_after.len() > 1);
        let file = file.index(files.len());
        let length = if is_gone { 0 } else { at.index(files[file].bytes.len() + 1) };
        let is_at_a_boundary = files[file].steps_after.iter().any(|after| after.0 == length);
        let left = files[file].steps_after.iter().rfind(|after| after.0 <= length).map(|after| after.1);
        files[file].bytes.truncate(length);
        let folder = folder_of(&files);
        if is_gone {
            fs::remove_file(folder.path().join(&files[file].name)).expect("removing");
        }
        let reading = read_leveldb(folder.path(), &Selection::default(), &Interrupt::new()).expect("read");
        let found = model_of(&reading);
        let is_told = reading.problems.iter().any(|problem| problem.may_lose_items);
        // A log that is gone was not left so by a crash: nothing older than it counts.
        if let Some(left) = left.filter(|_| last_log == Some(file) && !is_gone) {
            prop_assert_eq!(found, model(&steps[..left]));
            prop_assert!(is_told || is_at_a_boundary);
        } else {
            let whole = model(&steps);
            for (place, value) in &found {
                prop_assert_eq!(whole.get(place), Some(value), "{:?}", reading.problems);
            }
            prop_assert!(is_told || found.len() == whole.len());
        }
    }

    #[test]
    fn bytes_of_chance_in_every_kind_of_file_bring_nothing_down(
        log_bytes in vec(any::<u8>(), 0..200), payload in vec(any::<u8>(), 0..60), edit in vec(0..12_u8, 0..40),
        table_bytes in vec(any::<u8>(), 0..200), blocks in vec(vec(any::<u8>(), 0..60), 3), kind in 0..4_u8,
    ) {
        // Right checksums around bytes of chance: what is behind them must be as careful.
        let mut made = Vec::new();
        let handles: Vec<Vec<u8>> = blocks.iter().map(|block| append_block(&mut made, block, Packing::Plain)).collect();
        let index = block(&handles.iter().enumerate().map(|(number, handle)| {
            (internal_key(&number.to_le_bytes()[..1], 1, true), handle.clone())
        }).collect::<Vec<_>>());
        let index = append_block(&mut made, &index, Packing::Plain);
        let mut footer = [handles[2].clone(), index].concat();
        footer.resize(40, kind);
        footer.extend([0x57, 0xFB, 0x80, 0x8B, 0x24, 0x75, 0x47, 0xDB]);
        made.extend(footer);
        let mut header = vec![1];
        header.extend(prefixed(b"leveldb.BytewiseComparator"));
        header.extend(&edit);
        let folder = folder_of(&[
            File::new("000004.log", [log(&[payload]), log_bytes].concat()),
            File::new("000005.ldb", made),
            File::new("000006.sst", table_bytes),
            File::new("MANIFEST-000001", log(&[header])),
        ]);
        let _ = is_leveldb(folder.path());
        let mut keep_all = |_: &[u8]| true;
        let _ = read(folder.path(), &mut keep_all, &Interrupt::new()).map(|contents| contents.problems.len());
        let _ = read_leveldb(folder.path(), &Selection::default(), &Interrupt::new());
    }

    #[test]
    fn strings_of_any_code_units_come_through_both_encodings(units in vec(any::<u16>(), 0..200)) {
        let expected = CodeUnits::new(units.clone());
        prop_assert_eq!(decode_string(&encoded(&units)).expect("decoded"), expected.clone());
        prop_assert_eq!(decode_string(&utf16(&units)).expect("decoded"), expected);
    }

    #[test]
    fn small_decoders_take_any_bytes(kind in -1..4_i64, bytes in vec(any::<u8>(), 0..100)) {
        let _ = StorageKey::decode(&bytes);
        let _ = decode_string(&bytes);
        if let Ok(unpacked) = unpack_value(kind, &bytes) {
            let _ = decode_string(&unpacked);
        }
    }
}
