//! What a traced program did to the files of a folder, with every byte.
//!
//! Calls that change files and are not understood end the recording with an error: nothing is left out in silence.
//! That nothing was is proven by doing everything again: the outcome is the folder as the program left it.

use std::path::{Path, PathBuf};

use crate::strace::{Call, Trace};

/// One operation that succeeded; paths are relative to the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operation {
    Open { handle: String, path: PathBuf, creates: bool, truncates: bool },
    Duplicate { from: String, to: String },
    Seek { handle: String, to: usize },
    Read { handle: String, count: usize },
    Append { handle: String, path: PathBuf, bytes: Vec<u8> },
    Write { path: PathBuf, at: usize, bytes: Vec<u8> },
    Resize { path: PathBuf, size: usize },
    Sync { path: PathBuf },
    MakeFolder { path: PathBuf },
    Link { from: PathBuf, to: PathBuf },
    Remove { path: PathBuf },
    Rename { from: PathBuf, to: PathBuf, exchanges: bool },
}

impl Operation {
    /// Whether it changes what is on the disk, or what is surely on it.
    pub(super) fn matters(&self) -> bool {
        match self {
            Self::Duplicate { .. } | Self::Seek { .. } | Self::Read { .. } => false,
            Self::Open { creates, truncates, .. } => *creates || *truncates,
            _ => true,
        }
    }
}

/// The calls to be recorded.
pub(super) fn trace() -> Trace {
    const CALLS: [&str; 37] = [
        "open",
        "openat",
        "creat",
        "read",
        "write",
        "pwrite64",
        "writev",
        "pwritev",
        "pwritev2",
        "lseek",
        "ftruncate",
        "truncate",
        "fallocate",
        "fsync",
        "fdatasync",
        "sync",
        "syncfs",
        "sync_file_range",
        "rename",
        "renameat",
        "renameat2",
        "link",
        "linkat",
        "symlink",
        "symlinkat",
        "unlink",
        "unlinkat",
        "rmdir",
        "mkdir",
        "mkdirat",
        "mmap",
        "copy_file_range",
        "sendfile",
        "splice",
        "dup",
        "dup2",
        "dup3",
    ];
    Trace { calls: CALLS.join(","), with_content: true, ..Trace::default() }
}

/// What the calls did in `folder`, where the program ran.
pub(super) fn operations_of(calls: &[Call], folder: &Path) -> Result<Vec<Operation>, String> {
    let mut operations = Vec::new();
    for call in calls.iter().filter(|call| !call.failed() && !call.result.is_empty()) {
        operations.extend(operation_of(&Decoded::of(call), folder)?);
    }
    Ok(operations)
}

fn operation_of(call: &Decoded, folder: &Path) -> Result<Option<Operation>, String> {
    let Some(path) = call.path(0, folder) else { return Ok(None) };
    let second = || call.path(1, folder).ok_or_else(|| format!("{} leads out of the folder", call.name));
    let handle = || call.argument(0).to_string();
    Ok(Some(match call.name.as_str() {
        "open" | "openat" | "creat" => {
            let has = |flag: &str| call.arguments.iter().any(|argument| argument.contains(flag));
            if has("O_DIRECTORY") {
                return Ok(None);
            }
            if has("O_APPEND") || has("O_TMPFILE") {
                return Err(format!("{} is opened in a way that is not understood", path.display()));
            }
            let (creates, truncates) = (has("O_CREAT"), has("O_TRUNC"));
            Operation::Open { handle: call.result.clone(), path, creates, truncates }
        }
        "dup" | "dup2" | "dup3" => Operation::Duplicate { from: handle(), to: call.result.clone() },
        "lseek" => Operation::Seek { handle: handle(), to: call.number_of_result()? },
        "read" => Operation::Read { handle: handle(), count: call.number_of_result()? },
        "write" => Operation::Append { handle: handle(), path, bytes: call.written()? },
        "pwrite64" => Operation::Write { path, at: call.number(3)?, bytes: call.written()? },
        "ftruncate" => Operation::Resize { path, size: call.number(1)? },
        "fsync" | "fdatasync" => Operation::Sync { path },
        "mkdir" | "mkdirat" => Operation::MakeFolder { path },
        "link" | "linkat" => Operation::Link { from: path, to: second()? },
        "unlink" | "unlinkat" | "rmdir" => Operation::Remove { path },
        "rename" | "renameat" | "renameat2" => {
            let exchanges = call.arguments.iter().any(|argument| argument.contains("RENAME_EXCHANGE"));
            Operation::Rename { from: path, to: second()?, exchanges }
        }
        // The shared memory beside a WAL is made anew by whoever opens the database first.
        "mmap" if is_harmless_map(call, &path) => return Ok(None),
        "fallocate" if path.to_string_lossy().ends_with("-shm") => return Ok(None),
        other => return Err(format!("{other} of {} is not understood", path.display())),
    }))
}

fn is_harmless_map(call: &Decoded, path: &Path) -> bool {
    let changes =
        ["PROT_WRITE", "MAP_SHARED"].iter().all(|flag| call.arguments.iter().any(|a| a.contains(flag)));
    !changes || path.to_string_lossy().ends_with("-shm")
}

/// A call whose arguments are taken apart: texts without quotes, all escapes undone.
#[derive(Debug)]
struct Decoded {
    name: String,
    arguments: Vec<String>,
    /// The bytes of what is written.
    buffer: Vec<u8>,
    result: String,
}

