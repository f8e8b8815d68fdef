//! Hundreds of damages, each met by the program itself. The library is put through all of them in `suite`.

use std::ops::Range;

use serde_json::Value;

use crate::place::Place;

/// How many damages each test does.
const DAMAGES: usize = 150;

/// Does `which` of several things to `bytes` at one place; whatever it is changes something.
fn damaged(bytes: &[u8], at: usize, which: usize) -> Vec<u8> {
    let mut damaged = bytes.to_vec();
    match which % 5 {
        0 => damaged[at] = if damaged[at] == 0 { 255 } else { 0 },
        1 => damaged.truncate(at),
        2 => {
            let end = bytes.len().min(at + 512);
            damaged[at..end].iter_mut().for_each(|byte| *byte = !*byte);
        }
        _ => damaged[at] ^= 1 << (which % 8),
    }
    damaged
}

/// Where the column chunks of the file `name` lie, by what the manifest records.
fn chunks(manifest: &Value, name: &str) -> Option<Range<usize>> {
    const TAG_END: usize = 12;
    let tables = manifest["tables"].as_array().expect("tables").iter();
    let mut files = tables.flat_map(|table| table["files"].as_array().into_iter().flatten());
    let file = files.find(|file| file["path"] == name)?;
    let groups = file["row_groups"].as_array().expect("row groups").iter();
    let sizes = groups.flat_map(|group| group["chunk_bytes"].as_array().expect("sizes"));
    let size: u64 = sizes.map(|size| size.as_u64().expect("a size")).sum();
    Some(TAG_END..TAG_END + usize::try_from(size).expect("small"))
}

#[test]
fn hundreds_of_damages_to_a_folder_end_with_4_or_13_and_name_the_place() {
    let place = Place::with_snapshot();
    let manifest = place.manifest("snap");
    let names: Vec<String> = {
        let listed = std::fs::read_dir(place.path("snap")).expect("listed");
        let mut names: Vec<_> =
            listed.map(|it| it.expect("listed").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    let whole: Vec<Vec<u8>> = names.iter().map(|name| place.read(format!("snap/{name}"))).collect();
    let bytes: usize = whole.iter().map(Vec::len).sum();
    let (mut refused, mut in_chunks) = (0, 0);
    for which in 0..DAMAGES {
        let mut at = which * bytes / DAMAGES;
        let number = whole.iter().position(|file| {
            let is_here = at < file.len();
            at -= if is_here { 0 } else { file.len() };
            is_here
        });
        let number = number.expect("a byte of the snapshot");
        let (name, path) = (&names[number], format!("snap/{}", names[number]));
        place.write(&path, damaged(&whole[number], at, which));
        let level = ["--data", "", "--quick"][which % 3];
        let ran = place.run(&format!("verify snap --json {level}"));
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        if name == "manifest.json" {
            let document = ran.exits(13).changes_nothing().document();
            assert_eq!(document["error"]["kind"], "damaged", "{document}");
            refused += 1;
        } else {
            let document = ran.exits(4).changes_nothing().document();
            let files = document["files"].as_array().expect("findings");
            assert!(matches!(files.as_slice(), [one] if one["file"] == **name), "{name} {at}: {document}");
            let data = document["data"].as_array().expect("findings");
            let is_data_file = chunks(&manifest, name);
            assert_eq!(!data.is_empty(), is_data_file.is_some(), "{name} {at}: {document}");
            assert!(data.iter().all(|finding| finding["file"] == **name), "{name} {at}: {document}");
            if is_data_file.is_some_and(|chunks| chunks.contains(&at)) {
                let is_named = |finding: &Value| finding["row_group"] == 0 && finding["column"].is_string();
                assert!(data.iter().any(is_named), "{name} {at}: {document}");
                in_chunks += 1;
            }
        }
        place.write(&path, &whole[number]);
    }
    assert!(refused > DAMAGES / 20 && in_chunks > DAMAGES / 20, "{refused} refused, {in_chunks} in chunks");
    place.run("verify snap --data").exits(0);
}

#[test]
fn hundreds_of_damages_to_a_single_file_end_with_4_or_13() {
    let place = Place::with_gymlog();
    place.run("export gymlog.db -t sets -o sets.parquet").exits(0);
    let whole = place.read("sets.parquet");
    let mut codes = [0, 0];
    for which in 0..DAMAGES {
        let changed = damaged(&whole, which * whole.len() / DAMAGES, which);
        place.write("sets.parquet", changed);
        let ran = place.run(&format!("verify sets.parquet {}", ["--data", "", "--quick"][which % 3]));
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        if ran.changes_nothing().code() == Some(4) {
            ran.prints("sets.parquet (table sets): the file ").prints("table \"sets\", file sets.parquet");
            codes[0] += 1;
        } else {
            ran.fails(13, "sets.parquet");
            codes[1] += 1;
        }
    }
    assert!(codes.iter().all(|count| *count > DAMAGES / 10), "{codes:?}");
    place.write("sets.parquet", &whole);
    place.run("verify sets.parquet --data").exits(0);
}

#[test]
fn damage_is_told_with_row_group_and_column() {
    let place = Place::with_snapshot();
    let chunks = chunks(&place.manifest("snap"), "events.parquet").expect("a data file");
    let mut bytes = place.read("snap/events.parquet");
    bytes[chunks.start + 3] ^= 1;
    place.write("snap/events.parquet", bytes);
    let line = "table \"events\", file events.parquet, row group 0, column \"rowid\": the bytes of the column chunk are not";
    for level in ["--quick", "--data", ""] {
        let ran = place.run(&format!("verify snap {level}"));
        ran.exits(4).prints(line).prints("snap: DAMAGED, 2 findings");
    }
}

#[test]
fn a_file_too_many_is_told_as_just_that() {
    let place = Place::with_snapshot();
    place.write("snap/.DS_Store", "Finder was here");
    for level in ["--quick", "--data", ""] {
        let ran = place.run(&format!("verify snap {level}"));
        ran.exits(4).prints(".DS_Store: this file is no part of the snapshot\n");
        ran.prints("snap: 1 file too many; what belongs to the snapshot is intact").does_not_print("DAMAGED");
        let document = place.run(&format!("verify snap --json {level}")).exits(4).document();
        assert_eq!(document["files"][0]["problem"], "surplus", "{document}");
    }
    // Beside real damage it is one finding of several.
    std::fs::remove_file(place.path("snap/views.sql")).expect("removed");
    place.run("verify snap").exits(4).prints("views.sql: the file is missing").prints("DAMAGED, 2 findings");
}
