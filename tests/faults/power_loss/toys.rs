//! Small programs that do it wrong, and one that does it right: the checker tells them apart.

use std::fs;
use std::process::{Command, Stdio};

use super::Recording;
use crate::strace::has_strace;
use crate::support::quick_folder;

/// What a shell script does to `target`, as the checker sees it.
fn violations_of_script(script: &str) -> Vec<String> {
    let folder = quick_folder();
    fs::write(folder.path().join("target"), vec![b'o'; 3000]).expect("written");
    fs::write(folder.path().join("source"), vec![b'n'; 5000]).expect("written");
    let mut command = Command::new("sh");
    command.args(["-c", &format!("set -e; {script}")]).current_dir(folder.path()).stdin(Stdio::null());
    let recording = Recording::of(&command, folder.path(), &[]);
    recording.violations_of_bytes("target", 20)
}

const COPY: &str = "dd if=source of=new bs=700 status=none";
const COPY_AND_SYNC: &str = "dd if=source of=new bs=700 conv=fsync status=none";
const SYNC_FOLDER: &str = "sync .";

#[test]
fn a_program_that_syncs_file_and_folder_passes() {
    if has_strace() {
        let found = violations_of_script(&format!("{COPY_AND_SYNC}; mv new target; {SYNC_FOLDER}"));
        assert_eq!(found, Vec::<String>::new());
    }
}

#[test]
fn a_missing_sync_of_the_file_is_seen() {
    if has_strace() {
        let found = violations_of_script(&format!("{COPY}; mv new target; {SYNC_FOLDER}"));
        assert!(found.iter().any(|violation| !violation.contains("success reported")), "{found:?}");
    }
}

#[test]
fn a_missing_sync_of_the_folder_is_seen_once_success_was_reported() {
    if has_strace() {
        let found = violations_of_script(&format!("{COPY_AND_SYNC}; mv new target"));
        assert!(!found.is_empty());
        assert!(found.iter().all(|violation| violation.contains("success reported")), "{found:?}");
    }
}

#[test]
fn syncs_that_come_too_late_are_seen() {
    if has_strace() {
        let found = violations_of_script(&format!("{COPY}; mv new target; sync target; {SYNC_FOLDER}"));
        assert!(!found.is_empty());
        assert!(!found.iter().any(|violation| violation.contains("success reported")), "{found:?}");
    }
}

#[test]
fn a_file_that_is_changed_in_place_is_seen_however_it_is_synced() {
    if has_strace() {
        let overwrite = "dd if=source of=target bs=700 conv=notrunc,fsync status=none";
        assert!(!violations_of_script(&format!("{overwrite}; {SYNC_FOLDER}")).is_empty());
        let append = "dd if=source of=target bs=700 seek=10 conv=fsync status=none";
        assert!(!violations_of_script(&format!("{append}; {SYNC_FOLDER}")).is_empty());
    }
}

#[test]
fn a_target_that_is_away_for_a_moment_is_seen() {
    if has_strace() {
        let script = format!("{COPY_AND_SYNC}; rm target; {SYNC_FOLDER}; mv new target; {SYNC_FOLDER}");
        assert!(!violations_of_script(&script).is_empty());
    }
}
