//! The Python that runs the judges, if there is one.

use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The program under test.
pub(crate) const PARKLITE: &str = env!("CARGO_BIN_EXE_parklite");

/// What the judges import beside Python's own library.
const IMPORTS: &str = "import duckdb, polars, pyarrow.parquet, xxhash";

/// A Python with all packages.
pub(crate) struct Judges {
    python: PathBuf,
}

impl Judges {
    /// Finds it; where there is none, says that `what` is skipped and why.
    pub(crate) fn find(what: &str) -> Option<Self> {
        let python =
            env::var_os("PARKLITE_PYTHON").map_or_else(|| root().join(".venv/bin/python"), PathBuf::from);
        let reason = match Command::new(&python).args(["-c", IMPORTS]).output() {
            Ok(output) if output.status.success() => return Some(Self { python }),
            Ok(output) => last_line(&output.stderr),
            Err(error) => error.to_string(),
        };
        tell(&format!(
            "skipped: cross-reader tests of {what}: {}: {reason} (set PARKLITE_PYTHON to a Python with the packages \
             of scripts/requirements.txt)",
            python.display()
        ));
        None
    }

    /// Judges snapshots, each with its database.
    ///
    /// # Panics
    /// With all findings, if there are any.
    pub(crate) fn judge(&self, what: &str, pairs: &[(PathBuf, PathBuf)]) {
        let mut command = self.command();
        for (snapshot, database) in pairs {
            command.arg(snapshot).arg(database);
        }
        let output = command.output().expect("Python starts");
        report(what, &output);
    }

    /// The digests of all tables of a database or snapshot, as `scripts/digest.py` prints them.
    ///
    /// # Panics
    /// If it fails.
    pub(crate) fn digests(&self, subject: &Path) -> Vec<String> {
        let script = root().join("scripts/digest.py");
        let output = Command::new(&self.python)
            .arg("-B")
            .arg(script)
            .arg(subject)
            .env("PYTHONUTF8", "1")
            .output()
            .expect("Python starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().map(ToString::to_string).collect()
    }

    /// Lets the judges damage a snapshot and find the damage.
    ///
    /// # Panics
    /// If a damage was missed.
    pub(crate) fn self_test(&self) {
        let output = self.command().arg("--self-test").arg(PARKLITE).output().expect("Python starts");
        report("self-test", &output);
    }

    fn command(&self) -> Command {
        self.script("check_readers.py")
    }

    /// A script of ours, about to run.
    pub(crate) fn script(&self, name: &str) -> Command {
        let mut command = Command::new(&self.python);
        // No compiled files in the working tree, and names in any language in the findings.
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUTF8", "1");
        command.arg(root().join("scripts").join(name));
        command
    }
}

/// Writes a line to stderr, past the capture of test output: whoever runs the tests must see what was skipped.
pub(crate) fn tell(line: &str) {
    // A closed stderr is no failure of the test.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Fails with all that a judge said, or tells its last line.
pub(crate) fn report(what: &str, output: &Output) {
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {}\n{said}\n{errors}", output.status);
    tell(&format!("readers: {what}: {}", last_line(&output.stdout)));
}

fn last_line(text: &[u8]) -> String {
    String::from_utf8_lossy(text).trim_end().lines().last().unwrap_or_default().to_owned()
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
