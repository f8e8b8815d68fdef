use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;
use crate::durable::clear_leftovers;
use crate::durable::leftovers::DISPLACED;
use crate::durable::placement::Try;

/// A folder to publish into, with a stage in it.
struct Workshop {
    stage: Stage,
    folder: TempDir,
}

impl Workshop {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { stage: Stage::create(folder.path()).expect("made"), folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn old_file(&self, name: &str) -> PathBuf {
        fs::write(self.at(name), b"old").expect("written");
        self.at(name)
    }

    /// A folder holding the given files and, where they end in a slash, folders.
    fn old_folder(&self, name: &str, entries: &[&str]) -> PathBuf {
        fs::create_dir(self.at(name)).expect("made");
        for entry in entries {
            let path = self.at(name).join(entry);
            if entry.ends_with('/') { fs::create_dir(path) } else { fs::write(path, b"old") }
                .expect("written");
        }
        self.at(name)
    }

    fn stage_both(&self) {
        self.stage.write_file("file", b"new").expect("staged");
        self.stage.create_folder("folder").expect("staged");
        self.stage.write_file("folder/manifest.json", b"new").expect("staged");
    }

    fn publish(&self, form: TargetForm, target: &Path, existing: Existing) -> Result<()> {
        match form {
            TargetForm::File => publish_file(&self.stage, "file", target, existing),
            TargetForm::Directory => publish_directory(&self.stage, "folder", target, existing),
        }
    }

