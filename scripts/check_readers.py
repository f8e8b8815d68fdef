#!/usr/bin/env python3
"""Judges snapshots through DuckDB, pyarrow and polars, against SQLite itself.

It never imports parklite, and calls it only in the self-test, to get a snapshot to damage. For every table it
asks: do all three readers open the file without options, with the names, types and row counts that the mapping
promises; does every cell, rebuilt from main and companion columns, equal SQLite's by storage class and bytes; do
rows stand in the declared order; are the footer's claims (sorting columns, statistics, hashes) true; do digests,
sums and seals agree; does views.sql work?

    scripts/check_readers.py SNAPSHOT                       without the database: the snapshot with itself
    scripts/check_readers.py SNAPSHOT DATABASE [SNAPSHOT DATABASE ...]
    scripts/check_readers.py --self-test PARKLITE           damages snapshots and expects every damage to be found

Prints one line per snapshot, notes, and every finding. Exit 1 if anything is wrong.
"""

import argparse
import sys
from pathlib import Path

from judge.cells import Row
from judge.database import Database
from judge.findings import Findings
from judge.readers import all_readers
from judge.self_test import self_test
from judge.snapshot import Snapshot, schema_digest
from judge.tables import TableJudge
from judge.views import check_views


def check_pair(snapshot_path: Path, database_path: Path | None) -> tuple[Findings, str]:
    """Judges one snapshot; returns what is wrong, and a summary."""
    findings = Findings()
    try:
        snapshot = Snapshot(snapshot_path)
        snapshot.check(findings)
        source = _read_source(snapshot, database_path, findings) if database_path is not None else None
        row_count = _check_tables(snapshot, source, findings)
    except Exception as error:  # One snapshot that makes no sense must not keep the others from being judged.
        findings.add("crash", str(snapshot_path), f"{type(error).__name__}: {error}")
        return findings, "not judged to the end"
    return findings, f"{len(snapshot.tables)} tables, {row_count} rows"


def _check_tables(snapshot: Snapshot, source: dict[bytes, list[Row]] | None, findings: Findings) -> int:
    rows_of: dict[bytes, list[Row]] = {}
    with all_readers() as (duckdb, readers):
        for entry in snapshot.tables:
            judge = TableJudge(snapshot, entry, findings)
            expected = None if source is None else source.get(entry.name, [])
            rows_of[entry.name] = judge.check(duckdb, readers, expected)
    if snapshot.is_folder:
        check_views(snapshot, rows_of, findings)
    return sum(map(len, rows_of.values()))


def _read_source(snapshot: Snapshot, path: Path, findings: Findings) -> dict[bytes, list[Row]]:
    """All rows of the database's tables by name, after comparing its schema with the snapshot's."""
    entries = {entry.name: entry for entry in snapshot.tables}
    is_whole = snapshot.manifest["snapshot"]["whole_database"]
    rows_of = {}
    with Database(path) as database:
        if is_whole:
            findings.expect("schema", "database", "header", database.header(), snapshot.manifest["database"])
            findings.expect("schema", "database", "sqlite_schema", database.schema(), snapshot.schema())
            digest = schema_digest(database.header(), database.schema())
            findings.expect(
                "schema-digest", "database", "schema digest", digest, snapshot.manifest["schema_digest"]
            )
        tables = {table.name: table for table in database.tables()}
        if is_whole:
            findings.expect("schema", "database", "tables", sorted(tables), sorted(entries))
        for name in entries.keys() - tables.keys():
            findings.add("schema", f"table {entries[name].label}", "SQLite has no such table")
        for name, table in tables.items():
            if name not in entries:
                continue
            rows, note = database.rows(table)
            if note is not None:
                findings.note(note)
            rows_of[name] = rows
            judge = TableJudge(snapshot, entries[name], findings)
            judge.check_definition(table)
            if entries[name].files or is_whole:
                judge.check_source_digest(rows)
    return rows_of


def main() -> int:
    """Judges what the command line names."""
    parser = argparse.ArgumentParser(description="Judges snapshots through DuckDB, pyarrow and polars")
    parser.add_argument("paths", type=Path, nargs="*", metavar="SNAPSHOT [DATABASE]")
    parser.add_argument("--self-test", type=Path, metavar="PARKLITE")
    arguments = parser.parse_args()
    paths: list[Path] = arguments.paths
    if arguments.self_test is not None:
        return self_test(arguments.self_test, check_pair)
    if not paths or (len(paths) > 1 and len(paths) % 2):
        parser.error("name one snapshot, or snapshots each followed by its database")
    pairs: list[tuple[Path, Path | None]] = [(paths[0], None)]
    if len(paths) > 1:
        pairs = list(zip(paths[::2], paths[1::2]))
    failed = 0
    for snapshot, database in pairs:
        findings, summary = check_pair(snapshot, database)
        failed += bool(findings.found)
        print(f"{'WRONG' if findings.found else 'ok'}: {(database or snapshot).name}: {summary}")
        for note in findings.notes:
            print(f"  note: {note}")
        for check, text in findings.found:
            print(f"  {check}: {text}")
    print(f"{len(pairs)} snapshots judged, {failed} wrong")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
