"""Shows that the judges can fail: each case damages something, and one named check must find it.

The only place that runs parklite, as a subprocess, to get a sound snapshot of a small database. Damage to a
Parquet file is done by writing it anew with pyarrow, so the seal breaks every time; what counts is whether the
check that the case is about finds it too.
"""

import json
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow
import pyarrow.parquet as pq

from judge.findings import Findings
from judge.snapshot import seal_place

CheckPair = Callable[[Path, Path | None], tuple[Findings, str]]

DATABASE_SQL = """
CREATE TABLE items (id INTEGER PRIMARY KEY, price DECIMAL(10,2), weight REAL, label TEXT, extra, note TEXT);
INSERT INTO items VALUES
  (1, 9.99, 0.0, 'a', x'01', 'n1'), (2, 10, 2.5, 'b', 7, NULL), (3, NULL, -1.5, '', 'text', 'n3'),
  (4, 0.01, 1e300, 'd', NULL, 'n4'), (9007199254740993, 7, 3.25, 'e', 2.5, 'n5');
CREATE TABLE log (at TEXT, n INTEGER);
INSERT INTO log VALUES ('2026-01-01', 1), ('2026-01-02', 2), ('2026-01-03', 3);
"""


@dataclass(frozen=True)
class Case:
    """One damage: to the database, or to a snapshot's folder; and the check that must find it."""

    name: str
    check: str
    sql: str | None = None
    damage: Callable[[Path], None] | None = None


def self_test(parklite: Path, check_pair: CheckPair) -> int:
    """Runs all cases; 0 if every damage was found, and nothing in the sound snapshot."""
    missed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = folder / "source.db"
        _execute(database, DATABASE_SQL)
        sound = folder / "sound"
        options = ["--quiet", "--order-by", "log=at"]
        command = [str(parklite), "export", *options, str(database), "-o", str(sound)]
        subprocess.run(command, check=True)
        findings, _ = check_pair(sound, database)
        for check, text in findings.found:
            print(f"MISTAKEN: in a sound snapshot, {check}: {text}")
            missed += 1
        for case in CASES:
            found = _run(case, sound, database, folder / "work", check_pair)
            if case.check not in found:
                print(f"MISSED: {case.name}: {case.check} found nothing, only {sorted(found)} did")
                missed += 1
    print(f"{len(CASES)} damages done, {missed} missed or mistaken")
    return 1 if missed else 0


def _run(case: Case, sound: Path, database: Path, work: Path, check_pair: CheckPair) -> set[str]:
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    copy = work / "snapshot"
    shutil.copytree(sound, copy)
    source = work / "source.db"
    shutil.copy(database, source)
    if case.sql is not None:
        _execute(source, case.sql)
    if case.damage is not None:
        case.damage(copy)
    return check_pair(copy, source)[0].checks()


def _execute(path: Path, sql: str) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(sql)
    connection.close()


def _rewrite(
    folder: Path,
    file: str,
    change: Callable[[pyarrow.Table], pyarrow.Table],
    *,
    store_schema: bool = False,
    sorting: bool = True,
    statistics: bool = True,
) -> None:
    """Writes a table file anew, with what parklite's footer said, but for what is changed."""
    path = folder / file
    old = pq.read_metadata(path)
    table = change(pq.read_table(path))
    table = table.replace_schema_metadata({"parklite.table": old.metadata[b"parklite.table"]})
    columns = old.row_group(0).sorting_columns if sorting else None
    pq.write_table(
        table,
        path,
        compression="zstd",
        store_schema=store_schema,
        sorting_columns=columns,
        write_statistics=statistics,
    )


def _set(table: pyarrow.Table, column: str, row: int, value: object) -> pyarrow.Table:
    index = table.column_names.index(column)
    values = table.column(column).to_pylist()
    values[row] = value
    field = table.schema.field(column)
    return table.set_column(index, field, pyarrow.array(values, field.type))


def _cell(column: str, row: int, value: object) -> Callable[[Path], None]:
    return lambda folder: _rewrite(folder, "items.parquet", lambda table: _set(table, column, row, value))


def _table(file: str, change: Callable[[pyarrow.Table], pyarrow.Table]) -> Callable[[Path], None]:
    return lambda folder: _rewrite(folder, file, change)


def _flip_byte(file: str, offset: int) -> Callable[[Path], None]:
    def flip(folder: Path) -> None:
        data = bytearray((folder / file).read_bytes())
        data[offset] ^= 1
        (folder / file).write_bytes(data)

    return flip


def _damage_seal(file: str, offset: int) -> Callable[[Path], None]:
    """Flips a bit so many bytes from where the SHA-256 in the seal begins."""
    return lambda folder: _flip_byte(file, seal_place(folder / file) + offset)(folder)


