//! What a confined process can do and what it cannot, tried in a process of the test program itself.
//!
//! Every attempt is made twice: by a process that is confined, and by one that is not, so that an attempt which could
//! never succeed proves nothing.

#![expect(clippy::print_stdout, reason = "the process that was started tells the test how its attempts went")]

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use rustix::fs::{CWD, FileType, Mode, XattrFlags, mknodat, setxattr};
use rustix::process::{Resource, Rlimit, getppid, setrlimit, test_kill_process};

use super::*;

const TEST: &str = "cli::confine::linux::tests::a_confined_process_reaches_its_files_and_nothing_else";

/// The variables by which a process of this test knows what to do.
const FOLDER: &str = "PARKLITE_TEST_FOLDER";
const CONFINED: &str = "PARKLITE_TEST_CONFINED";

/// What forbids an attempt; `None` where it is part of honest work.
type Forbidden = Option<Mechanism>;

type Attempt = (&'static str, Forbidden, fn(&Path) -> io::Result<()>);

const LANDLOCK: Forbidden = Some(Mechanism::Landlock);
const SECCOMP: Forbidden = Some(Mechanism::Seccomp);
const ADDRESS_SPACE: Forbidden = Some(Mechanism::AddressSpace);

const ATTEMPTS: [Attempt; 32] = [
    ("read the subject", None, |at| File::open(at.join("snap/a")).map(drop)),
    ("list the subject", None, |at| fs::read_dir(at.join("snap")).map(drop)),
    ("make a file where it belongs", None, |at| File::create(at.join("out/a")).map(drop)),
    ("make a folder where it belongs", None, |at| fs::create_dir(at.join("out/stage"))),
    ("move a file into it", None, |at| fs::rename(at.join("out/a"), at.join("out/stage/a"))),
    ("link a file out of it", None, |at| fs::hard_link(at.join("out/stage/a"), at.join("out/b"))),
    ("change its mode", None, |at| File::open(at.join("out/b"))?.set_permissions(mode(0o600))),
    ("sync it", None, |at| File::open(at.join("out"))?.sync_all()),
    ("remove both", None, |at| {
        fs::remove_file(at.join("out/b")).and(fs::remove_dir_all(at.join("out/stage")))
    }),
    ("start a thread", None, |_| std::thread::Builder::new().spawn(|| ()).map(|thread| drop(thread.join()))),
    ("count the cores", None, |_| std::thread::available_parallelism().map(drop)),
    ("make a file beside the subject", LANDLOCK, |at| File::create(at.join("snap/new")).map(drop)),
    ("write to the subject", LANDLOCK, |at| {
        OpenOptions::new().append(true).open(at.join("snap/a")).map(drop)
    }),
    ("read another file", LANDLOCK, |at| File::open(at.join("else/a")).map(drop)),
    ("write to another file", LANDLOCK, |at| {
        OpenOptions::new().write(true).open(at.join("else/a")).map(drop)
    }),
    ("make another file", LANDLOCK, |at| File::create(at.join("else/new")).map(drop)),
    ("list another folder", LANDLOCK, |at| fs::read_dir(at.join("else")).map(drop)),
    ("link another file in", LANDLOCK, |at| fs::hard_link(at.join("else/a"), at.join("out/c"))),
    ("move another file in", LANDLOCK, |at| fs::rename(at.join("else/moved"), at.join("out/moved"))),
    ("remove another file", LANDLOCK, |at| fs::remove_file(at.join("else/removed"))),
    ("make a symbolic link", LANDLOCK, |at| symlink(at.join("else/a"), at.join("out/link"))),
    ("change another file's mode", SECCOMP, |at| fs::set_permissions(at.join("else/a"), mode(0o644))),
    ("give another file an attribute", SECCOMP, |at| {
        Ok(setxattr(at.join("else/a"), "user.parklite", b"1", XattrFlags::empty())?)
    }),
    ("make a pipe with a name", SECCOMP, |at| {
        Ok(mknodat(CWD, at.join("out/pipe"), FileType::Fifo, Mode::RUSR, 0)?)
    }),
    ("listen on a TCP port", SECCOMP, |_| TcpListener::bind("127.0.0.1:0").map(drop)),
    ("open a UDP port", SECCOMP, |_| UdpSocket::bind("127.0.0.1:0").map(drop)),
    ("listen on a local socket", SECCOMP, |at| UnixListener::bind(at.join("out/socket")).map(drop)),
    ("make a pair of sockets", SECCOMP, |_| UnixStream::pair().map(drop)),
    ("start a program", SECCOMP, |_| Command::new("/bin/true").status().map(drop)),
    ("reach the process that started it", SECCOMP, |_| match getppid() {
        Some(parent) => Ok(test_kill_process(parent)?),
        None => Ok(()),
    }),
    ("set a limit", SECCOMP, |_| Ok(setrlimit(Resource::Fsize, Rlimit { current: None, maximum: None })?)),
    ("take four gibibytes", ADDRESS_SPACE, |_| {
        Vec::<u8>::new().try_reserve_exact(4 << 30).map_err(|_| io::ErrorKind::OutOfMemory.into())
    }),
];

fn mode(mode: u32) -> fs::Permissions {
    fs::Permissions::from_mode(mode)
}

#[test]
fn a_confined_process_reaches_its_files_and_nothing_else() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return make_attempts(Path::new(&folder));
    }
    let free = answers(false);
    let confined = answers(true);
    let in_force = |name: &str| confined.iter().any(|line| line == &format!("in force: {name}"));
    for mechanism in [Mechanism::AddressSpace, Mechanism::Landlock, Mechanism::Seccomp] {
        if !in_force(mechanism.name()) {
            println!("skipped: this system has no {}", mechanism.name());
        }
    }
    let done = |answers: &[String], name: &str| answers.contains(&format!("{name}: done"));
    for (name, forbidden, _) in ATTEMPTS {
        assert!(done(&free, name), "{name} is possible without confinement: {free:#?}");
        let expected = forbidden.is_none_or(|mechanism| !in_force(mechanism.name()));
        assert_eq!(done(&confined, name), expected, "{name}: {confined:#?}");
    }
    if in_force("seccomp") {
        // Where it succeeds, the process is another program from then on, and says nothing more.
        assert!(confined.iter().any(|line| line.starts_with("become another program: ")), "{confined:#?}");
    }
}

/// What a process answers that makes all attempts, confined or not.
fn answers(is_confined: bool) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["snap", "out", "else"] {
        fs::create_dir(folder.path().join(name)).expect("made");
    }
    for name in ["snap/a", "else/a", "else/moved", "else/removed"] {
        fs::write(folder.path().join(name), b"x").expect("written");
    }
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", TEST, "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder.path())
        .env(CONFINED, if is_confined { "1" } else { "" })
        .output()
        .expect("run");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(str::to_string).collect()
}

fn make_attempts(folder: &Path) {
    let is_confined = std::env::var_os(CONFINED).as_deref() == Some(OsStr::new("1"));
    if is_confined {
        let needs = Needs {
            subjects: vec![folder.join("snap")],
            folders: vec![folder.join("out")],
            memory_limit_bytes: 1 << 28,
            threads: 1,
        };
        println!();
        for name in confine(&needs).names() {
            println!("in force: {name}");
        }
    } else {
        println!();
    }
    for (name, _, attempt) in ATTEMPTS {
        match attempt(folder) {
            Ok(()) => println!("{name}: done"),
            Err(error) => println!("{name}: {error}"),
        }
    }
    if is_confined {
        println!("become another program: {}", Command::new("/bin/true").exec());
    }
}
