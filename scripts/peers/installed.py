"""The folder of a comparison and the rivals installed in it. The network is used only while something is missing."""

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from peers.failure import Failure

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
_SETTINGS = [REQUIREMENTS, Path(__file__).with_name("tools.py"), *sorted(REQUIREMENTS.parent.glob("rivals/*.py"))]
SQLITE2PARQUET = "0.10.2"
_EXTENSION = "duckdb_extension_sqlite_scanner/extensions/v1.5.5/sqlite_scanner.duckdb_extension"


@dataclass(frozen=True)
class Installed:
    """Where the rivals are."""

    folder: Path

    @property
    def environment(self) -> Path:
        """The virtual environment, named by its requirements: others get another one."""
        return self.folder / f"rivals-{hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:16]}"

    @property
    def python(self) -> Path:
        """The interpreter that has the rivals' packages."""
        return self.environment / "bin" / "python"

    @property
    def packages(self) -> Path:
        """The folder of the rivals' packages."""
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return self.environment / "lib" / version / "site-packages"

    @property
    def duckdb(self) -> Path:
        """DuckDB's own program, not the Python script in front of it."""
        return self.packages / "duckdb_cli" / "duckdb"

    @property
    def duckdb_extension(self) -> Path:
        """DuckDB's reader of SQLite. DuckDB checks its signature, since unsigned ones stay forbidden."""
        return self.packages / _EXTENSION

    @property
    def sqlite2parquet(self) -> Path:
        """sqlite2parquet, which is there only if it was asked for."""
        return self.folder / "cargo" / "bin" / "sqlite2parquet"

    def install(self) -> None:
        """Makes the environment unless it is there."""
        if self.duckdb.exists() and self.duckdb_extension.exists():
            return
        print(f"installing the rivals into {self.environment}", file=sys.stderr)
        # Made aside, so that an environment of the final name is whole. Scripts in it would name the wrong folder,
        # but only its packages and its interpreter are used.
        new = self.environment.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(self.environment, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(new)])
        pip = [str(new / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
        _run([*pip, "--no-deps", "--only-binary", ":all:", "--requirement", str(REQUIREMENTS)])
        new.rename(self.environment)
        if not self.duckdb_extension.exists():
            raise Failure(f"{self.duckdb_extension} is missing after the installation")

    def install_sqlite2parquet(self) -> None:
        """Builds sqlite2parquet with cargo unless it is there. Takes minutes."""
        if self.sqlite2parquet.exists():
            return
        print("building sqlite2parquet, which takes minutes", file=sys.stderr)
        root = self.folder / "cargo"
        command = ["cargo", "install", "--root", str(root), "--target-dir", str(root / "target")]
        _run([*command, "--version", SQLITE2PARQUET, "--locked", "sqlite2parquet"])

    def versions(self) -> dict[str, str]:
        """What is installed, by name."""
        code = (
            "import importlib.metadata as m, json;"
            "print(json.dumps({d.metadata['Name']: d.version for d in m.distributions()}))"
        )
        found: dict[str, str] = json.loads(_run([str(self.python), "-c", code]))
        pinned = {line.split("==")[0] for line in REQUIREMENTS.read_text().splitlines()}
        versions = {name: version for name, version in found.items() if name.replace("_", "-") in pinned}
        if self.sqlite2parquet.exists():
            versions["sqlite2parquet"] = SQLITE2PARQUET
        return dict(sorted(versions.items()))


def rivals_sha256() -> str:
    """Of what is installed and of the commands that are run: with another, times are of something else."""
    total = hashlib.sha256()
    for path in _SETTINGS:
        total.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise Failure(f"cannot start {command[0]}: {error}") from error
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-5:])
        raise Failure(f"{' '.join(command)} failed:\n{said}")
    return done.stdout
