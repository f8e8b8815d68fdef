//! The direction of dependencies and the owners of what is dangerous, read from the source text.
//!
//! Every path in code is looked at (`use` or inline), with comments, texts and test modules left out. A rule that
//! is broken names file and line. Exceptions stand in the tables below with their reason.

use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the library from the bottom up; a module may use those of lower ranks and itself.
const RANKS: [&[&str]; 9] = [
    &["error", "progress", "clock", "budget", "varint"],
    &["schema", "run"],
    &["digest", "durable", "http"],
    &["sqlite", "frame"],
    // Some browsers keep their storage in SQLite files.
    &["parquet_file", "local_storage"],
    &["snapshot", "subject"],
    // What verbs share.
    &["matching", "rebuild", "content", "foreign"],
    &["export", "restore", "verify", "verify_database", "inspect", "digests", "diff", "migrate"],
    // The binary alone.
    &["cli"],
];

/// A verb that uses another one's vocabulary: module, used module, reason.
const ALLOWED_EDGES: [(&str, &str, &str); 4] = [
    ("inspect", "export", "both tell the order of a table, and why, in the same words"),
    ("verify_database", "digests", "both name a table with its digest"),
    ("content", "rebuild", "both say in the same words what to do about a damaged snapshot"),
    ("content", "matching", "both name changed bytes in the same words"),
];

/// Crates with one owner: crate, files that may use it.
const OWNERS: [(&str, &[&str]); 17] = [
    ("rusqlite", &["src/sqlite/"]),
    ("parquet", &["src/parquet_file/"]),
    // The queue before the encoders holds frames.
    ("polars", &["src/frame/", "src/export/encoders.rs"]),
    ("polars_arrow", &["src/frame/"]),
    ("polars_parquet", &["src/frame/", "src/parquet_file/independent.rs"]),
    ("clap", &["src/cli/"]),
    ("clap_complete", &["src/cli/"]),
    ("clap_mangen", &["src/cli/"]),
    // The program confines itself; the library never does that to who uses it.
    ("landlock", &["src/cli/confine/"]),
    ("seccompiler", &["src/cli/confine/"]),
    ("indicatif", &["src/cli/"]),
    ("toml", &["src/local_storage/mapping/"]),
    // Of databases of browsers.
    ("crc32c", &["src/local_storage/leveldb/"]),
    ("snap", &["src/local_storage/"]),
    ("ring", &["src/digest.rs"]),
    // What reaches the network.
    ("ureq", &["src/http/"]),
    ("rustls_native_certs", &["src/http/client.rs"]),
];

/// Calls that only some files may make: the call, the files, and what they are about.
const CALLS: [(&str, &[&str], &str); 22] = [
    ("fs::rename", DURABLE, "names appear in durable"),
    ("fs::write", DURABLE, "files appear in durable"),
    ("fs::copy", DURABLE, "files appear in durable"),
    ("fs::hard_link", DURABLE, "names appear in durable"),
    ("fs::create_dir", DURABLE, "folders appear in durable"),
    ("fs::create_dir_all", DURABLE, "folders appear in durable"),
    ("fs::remove_file", SPILLS, "files vanish in durable, and spilled rows with their run"),
    ("fs::remove_dir", DURABLE, "folders vanish in durable"),
    ("fs::remove_dir_all", DURABLE, "folders vanish in durable"),
    ("fs::set_permissions", DURABLE, "permissions change in durable"),
    ("File::create", DURABLE, "files appear in durable"),
    ("File::create_new", DURABLE, "files appear in durable"),
    ("OpenOptions::new", SPILLS, "files appear in durable, and spilled rows in their run"),
    ("DirBuilder::new", DURABLE, "folders appear in durable"),
    ("SystemTime::now", CLOCK, "the time is handed in"),
    ("Timestamp::now", CLOCK, "the time is handed in"),
    ("Zoned::now", CLOCK, "the time is handed in"),
    ("process::exit", CLI, "the core never exits"),
    ("process::abort", CLI, "the core never exits"),
    ("Command::new", CLI, "the core starts no program"),
    ("TcpStream::connect", HTTP, "the network is reached in http"),
    ("UdpSocket::bind", HTTP, "the network is reached in http"),
];
const DURABLE: &[&str] = &["src/durable/"];
/// `spill.rs` owns its scratch files, in a folder that a stage owns.
const SPILLS: &[&str] = &["src/durable/", "src/frame/order/spill.rs"];
const CLOCK: &[&str] = &["src/clock.rs"];
const CLI: &[&str] = &["src/cli/"];
const HTTP: &[&str] = &["src/http/"];

