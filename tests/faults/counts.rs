//! Reads and writes that take fewer bytes than they were given, and calls that are interrupted: nothing comes out
//! otherwise.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{ending, is_full_run, quick_folder, run, say, tree};
use crate::worlds::{Job, World};

/// The library that is put before the C library; `None` where it cannot be made or loaded.
fn library(folder: &Path) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/short_counts.c");
    let library = folder.join("short_counts.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).arg("-ldl");
    let made = compiler.output().is_ok_and(|output| output.status.success());
    if !made {
        say("skipped: there is no C compiler here that makes a library, so reads and writes are never short");
    }
    made.then_some(library)
}

/// What a job leaves, without what tells the time.
fn outcome(folder: &Path, job: Job) -> Vec<(PathBuf, Vec<u8>)> {
    let of_target = |path: &Path| path.starts_with(job.target());
    let is_timed = |path: &Path| ["manifest.json", "SHA256SUMS"].iter().any(|name| path.ends_with(name));
    let files = tree(folder).into_iter().filter_map(|(path, bytes)| Some((path, bytes?)));
    files.filter(|(path, _)| of_target(path) && !is_timed(path)).collect()
}

#[test]
fn short_and_interrupted_reads_and_writes_change_nothing() {
    let tools = quick_folder();
    let Some(library) = library(tools.path()) else { return };
    let most: &[u32] = if is_full_run() { &[1, 7, 64, 511, 512, 4095] } else { &[7, 511] };
    for job in [
        Job::ExportFolder,
        Job::ExportCopy,
        Job::Restore,
        Job::RestoreOverWal,
        Job::RestoreOverHotJournal,
        Job::Verify,
    ] {
        let world = World::new(job);
        let usual = world.enter();
        let ended = run(&mut usual.command());
        assert!(ended.status.success(), "{job:?}: {}", ending(&ended));
        let expected = outcome(usual.path(), job);
        assert!(!expected.is_empty());
        for most in most {
            let visit = world.enter();
            let mut command = visit.command();
            command.env("LD_PRELOAD", &library).env("PARKLITE_TEST_MOST_BYTES", most.to_string());
            let ended = run(&mut command);
            assert!(ended.status.success(), "{job:?} at most {most} bytes: {}", ending(&ended));
            assert!(outcome(visit.path(), job) == expected, "{job:?} at most {most} bytes");
            visit
                .examine(false)
                .unwrap_or_else(|violation| panic!("{job:?} at most {most} bytes: {violation}"));
        }
    }
}

/// That the library does what it shall do.
#[test]
fn short_writes_are_short_and_calls_are_interrupted() {
    const PROGRAM: &str = r#"
        #include <stdio.h>
        #include <fcntl.h>
        #include <unistd.h>
        int main(void) {
            int file = open("written", O_WRONLY | O_CREAT, 0600);
            printf("%zd", write(file, "0123456789", 10));
            printf(" %zd", write(file, "0123456789", 10));
            return 0;
        }"#;
    let tools = quick_folder();
    let Some(library) = library(tools.path()) else { return };
    let program = tools.path().join("program");
    fs::write(program.with_extension("c"), PROGRAM).expect("written");
    let made = Command::new("cc").arg("-o").arg(&program).arg(program.with_extension("c")).output();
    assert!(made.is_ok_and(|made| made.status.success()));
    let mut command = Command::new(program);
    command.current_dir(tools.path());
    command.env("LD_PRELOAD", &library).env("PARKLITE_TEST_MOST_BYTES", "4");
    assert_eq!(String::from_utf8_lossy(&run(&mut command).stdout), "4 -1");
}
