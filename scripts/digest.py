#!/usr/bin/env python3
"""Prints the content digest of every table of a SQLite database or of a snapshot.

An independent implementation of DESIGN.md, "Digests": it shares no code with parklite and never calls it. A
database is read through Python's SQLite, Parquet files through pyarrow. One line per table:

    scripts/digest.py gymlog.db                         <table>\t<rows>-<32 hex digits>
    scripts/digest.py gymlog-2026-11-20T09-30-00Z/      the same lines, if nothing was lost

Of a snapshot, the manifest's own digest and the schema digest follow on stderr, with what the manifest says.
Line ends and tabs in names are escaped. Exit 1 where a digest is not the one in the manifest.
"""

import argparse
import sys
from pathlib import Path

from judge.cells import digest_rows
from judge.database import Database
from judge.findings import Findings
from judge.readers import PyArrow
from judge.rebuild import rebuild_rows
from judge.snapshot import Snapshot, manifest_digest, schema_digest


def digest_database(path: Path) -> list[tuple[bytes, str]]:
    """The digest of every table of a database, in the order of its schema."""
    with Database(path) as database:
        return [(table.name, str(digest_rows(database.rows(table)[0]))) for table in database.tables()]


def digest_snapshot(snapshot: Snapshot) -> list[tuple[bytes, str]]:
    """The digest of every table of a snapshot, from its Parquet files."""
    digests = []
    for entry in snapshot.tables:
        digest = digest_rows(entry.inline_rows())
        for file in entry.files:
            columns = PyArrow().read(snapshot.data_path(file)).by_name()
            digest += digest_rows(rebuild_rows(entry, columns, entry.label, Findings()))
        digests.append((entry.name, str(digest)))
    return digests


def main() -> int:
    """Prints the digests; 1 where one is not what the manifest says."""
    parser = argparse.ArgumentParser(description="Content digests of a SQLite database or of a snapshot")
    parser.add_argument("path", type=Path, metavar="DATABASE|SNAPSHOT")
    path: Path = parser.parse_args().path
    if not path.exists():
        parser.error(f"there is no {path}")
    if path.is_file() and path.open("rb").read(4) != b"PAR1":
        _print_digests(digest_database(path))
        return 0
    snapshot = Snapshot(path)
    digests = digest_snapshot(snapshot)
    _print_digests(digests)
    manifest = snapshot.manifest
    said = [(f"table {entry.label}", str(entry.document["digest"])) for entry in snapshot.tables]
    said += [("manifest", manifest["manifest_sha256"]), ("schema", manifest["schema_digest"])]
    made = [digest for _, digest in digests]
    made += [manifest_digest(snapshot.text), schema_digest(manifest["database"], snapshot.schema())]
    wrong = 0
    for (name, stated), digest in zip(said, made):
        if name in ("manifest", "schema"):
            print(f"{name}\t{digest}", file=sys.stderr)
        if stated != digest:
            print(f"WRONG: {name}: the manifest says {stated}, it is {digest}", file=sys.stderr)
            wrong = 1
    return wrong


def _print_digests(digests: list[tuple[bytes, str]]) -> None:
    for name, digest in digests:
        label = name.decode(errors="replace").replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
        print(f"{label}\t{digest}")


if __name__ == "__main__":
    sys.exit(main())