impl Decoded {
    fn of(call: &Call) -> Self {
        let mut arguments = vec![String::new()];
        let mut buffer = Vec::new();
        let (mut in_text, mut in_path) = (false, false);
        for letter in call.arguments.chars() {
            match letter {
                '"' => in_text = !in_text,
                '<' if !in_text => in_path = true,
                '>' if !in_text => in_path = false,
                ',' if !in_text && !in_path => {
                    arguments.push(String::new());
                    continue;
                }
                _ => {}
            }
            arguments.last_mut().expect("one at least").push(letter);
        }
        for argument in &mut arguments {
            let text = argument.trim();
            if let Some(quoted) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
                let bytes = unescaped(quoted);
                *argument = String::from_utf8_lossy(&bytes).into_owned();
                if call.name.contains("write") {
                    buffer = bytes;
                }
            } else {
                *argument = String::from_utf8_lossy(&unescaped(text)).into_owned();
            }
        }
        let result = String::from_utf8_lossy(&unescaped(&call.result)).into_owned();
        Self { name: call.name.clone(), arguments, buffer, result }
    }

    fn argument(&self, index: usize) -> &str {
        self.arguments.get(index).map_or("", String::as_str)
    }

    /// The first or second path that the call is about, if it lies in the folder.
    fn path(&self, which: usize, folder: &Path) -> Option<PathBuf> {
        if self.name == "mmap" {
            return self.path_of_handle(4, folder);
        }
        let (takes_folder, takes_names) = match self.name.as_str() {
            "openat" | "mkdirat" | "unlinkat" | "linkat" | "renameat" | "renameat2" => (true, true),
            "open" | "creat" | "mkdir" | "rmdir" | "unlink" | "link" | "rename" | "truncate" => (false, true),
            _ => (false, false),
        };
        if !takes_names {
            return self.path_of_handle(which, folder);
        }
        let index = if takes_folder { 2 * which } else { which };
        let name = Path::new(self.argument(if takes_folder { index + 1 } else { index }));
        let base = if takes_folder {
            self.argument(index).split_once('<').map_or("", |(_, rest)| rest.trim_end_matches('>'))
        } else {
            folder.to_str()?
        };
        let whole = Path::new(base).join(name);
        whole.strip_prefix(folder).ok().map(|path| path.components().collect())
    }

    /// The path of an open descriptor, as in `4</path>`.
    fn path_of_handle(&self, index: usize, folder: &Path) -> Option<PathBuf> {
        let (_, path) = self.argument(index).split_once('<')?;
        // What has no name any more will not be there after a power cut.
        let path = path.strip_suffix('>')?;
        Path::new(path).strip_prefix(folder).ok().map(Path::to_path_buf)
    }

    fn number(&self, index: usize) -> Result<usize, String> {
        let text = self.argument(index).trim();
        text.parse().map_err(|_| format!("{}: {text} is no number", self.name))
    }

    fn number_of_result(&self) -> Result<usize, String> {
        let text = self.result.split_whitespace().next().unwrap_or_default();
        text.parse().map_err(|_| format!("{}: {text} is no number", self.name))
    }

    fn written(&self) -> Result<Vec<u8>, String> {
        let count = self.number_of_result()?;
        let bytes = self.buffer.get(..count);
        bytes.map(<[u8]>::to_vec).ok_or_else(|| format!("{}: not all bytes were recorded", self.name))
    }
}

/// Undoes `\x41`.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4);
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.strip_prefix(b"x").and_then(|after| after.get(..2));
        let byte = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        if let Some(byte) = byte.filter(|_| first == b'\\') {
            bytes.push(byte);
            rest = &after[3..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    bytes
}

#[test]
fn calls_are_taken_apart() {
    let call = |name: &str, arguments: &str, result: &str| Call {
        thread: 1,
        name: name.to_string(),
        number: 1,
        arguments: arguments.to_string(),
        result: result.to_string(),
    };
    let calls = [
        call(
            "openat",
            r#"AT_FDCWD<\x2f\x77>, "\x61\x2c", O_WRONLY|O_CREAT|O_TRUNC, 0600"#,
            r"3<\x2f\x77\x2f\x61\x2c>",
        ),
        call("write", r#"3<\x2f\x77\x2f\x61\x2c>, "\x00\x22\x61", 3"#, "2"),
        call("pwrite64", r#"3<\x2f\x77\x2f\x61\x2c>, "\x61", 1, 7"#, "1"),
        call(
            "renameat2",
            r#"AT_FDCWD<\x2f\x77>, "\x61\x2c", AT_FDCWD<\x2f\x77>, "\x2e\x2f\x62", RENAME_NOREPLACE"#,
            "0",
        ),
        call("openat", r#"AT_FDCWD<\x2f\x77>, "\x2f\x65\x74\x63", O_RDONLY"#, r"4<\x2f\x65\x74\x63>"),
    ];
    let found = operations_of(&calls, Path::new("/w")).expect("understood");
    let (handle, path) = ("3</w/a,>".to_string(), PathBuf::from("a,"));
    let expected = [
        Operation::Open { handle: handle.clone(), path: path.clone(), creates: true, truncates: true },
        Operation::Append { handle, path: path.clone(), bytes: vec![0, b'"'] },
        Operation::Write { path: path.clone(), at: 7, bytes: b"a".to_vec() },
        Operation::Rename { from: path, to: "b".into(), exchanges: false },
    ];
    assert_eq!(found, expected);
    let strange = call("copy_file_range", r"3<\x2f\x77\x2f\x61>, NULL", "5");
    operations_of(&[strange], Path::new("/w")).expect_err("not understood");
}