/// Macros that print, which only the command line may do.
const PRINTING: [&str; 5] = ["println", "eprintln", "print", "eprint", "dbg"];

#[test]
fn the_source_keeps_to_its_architecture() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut broken = Vec::new();
    let mut looked_at = 0;
    let mut paths = 0;
    for file in source_files(&root.join("src")) {
        let name = file.strip_prefix(root).expect("below the root").to_string_lossy().replace('\\', "/");
        if is_test_file(&name) {
            continue;
        }
        let text = fs::read_to_string(&file).expect("a source file");
        looked_at += 1;
        paths += paths_of(&tokens(&text)).len();
        broken.extend(violations(&name, &text));
    }
    assert!(looked_at > 50 && paths > 1000, "{looked_at} files with {paths} paths were found");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_module_has_its_rank() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let text = fs::read_to_string(root.join("lib.rs")).expect("the library");
    let declared: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert!(declared.len() > 10);
    for module in declared {
        assert!(rank(module).is_some(), "{module} has no rank");
        assert_ne!(module, "cli", "the command line is no part of the library");
    }
}

/// Made-up files, each of which breaks one rule: what is not found here would not be found in the source either.
#[test]
fn broken_rules_are_found() {
    let broken = [
        ("src/schema.rs", "use crate::digest::ContentDigest;"),
        ("src/durable/stage.rs", "use crate::{error::Error, sqlite::open::Source};"),
        ("src/frame/build.rs", "fn f() { crate::parquet_file::TableReader::open(p) }"),
        ("src/sqlite/open.rs", "use crate::frame::{build};"),
        ("src/snapshot/open.rs", "use crate::export;"),
        ("src/verify.rs", "use crate::restore::restore;"),
        ("src/frame.rs", "use super::sqlite::open;"),
        ("src/frame/order/mod.rs", "use super::super::sqlite::open;"),
        ("src/export/plan.rs", "use crate::\n    cli::text;"),
        ("src/export.rs", "use rusqlite::Connection;"),
        ("src/frame/decode.rs", "use {std::fs, parquet::arrow::ArrowWriter};"),
        ("src/sqlite/rows.rs", "fn f(frame: ::polars::prelude::DataFrame) {}"),
        ("src/progress.rs", "use indicatif::ProgressBar;"),
        ("src/migrate/post.rs", "fn f() { ureq::post(address) }"),
        ("src/restore.rs", "fn f() { std::fs::rename(a, b) }"),
        ("src/restore.rs", "use std::fs::{File, rename};"),
        ("src/restore.rs", "use std::fs::*;"),
        ("src/snapshot/files.rs", "fn f() { let _ = File::create(path); }"),
        ("src/verify.rs", "fn f() { fs::remove_dir_all(path) }"),
        ("src/export.rs", "fn f() { SystemTime::now() }"),
        ("src/cli/run.rs", "fn f() { jiff::Timestamp::now() }"),
        ("src/rebuild.rs", "fn f() { println!(\"x\") }"),
        ("src/main.rs", "fn main() { std::process::exit(1) }"),
        ("src/inspect.rs", "/* a comment */ fn f() { /// text\n eprintln!() }"),
        ("src/inspect.rs", "#[cfg(test)] mod tests { fn f() {} } fn g() { dbg!(1) }"),
        ("src/new_module.rs", "use crate::error::Error;"),
    ];
    for (file, text) in broken {
        assert_eq!(violations(file, text).len(), 1, "{file}: {text}: {:?}", violations(file, text));
    }
}

#[test]
fn what_keeps_to_the_rules_is_not_complained_about() {
    let fine = [
        ("src/export.rs", "use crate::{error::Error, snapshot::{Manifest, TableEntry}}; use std::fs;"),
        ("src/inspect.rs", "use crate::export::describe_order;"),
        ("src/main.rs", "mod cli; fn main() { cli::run() }"),
        ("src/cli/run.rs", "use clap::Parser; use crate::cli::text; use parklite::export::export;"),
        ("src/sqlite/open.rs", "use rusqlite::Connection; fn f() { Instant::now() }"),
        ("src/durable/publish.rs", "fn f() { fs::rename(a, b) }"),
        ("src/snapshot/files.rs", "fn f() { let _ = File::open(path); }"),
        ("src/verify.rs", "// fs::rename(a, b)\nconst A: &str = \"println!() crate::cli \\\" rusqlite::x\";"),
        (
            "src/verify.rs",
            "const A: &str = r#\"a \" fs::rename\"#; const Q: char = '\"'; fn f<'a>(a: &'a str) {}",
        ),
        (
            "src/error.rs",
            "/// [`crate::cli`] /* nested /* */ */\n#[cfg(test)]\nmod tests { use crate::export; fn f() {} }",
        ),
    ];
    for (file, text) in fine {
        assert_eq!(violations(file, text), Vec::<String>::new(), "{text}");
    }
}

