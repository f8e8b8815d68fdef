#!/usr/bin/env python3
"""Judges databases that were restored from Parquet files of other programs, through Python's own SQLite.

    scripts/check_foreign.py FOLDER

In FOLDER lie the files of `make_foreign.py`; NAME.db, where a restore made one; and NAME.report.json, what the restore
said with --json. Every cell is compared by storage class and bytes, every declared type, the rowids, the exit code, and
the counts of what did not survive. Prints one line per file and every finding; exit 1 if anything is wrong.
"""

import argparse
import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

from foreign.cells import Cell, blob, integer, real, text


def read(path: Path) -> tuple[list[list[str]], list[list[Cell]], list[str]]:
    """Columns with declared types, and rows, of the only table; and what is wrong with the database itself."""
    wrong = []
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        connection.text_factory = lambda stored: ("text", stored)
        tables = connection.execute("SELECT CAST(name AS BLOB) FROM sqlite_schema").fetchall()
        if len(tables) != 1:
            wrong.append(f"{len(tables)} objects in the schema")
        name = tables[0][0].decode()
        if name != path.stem:
            wrong.append(f"the table is called {name!r}")
        if connection.execute("PRAGMA integrity_check").fetchall() != [(("text", b"ok"),)]:
            wrong.append("integrity_check finds something")
        quoted = '"' + name.replace('"', '""') + '"'
        info = connection.execute(f"PRAGMA table_xinfo({quoted})").fetchall()
        columns = [[column[1].decode(), declared[1].decode()] for _, column, declared, *_ in info]
        # A column may be called rowid, so the rows are counted by their place.
        rows = [[_cell(value) for value in row] for row in connection.execute(f"SELECT * FROM {quoted} NOT INDEXED")]
    return columns, rows, wrong


def _cell(value: Any) -> Cell:
    if isinstance(value, tuple):
        return text(value[1])
    if isinstance(value, bytes):
        return blob(value)
    if isinstance(value, float):
        return real(value)
    return None if value is None else integer(value)


def judge(expected_path: Path) -> list[str]:
    """What is wrong with the restore of one file."""
    expected = json.loads(expected_path.read_text(encoding="utf-8"))
    report = json.loads(expected_path.with_suffix(".report.json").read_text(encoding="utf-8"))
    database = expected_path.with_suffix(".db")
    code = expected["exit_code"]
    if report["exit_code"] != code:
        return [f"exit code {report['exit_code']} instead of {code}: {report.get('error')}"]
    if code not in (0, 3):
        return [f"{database.name} is there"] if database.exists() else []
    columns, rows, wrong = read(database)
    found = sorted([it["column"], it["what"], it["count"], it["first_row"]] for it in report["findings"])
    pairs = [
        ("columns", columns, expected["columns"]),
        ("findings", found, expected["findings"]),
        ("number of rows", len(rows), len(expected["rows"])),
        ("rows in the report", report["rows"], len(expected["rows"])),
        ("verified", report["verified"], False),
        ("verification", report["verification"], "not verified: not a parklite file"),
    ]
    wrong += [f"{what}: {is_there!r} instead of {should!r}" for what, is_there, should in pairs if is_there != should]
    for ordinal, (row, should_row) in enumerate(zip(rows, expected["rows"]), 1):
        for (name, _), cell, should in zip(columns, row, should_row):
            if cell != should:
                wrong.append(f"row {ordinal}, column {name!r}: {cell!r} instead of {should!r}"[:500])
    return wrong


def main() -> int:
    """Judges what the command line names."""
    parser = argparse.ArgumentParser(description="Judges databases restored from files of other programs")
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    paths = sorted(path for path in folder.glob("*.json") if not path.name.endswith(".report.json"))
    failed = cells = 0
    for path in paths:
        wrong = judge(path)
        failed += bool(wrong)
        cells += sum(map(len, json.loads(path.read_text(encoding="utf-8"))["rows"]))
        print(f"{'WRONG' if wrong else 'ok'}: {path.stem}")
        for finding in wrong[:20]:
            print(f"  {finding}")
        if len(wrong) > 20:
            print(f"  and {len(wrong) - 20} more")
    print(f"{len(paths)} files judged, {cells} cells compared, {failed} wrong")
    return 1 if failed or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