def _edit(file: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        text = (folder / file).read_text()
        assert old in text, f"{file} does not hold {old!r}"
        (folder / file).write_text(text.replace(old, new))

    return edit


def _swap_sums(folder: Path) -> None:
    path = folder / "SHA256SUMS"
    lines = path.read_text().splitlines()
    first, second = (line.split("  ") for line in lines[:2])
    lines[:2] = [f"{second[0]}  {first[1]}", f"{first[0]}  {second[1]}"]
    path.write_text("\n".join(lines) + "\n")


def _other_order(folder: Path) -> None:
    path = folder / "manifest.json"
    document = json.loads(path.read_text())
    entry = next(entry for entry in document["tables"] if entry["name"] == "items")
    entry["order"]["terms"] = [{"column": 0, "descending": True}]
    path.write_text(json.dumps(document))


def _as_int(column: str) -> Callable[[pyarrow.Table], pyarrow.Table]:
    def change(table: pyarrow.Table) -> pyarrow.Table:
        index = table.column_names.index(column)
        values = [None if value is None else int(value) for value in table.column(column).to_pylist()]
        return table.set_column(index, column, pyarrow.array(values, pyarrow.int64()))

    return change


CASES = [
    Case("an integer is another", "cells", sql="UPDATE items SET id = 9007199254740992 WHERE id > 4"),
    Case("a real loses its sign", "cells", damage=_cell("weight", 0, -0.0)),
    Case("an integer becomes a real", "cells", sql="UPDATE items SET extra = 7.0 WHERE id = 2"),
    Case("text becomes a blob", "cells", sql="UPDATE items SET label = x'64' WHERE id = 4"),
    Case("text becomes invalid", "cells", sql="UPDATE items SET label = CAST(x'ff' AS TEXT) WHERE id = 4"),
    Case("empty text becomes NULL", "cells", sql="UPDATE items SET label = NULL WHERE id = 3"),
    Case("a rowid is another", "cells", sql="UPDATE log SET rowid = 9 WHERE n = 2"),
    Case("a row is missing", "rows", sql="DELETE FROM log WHERE n = 2"),
    Case("a row is changed", "digest", sql="UPDATE log SET n = 5 WHERE n = 2"),
    Case("a table is new", "schema", sql="CREATE TABLE more (v)"),
    Case("a column is renamed", "definition", sql="ALTER TABLE log RENAME COLUMN n TO m"),
    Case("DDL is another", "schema-digest", sql="CREATE VIEW v AS SELECT 1"),
    Case("a header pragma is another", "schema", sql="PRAGMA user_version = 7"),
    Case("the default cache size is set", "schema-digest", sql="PRAGMA default_cache_size = 4321"),
    Case("the main column holds another text", "cells", damage=_cell("label", 0, "z")),
    Case("the main column holds another text", "digest", damage=_cell("label", 0, "z")),
    Case("a companion's value is lost", "cells", damage=_cell("extra__integer", 1, None)),
    Case("a cell is in two columns", "cells", damage=_cell("extra__text", 1, "x")),
    Case("a cell is in two columns", "mapping", sql="UPDATE items SET extra = NULL"),
    Case("a number family shows another number", "cells", damage=_cell("price", 1, 11.0)),
    Case("a number family hides a number", "cells", damage=_cell("price", 1, None)),
    Case("a number family hides a number", "sum", damage=_cell("price", 1, None)),
    Case(
        "two rows are swapped",
        "order",
        damage=_table("log.parquet", lambda table: table.take([1, 0, 2])),
    ),
    Case(
        "two rows are swapped",
        "sorting-columns",
        damage=_table("log.parquet", lambda table: table.take([1, 0, 2])),
    ),
    Case(
        "sorting columns are not declared",
        "sorting-columns",
        damage=lambda folder: _rewrite(folder, "log.parquet", lambda table: table, sorting=False),
    ),
    Case("the order is declared another", "order", damage=_other_order),
    Case("rows are lost", "rows", damage=_table("log.parquet", lambda table: table.slice(0, 2))),
    Case("a type is another", "types", damage=_table("items.parquet", _as_int("price"))),
    Case(
        "a column is renamed",
        "names",
        damage=_table("log.parquet", lambda table: table.rename_columns(["rowid", "at", "m"])),
    ),
    Case(
        "there is an Arrow schema",
        "arrow-schema",
        damage=lambda folder: _rewrite(folder, "log.parquet", lambda table: table, store_schema=True),
    ),
    Case(
        "statistics are missing",
        "statistics",
        damage=lambda folder: _rewrite(folder, "items.parquet", lambda table: table, statistics=False),
    ),
    Case("a file is rewritten", "chunk-hash", damage=_cell("label", 0, "z")),
    Case("the footer says something else", "footer", damage=_edit("manifest.json", "at TEXT", "at BLOB")),
    Case("a bit in the data flips", "seal", damage=_flip_byte("log.parquet", 60)),
    Case("a bit in the data flips", "chunk-hash", damage=_flip_byte("log.parquet", 60)),
    Case("a bit in the data flips", "sums", damage=_flip_byte("log.parquet", 60)),
    Case("the file's tag is damaged", "seal", damage=_flip_byte("log.parquet", 5)),
    Case("the seal's tag is damaged", "seal", damage=_damage_seal("log.parquet", -1)),
    Case("the seal is damaged", "seal", damage=_damage_seal("log.parquet", 8)),
    Case("the magic is damaged", "read", damage=_flip_byte("log.parquet", -1)),
    Case("a file is missing", "files", damage=lambda folder: (folder / "log.parquet").unlink()),
    Case("a file is too many", "files", damage=lambda folder: (folder / "more.parquet").touch()),
    Case("sums are swapped", "sums", damage=_swap_sums),
    Case("the manifest is edited", "manifest-digest", damage=_edit("manifest.json", "source.db", "other.db")),
    Case("a definition is edited", "schema-digest", damage=_edit("manifest.json", "at TEXT", "at BLOB")),
    Case("a view hides a class", "views", damage=_edit("views.sql", 'CAST("extra__text" AS VARCHAR), ', "")),
    Case("a view is missing", "views", damage=_edit("views.sql", 'VIEW "log"', 'VIEW "items"')),
    Case("views.sql makes no sense", "views", damage=_edit("views.sql", "SELECT", "SELEKT")),
]