fn source_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(source_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Files that belong to test modules alone, by the convention of this crate.
fn is_test_file(name: &str) -> bool {
    name.ends_with("/tests.rs") || name.ends_with("/testing.rs")
}

fn rank(module: &str) -> Option<usize> {
    RANKS.iter().position(|modules| modules.contains(&module))
}

/// The rules that a file breaks, in words.
fn violations(file: &str, text: &str) -> Vec<String> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    for (line, path) in paths_of(&tokens) {
        let path = from_the_root(file, path);
        found.extend(
            broken_rule(file, &path).map(|rule| format!("{file}:{line}: {}: {rule}", path.join("::"))),
        );
    }
    for pair in tokens.windows(2) {
        let prints = PRINTING.contains(&pair[0].1.as_str()) && pair[1].1 == "!";
        if prints && !file.starts_with("src/cli/") {
            found.push(format!("{file}:{}: {}!: the core never prints", pair[0].0, pair[0].1));
        }
    }
    found
}

/// Writes a path that climbs out of the file's own top module as one from the root.
fn from_the_root(file: &str, path: Vec<String>) -> Vec<String> {
    let inside = file.strip_prefix("src/").unwrap_or(file);
    let depth = inside.strip_suffix("/mod.rs").unwrap_or(inside).split('/').count();
    let climbs = path.iter().take_while(|part| *part == "super").count();
    if climbs < depth {
        return path;
    }
    std::iter::once("crate".to_string()).chain(path.into_iter().skip(climbs)).collect()
}

fn broken_rule(file: &str, path: &[String]) -> Option<String> {
    let module = file.strip_prefix("src/").unwrap_or(file);
    let module = module.split(['/', '.']).next().unwrap_or_default();
    let may = |files: &[&str]| files.iter().any(|prefix| file.starts_with(prefix));
    if let [root, used, ..] = path
        && root == "crate"
        && !matches!(module, "lib" | "main")
    {
        let Some(own_rank) = rank(module) else { return Some("this module has no rank".into()) };
        let is_allowed = module == used
            || rank(used).is_some_and(|used_rank| used_rank < own_rank)
            || ALLOWED_EDGES.iter().any(|&(from, to, _)| from == module && to == used);
        if !is_allowed {
            return Some(format!("{module} must not depend on {used}"));
        }
    }
    for (owned, owners) in OWNERS {
        if path.len() > 1 && path[0] == owned && !may(owners) {
            return Some(format!("only {} may use {owned}", owners.join(" and ")));
        }
    }
    for (call, files, reason) in CALLS {
        let (parent, function) = call.split_once("::").expect("two parts");
        let is_it = path
            .windows(2)
            .any(|pair| pair[0] == parent && (pair[1] == function || (pair[1] == "*" && parent == "fs")));
        if is_it && !may(files) {
            return Some(reason.to_string());
        }
    }
    None
}

/// A word or a sign, and its line.
type Token = (usize, String);

/// Splits code into words and signs, without comments, texts, characters, lifetimes and test modules.
fn tokens(text: &str) -> Vec<Token> {
    let characters: Vec<char> = text.chars().collect();
    let at = |index: usize| characters.get(index).copied().unwrap_or('\0');
    let mut found: Vec<Token> = Vec::new();
    let (mut index, mut line) = (0, 1);
    while index < characters.len() {
        let begin = index;
        let character = at(index);
        if character == '/' && at(index + 1) == '/' {
            while index < characters.len() && at(index) != '\n' {
                index += 1;
            }
        } else if character == '/' && at(index + 1) == '*' {
            index = after_block_comment(&characters, index);
        } else if let Some(after) = after_raw_text(&characters, index) {
            index = after;
        } else if character == '"' {
            index = after_text(&characters, index);
        } else if character == '\'' {
            // A character, else a lifetime, whose name does no harm as a word.
            let is_character = at(index + 1) == '\\' || at(index + 2) == '\'';
            index += 1;
            if is_character {
                index += 1 + usize::from(at(index) == '\\');
                while index < characters.len() && at(index) != '\'' {
                    index += 1;
                }
                index += 1;
            }
        } else if character.is_alphanumeric() || character == '_' {
            while at(index).is_alphanumeric() || at(index) == '_' {
                index += 1;
            }
            found.push((line, characters[begin..index].iter().collect()));
        } else if character == ':' && at(index + 1) == ':' {
            index += 2;
            found.push((line, "::".to_string()));
        } else {
            index += 1;
            if !character.is_whitespace() {
                found.push((line, character.to_string()));
            }
        }
        line +=
            characters[begin..index.min(characters.len())].iter().filter(|&&passed| passed == '\n').count();
    }
    without_tests(&found)
}

