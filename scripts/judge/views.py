"""`views.sql`: it runs in DuckDB from inside the folder, and its views show every cell that SQLite has."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from judge.cells import INTEGER, REAL, TEXT, Cell, Row, real_value
from judge.database import quoted
from judge.findings import Findings
from judge.readers import DuckDb, ReadTable
from judge.snapshot import Snapshot, TableEntry


def check_views(snapshot: Snapshot, rows_of: dict[bytes, list[Row]], findings: Findings) -> None:
    """Runs `views.sql` and compares every view with the table's rows, which stand in the snapshot's order."""
    text = (snapshot.path / "views.sql").read_text()
    reader = DuckDb()
    with _inside(snapshot.path):
        try:
            reader.connection.execute(text)
        except duckdb.Error as error:
            findings.add("views", "views.sql", f"DuckDB refuses it: {error}")
            return
        made = reader.query("SELECT view_name FROM duckdb_views() WHERE NOT internal").columns[0]
        expected = [view_name(entry) for entry in snapshot.tables if entry.files]
        findings.expect("views", "views.sql", "views", sorted(expected), sorted(made))
        for entry in snapshot.tables:
            if entry.files:
                _check_view(reader, entry, rows_of[entry.name], findings)
    reader.connection.close()


def _check_view(reader: DuckDb, entry: TableEntry, rows: Sequence[Row], findings: Findings) -> None:
    where = f"view of table {entry.label}"
    try:
        read = reader.query(f"SELECT * FROM {quoted(view_name(entry))}")
    except duckdb.Error as error:
        findings.add("views", where, f"it cannot be read: {error}")
        return
    rowid = [] if entry.rowid_column is None else [entry.rowid_column]
    names = rowid + [mapped["name"] for mapped in entry.mapping]
    findings.expect("views", where, "columns", names, read.names)
    findings.expect("views", where, "rows", len(rows), read.row_count())
    if names == read.names and len(rows) == read.row_count():
        _check_cells(read, len(rowid), rows, where, findings)


def view_name(entry: TableEntry) -> str:
    """The table's name; where it is empty or no text, and so no name in DuckDB, its file's."""
    try:
        name = entry.name.decode()
    except UnicodeDecodeError:
        name = ""
    return name or str(entry.files[0]["path"]).removesuffix(".parquet")


def _check_cells(read: ReadTable, shift: int, rows: Sequence[Row], where: str, findings: Findings) -> None:
    for index, (name, column) in enumerate(zip(read.names, read.columns)):
        if index < shift:
            findings.expect("views", where, name, [rowid for rowid, _ in rows], column)
            continue
        for ordinal, (shown, (_, cells)) in enumerate(zip(column, rows), 1):
            if not _shows(shown, cells[index - shift]):
                cell = cells[index - shift]
                findings.add("views", where, f"{name}, row {ordinal}: {cell} is shown as {shown!r}")


def _shows(shown: Any, cell: Cell) -> bool:
    """Whether a view's value stands for a cell: never NULL for a value, numbers and texts as they are."""
    tag, value = cell
    if value is None or shown is None:
        return value is None and shown is None
    if tag == TEXT:
        # A BLOB column that holds text shows bytes only where the whole column is bytes.
        return isinstance(shown, str) and shown.encode() == value
    if tag in (INTEGER, REAL):
        number = value if isinstance(value, int) else real_value(value)
        return float(shown) == float(number)
    return True


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