    fn placement<'a>(
        &'a self,
        form: TargetForm,
        target: &Path,
        sync_parent: &'a dyn Fn() -> Result<()>,
    ) -> Placement<'a> {
        let name = if form == TargetForm::File { "file" } else { "folder" };
        let staged = self.stage.path_of(name).expect("inside");
        Placement { stage: &self.stage, staged, target: target.to_path_buf(), form, sync_parent }
    }

    /// What is left in the folder once the stage is gone.
    fn names_after(self) -> Vec<String> {
        drop(self.stage);
        let mut names: Vec<_> = fs::read_dir(self.folder.path())
            .expect("listed")
            .map(|entry| entry.expect("listed").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

const FORMS: [TargetForm; 2] = [TargetForm::File, TargetForm::Directory];

/// What the file says, or the manifest of the folder.
fn content(path: &Path) -> String {
    let path = if path.is_dir() { path.join(MANIFEST_NAME) } else { path.to_path_buf() };
    fs::read_to_string(path).expect("readable")
}

fn broken_disk() -> Result<()> {
    Err(Error::new(ErrorKind::Failed, "the disk is broken"))
}

#[test]
fn a_free_name_is_taken_whole() {
    for form in FORMS {
        for existing in [Existing::Refuse, Existing::Replace] {
            let workshop = Workshop::new();
            workshop.stage_both();
            workshop.publish(form, &workshop.at("target"), existing).expect("published");
            assert_eq!(content(&workshop.at("target")), "new");
            assert_eq!(workshop.names_after(), ["target"]);
        }
    }
}

#[test]
fn whatever_exists_is_refused_and_left_alone() {
    for form in FORMS {
        let workshop = Workshop::new();
        workshop.stage_both();
        workshop.old_file("file");
        workshop.old_folder("empty", &[]);
        workshop.old_folder("snapshot", &["manifest.json"]);
        for name in ["file", "empty", "snapshot"] {
            let target = workshop.at(name);
            let error = workshop.publish(form, &target, Existing::Refuse).expect_err(name);
            assert_eq!(error.kind(), ErrorKind::Exists, "{name}");
            assert_eq!(
                check_target(&target, form, Existing::Refuse).expect_err(name).kind(),
                ErrorKind::Exists
            );
        }
        assert_eq!(content(&workshop.at("file")), "old");
        assert_eq!(content(&workshop.at("snapshot")), "old");
        workshop
            .publish(form, &workshop.at("free"), Existing::Refuse)
            .expect("what was refused is still staged");
    }
}

#[cfg(unix)]
#[test]
fn a_link_exists_even_if_it_dangles_and_is_replaced_itself() {
    for form in FORMS {
        for leads_to in ["real", "nowhere"] {
            let workshop = Workshop::new();
            workshop.stage_both();
            workshop.old_folder("real", &["manifest.json"]);
            let link = workshop.at("link");
            std::os::unix::fs::symlink(leads_to, &link).expect("linked");
            for target in [link.clone(), link.join("")] {
                let error = workshop.publish(form, &target, Existing::Refuse).expect_err("a link");
                assert_eq!(error.kind(), ErrorKind::Exists);
            }
            assert!(link.is_symlink());
            workshop.publish(form, &link.join(""), Existing::Replace).expect("replaced");
            assert!(!link.is_symlink());
            assert_eq!(content(&link), "new");
            assert_eq!(content(&workshop.at("real")), "old");
            assert!(!workshop.at("nowhere").exists());
        }
    }
}

#[test]
fn replacing_swaps_and_the_old_one_is_gone() {
    let workshop = Workshop::new();
    workshop.stage_both();
    let (file, snapshot) =
        (workshop.old_file("file"), workshop.old_folder("snapshot", &["manifest.json", "a"]));
    workshop.publish(TargetForm::File, &file, Existing::Replace).expect("replaced");
    workshop.publish(TargetForm::Directory, &snapshot, Existing::Replace).expect("replaced");
    assert_eq!((content(&file), content(&snapshot)), ("new".to_owned(), "new".to_owned()));
    assert!(!snapshot.join("a").exists());
    assert!(!workshop.stage.path().join("file").exists() && !workshop.stage.path().join("folder").exists());
    assert_eq!(workshop.names_after(), ["file", "snapshot"]);
}

#[test]
fn an_empty_folder_makes_way_for_a_snapshot() {
    let workshop = Workshop::new();
    workshop.stage_both();
    let empty = workshop.old_folder("empty", &[]);
    workshop.publish(TargetForm::Directory, &empty, Existing::Replace).expect("replaced");
    assert_eq!(content(&empty), "new");
}

#[test]
fn what_makes_no_sense_to_replace_is_refused_even_when_asked() {
    let workshop = Workshop::new();
    workshop.stage_both();
    let file = workshop.old_file("file");
    let cases = [
        (TargetForm::Directory, workshop.old_folder("photos", &["a.jpg"])),
        (TargetForm::Directory, workshop.old_folder("project", &["manifest.json", "src/"])),
        (TargetForm::Directory, workshop.old_folder("odd", &["manifest.json/"])),
        (TargetForm::Directory, file),
        (TargetForm::File, workshop.old_folder("snapshot", &["manifest.json"])),
        (TargetForm::File, workshop.old_folder("empty", &[])),
    ];
    for (form, target) in &cases {
        let error = workshop.publish(*form, target, Existing::Replace).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Exists, "{}", target.display());
        assert!(error.message().starts_with("the target exists and is a f"), "{error}");
    }
    assert_eq!(content(&workshop.at("file")), "old");
    assert!(workshop.at("photos/a.jpg").exists() && workshop.at("project/src").exists());
}

#[cfg(unix)]
#[test]
fn a_socket_is_never_replaced() {
    for form in FORMS {
        let workshop = Workshop::new();
        workshop.stage_both();
        let socket = workshop.at("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("bound");
        let error = workshop.publish(form, &socket, Existing::Replace).expect_err("refused");
        assert_eq!(error.message(), "the target exists and is a socket");
        assert!(socket.exists());
    }
}

#[test]
fn of_many_runs_at_once_one_gets_the_name() {
    for form in FORMS {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let target = folder.path().join("target");
        let run = |number: usize| {
            let stage = Stage::create(folder.path()).expect("made");
            let text = number.to_string();
            let published = if form == TargetForm::File {
                stage.write_file("x", text.as_bytes()).expect("staged");
                publish_file(&stage, "x", &target, Existing::Refuse)
            } else {
                stage.create_folder("x").expect("staged");
                stage.write_file("x/manifest.json", text.as_bytes()).expect("staged");
                publish_directory(&stage, "x", &target, Existing::Refuse)
            };
            match published {
                Ok(()) => Some(text),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Exists);
                    None
                }
            }
        };
        let winners: Vec<_> = std::thread::scope(|scope| {
            let runs: Vec<_> = (0..8).map(|number| scope.spawn(move || run(number))).collect();
            runs.into_iter().filter_map(|run| run.join().expect("no panic")).collect()
        });
        assert_eq!(winners, [content(&target)]);
    }
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
#[test]
fn a_target_always_exists_while_many_runs_replace_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let target = folder.path().join("target");
    let replace = |text: &str| {
        let stage = Stage::create(folder.path()).expect("made");
        stage.create_folder("x").expect("staged");
        stage.write_file("x/manifest.json", text.as_bytes()).expect("staged");
        publish_directory(&stage, "x", &target, Existing::Replace)
    };
    replace("0").expect("published");
    let running = std::sync::atomic::AtomicUsize::new(3);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for number in 0..20 {
                    replace(&number.to_string()).expect("replaced");
                }
                running.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
            });
        }
        while running.load(std::sync::atomic::Ordering::Relaxed) > 0 {
            assert!(fs::symlink_metadata(&target).is_ok());
        }
    });
    assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1);
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
#[test]
fn a_disk_that_does_not_confirm_leaves_the_old_state() {
    for form in FORMS {
        let workshop = Workshop::new();
        workshop.stage_both();
        let old = match form {
            TargetForm::File => workshop.old_file("old"),
            TargetForm::Directory => workshop.old_folder("old", &["manifest.json"]),
        };
        for (target, existing) in [(workshop.at("free"), Existing::Refuse), (old.clone(), Existing::Replace)]
        {
            let placement = workshop.placement(form, &target, &broken_disk);
            let error = placement.place(existing).expect_err("not confirmed");
            assert_eq!(error.message(), "the disk is broken");
        }
        assert_eq!(content(&old), "old");
        assert_eq!(workshop.names_after(), ["old"]);
    }
}