fn after_block_comment(characters: &[char], mut index: usize) -> usize {
    let mut depth = 0;
    while index < characters.len() {
        match characters[index..] {
            ['/', '*', ..] => (depth, index) = (depth + 1, index + 2),
            ['*', '/', ..] => (depth, index) = (depth - 1, index + 2),
            _ => index += 1,
        }
        if depth == 0 {
            break;
        }
    }
    index
}

/// Where a raw text that begins here ends; `None` if none does.
fn after_raw_text(characters: &[char], begin: usize) -> Option<usize> {
    let follows_word = begin > 0 && (characters[begin - 1].is_alphanumeric() || characters[begin - 1] == '_');
    let mut index = begin + usize::from(characters[begin] == 'b');
    if follows_word || characters.get(index) != Some(&'r') {
        return None;
    }
    index += 1;
    let hashes = characters[index..].iter().take_while(|&&character| character == '#').count();
    index += hashes;
    if characters.get(index) != Some(&'"') {
        return None;
    }
    let mut end = vec!['"'];
    end.extend(std::iter::repeat_n('#', hashes));
    let length = characters[index + 1..].windows(end.len()).position(|window| window == end)?;
    Some(index + 1 + length + end.len())
}

fn after_text(characters: &[char], mut index: usize) -> usize {
    index += 1;
    while index < characters.len() && characters[index] != '"' {
        index += 1 + usize::from(characters[index] == '\\');
    }
    index + 1
}

/// Leaves out what follows `#[cfg(test)]`: one item, up to its semicolon or the end of its braces.
fn without_tests(tokens: &[Token]) -> Vec<Token> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        let is_mark = tokens[index..].iter().map(|(_, text)| text.as_str()).take(MARK.len()).eq(MARK);
        if !is_mark {
            kept.push(tokens[index].clone());
            index += 1;
            continue;
        }
        let mut depth = 0;
        while let Some((_, text)) = tokens.get(index) {
            index += 1;
            match text.as_str() {
                "{" => depth += 1,
                "}" if depth == 1 => break,
                "}" => depth -= 1,
                ";" if depth == 0 => break,
                _ => {}
            }
        }
    }
    kept
}

/// Every path of at least two parts, with the line of its first one; the trees of `use` are spread out.
fn paths_of(tokens: &[Token]) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        let is_use = tokens[index].1 == "use";
        index += usize::from(is_use);
        let mut read = Vec::new();
        let after = read_path(tokens, index, &[], is_use, &mut read);
        found.extend(read.into_iter().filter(|(_, path)| is_use || path.len() > 1));
        index = after.max(index + 1);
    }
    found
}

/// Reads one path that begins at `index`, below `prefix`; returns where it ends.
fn read_path(
    tokens: &[Token],
    mut index: usize,
    prefix: &[String],
    is_use: bool,
    found: &mut Vec<(usize, Vec<String>)>,
) -> usize {
    let mut path = prefix.to_vec();
    let line = tokens.get(index).map_or(0, |(line, _)| *line);
    let text = |index: usize| tokens.get(index).map_or("", |(_, text)| text.as_str());
    index += usize::from(text(index) == "::");
    loop {
        if is_use && text(index) == "{" {
            index += 1;
            while !matches!(text(index), "}" | "") {
                index = read_path(tokens, index, &path, true, found).max(index + 1);
                index += usize::from(text(index) == ",");
            }
            return index + 1;
        }
        let word = text(index);
        let is_word = word.starts_with(|first: char| first.is_alphanumeric() || first == '_');
        if !(is_word || is_use && word == "*") {
            return index;
        }
        path.push(word.to_string());
        index += 1;
        if text(index) != "::" {
            break;
        }
        index += 1;
    }
    found.push((line, path));
    // The new name of what is used.
    index + if is_use && text(index) == "as" { 2 } else { 0 }
}
