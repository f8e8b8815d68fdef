"""Whether an output has the content of its source: every cell, by readers that are none of the tools' own doing.

Parquet files are read with pyarrow, databases with Python's SQLite, and both are compared with what Python's SQLite
reads from the source. An output of exactly the same bytes as one that was right is right.
"""

import hashlib
import json
import sqlite3
import subprocess
from pathlib import Path

from peers.cases import ORDER
from peers.failure import Failure
from peers.measured import end
from peers.tools import Job, Tool

_CONTENT = Path(__file__).with_name("content.py")


class Judge:
    """Knows the content of one database. `python` is an interpreter with pyarrow."""

    def __init__(self, python: Path, database: Path, tables: list[str]) -> None:
        self.python = python
        self.database = database
        self.tables = tables
        self.right: set[str] = set()
        self.columns = {table: _columns(database, table) for table in tables}
        self.expected = self._source_digests()

    def judge(self, tool: Tool, job: Job) -> str | None:
        """What is wrong with an output, or None."""
        output = job.output()
        if output is None:
            return None
        if not output.exists():
            return "it made nothing"
        # Only what is judged: a manifest says when it was written.
        files = [output / f"{table}.parquet" for table in self.tables] if job.verb == "export" else [output]
        fingerprint = f"{job.verb} {tool.is_ordered} {_fingerprint(files)}"
        if fingerprint in self.right:
            return None
        wrong = self._judge_folder(tool, output) if job.verb == "export" else self._judge_database(output)
        if wrong is None:
            self.right.add(fingerprint)
        return wrong

    def _judge_folder(self, tool: Tool, folder: Path) -> str | None:
        tables = [f"{table}={json.dumps(columns)}" for table, columns in self.columns.items()]
        found = self._digests("parquet", str(folder), ORDER if tool.is_ordered else "id", *tables)
        return self._first_difference(found)

    def _judge_database(self, path: Path) -> str | None:
        wrong = self._first_difference(self._digests("database", str(path), *self.tables))
        if wrong is not None:
            return wrong
        if _schema(path) != _schema(self.database):
            return "another schema"
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            (said,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        finally:
            connection.close()
        return None if said == "ok" else f"integrity_check: {said}"

    def _first_difference(self, found: dict[str, str]) -> str | None:
        for table, expected in self.expected.items():
            digest = found[table]
            if digest == expected:
                continue
            rows, expected_rows = digest.split("-")[0], expected.split("-")[0]
            if not rows.isdigit():
                return f"{table}: {digest}"
            if rows != expected_rows:
                return f"{table}: {rows} rows of {expected_rows}"
            return f"{table}: other cells"
        return None

    def _source_digests(self) -> dict[str, str]:
        # Kept beside the database, which is never changed once it has its name.
        kept = self.database.with_suffix(".digests.json")
        if not kept.exists():
            digests = self._digests("database", str(self.database), *self.tables)
            unreadable = [why for why in digests.values() if why.startswith("unreadable")]
            if unreadable:
                raise Failure(f"{self.database}: {unreadable[0]}")
            kept.write_text(json.dumps(digests))
        digests = json.loads(kept.read_text())
        return {table: digests[table] for table in self.tables}

    def _digests(self, *arguments: str) -> dict[str, str]:
        command = [str(self.python), "-B", str(_CONTENT), *arguments]
        judge = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        try:
            said, errors = judge.communicate()
        except BaseException:
            # It has children, which would wait for it for ever.
            end(judge.pid)
            raise
        if judge.returncode != 0:
            raise Failure(f"the judge of content failed:\n{errors.strip()}")
        digests: dict[str, str] = json.loads(said)
        return digests


def largest_row_bytes(database: Path, tables: list[str]) -> int:
    """The size of the largest row: its texts and blobs, and eight bytes for every number."""
    largest = 0
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        for table in tables:
            names = [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]
            sizes = " + ".join(f'coalesce(max(8, octet_length("{name}")), 8)' for name in names)
            if sqlite3.sqlite_version_info < (3, 43):
                sizes = " + ".join(f'coalesce(max(8, length(CAST("{name}" AS BLOB))), 8)' for name in names)
            largest = max(largest, connection.execute(f'SELECT max({sizes}) FROM "{table}"').fetchone()[0] or 0)
    finally:
        connection.close()
    return largest


def size_bytes(output: Path) -> int:
    """The bytes of a file, or of all files in a folder."""
    return sum(path.stat().st_size for path in _files(output))


def _files(output: Path) -> list[Path]:
    return sorted(path for path in output.rglob("*") if path.is_file()) if output.is_dir() else [output]


def _fingerprint(files: list[Path]) -> str:
    total = hashlib.blake2b()
    for path in files:
        total.update(path.name.encode() + b"\0")
        # What is missing is for the judge to say.
        if path.is_file():
            with path.open("rb") as file:
                total.update(hashlib.file_digest(file, "blake2b").digest())
    return total.hexdigest()


def _schema(path: Path) -> list[tuple[str, ...]]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return sorted(connection.execute("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema"))
    finally:
        connection.close()


def _columns(database: Path, table: str) -> dict[str, bool]:
    """The columns of a table, and whether each holds blobs."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return {row[1]: row[2] == "BLOB" for row in connection.execute(f'PRAGMA table_info("{table}")')}
    finally:
        connection.close()