#[test]
fn a_failed_sync_spoils_the_stage_for_good() {
    let workshop = Workshop::new();
    workshop.stage_both();
    let snapshot = workshop.old_folder("snapshot", &["manifest.json"]);
    workshop.stage.sync(&workshop.stage.path().join("not there")).expect_err("nothing to sync");
    let error = workshop.publish(TargetForm::Directory, &snapshot, Existing::Replace).expect_err("spoilt");
    assert_eq!(error.kind(), ErrorKind::Failed);
    assert_eq!(content(&snapshot), "old");
}

#[test]
fn what_was_not_staged_is_not_published() {
    let workshop = Workshop::new();
    workshop.stage_both();
    publish_file(&workshop.stage, "folder", &workshop.at("a"), Existing::Refuse).expect_err("a folder");
    publish_directory(&workshop.stage, "file", &workshop.at("a"), Existing::Refuse).expect_err("a file");
    publish_file(&workshop.stage, "none", &workshop.at("a"), Existing::Refuse).expect_err("missing");
    publish_file(&workshop.stage, "../old", &workshop.at("a"), Existing::Refuse).expect_err("outside");
    assert!(workshop.names_after().is_empty());
}

#[test]
fn without_exchange_a_file_and_a_folder_are_replaced_too() {
    for form in FORMS {
        let workshop = Workshop::new();
        workshop.stage_both();
        let old = match form {
            TargetForm::File => workshop.old_file("old"),
            TargetForm::Directory => workshop.old_folder("old", &["manifest.json", "a"]),
        };
        let placement = workshop.placement(form, &old, &|| Ok(()));
        assert_eq!(placement.without_exchange().expect("replaced"), Try::Done);
        assert_eq!(content(&old), "new");
        assert_eq!(workshop.names_after(), ["old"]);
    }
}

#[test]
fn without_exchange_a_folder_is_put_back_when_the_new_one_cannot_take_its_place() {
    let workshop = Workshop::new();
    workshop.stage_both();
    let old = workshop.old_folder("old", &["manifest.json"]);
    let mut placement = workshop.placement(TargetForm::Directory, &old, &|| Ok(()));
    placement.staged = workshop.stage.path().join("vanished");
    placement.without_exchange().expect_err("nothing to put there");
    assert_eq!(content(&old), "old");

    let placement = workshop.placement(TargetForm::Directory, &old, &broken_disk);
    placement.without_exchange().expect_err("not confirmed");
    assert_eq!(content(&old), "old");
    assert_eq!(workshop.names_after(), ["old"]);
}

#[test]
fn without_exchange_a_folder_that_is_no_snapshot_is_put_back() {
    let workshop = Workshop::new();
    workshop.stage_both();
    let old = workshop.old_folder("old", &["manifest.json", "src/"]);
    let placement = workshop.placement(TargetForm::Directory, &old, &|| Ok(()));
    assert_eq!(placement.without_exchange().expect_err("refused").kind(), ErrorKind::Exists);
    assert_eq!(content(&old), "old");
}

#[test]
fn an_old_folder_that_could_not_be_put_back_outlives_the_stage() {
    let workshop = Workshop::new();
    workshop.stage.create_folder(DISPLACED).expect("made");
    workshop.stage.create_folder(Path::new(DISPLACED).join("old")).expect("made");
    workshop.stage.write_file(Path::new(DISPLACED).join("old/manifest.json"), b"old").expect("written");
    workshop.stage.keep_displaced_target();
    let Workshop { stage, folder } = workshop;
    drop(stage);
    assert_eq!(clear_leftovers(folder.path()).expect("cleared").len(), 1);
    assert_eq!(content(&folder.path().join("old")), "old");
}

#[test]
fn publishing_over_needs_a_regular_file_and_replaces_it_at_once() {
    let workshop = Workshop::new();
    workshop.stage_both();
    let old = workshop.old_file("app.db");
    crate::durable::keep_aside(&old, &workshop.at("app.db.old")).expect("kept");
    publish_over(&workshop.stage, "file", &workshop.at("none")).expect_err("missing");
    publish_over(&workshop.stage, "file", workshop.folder.path()).expect_err("a folder");
    publish_over(&workshop.stage, "file", &old).expect("replaced");
    assert_eq!(content(&old), "new");
    assert_eq!(content(&workshop.at("app.db.old")), "old");
    assert_eq!(workshop.names_after(), ["app.db", "app.db.old"]);
}
