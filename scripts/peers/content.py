"""Exact digests of tables, in databases and in Parquet files: every cell counts, with its storage class.

    content.py database PATH TABLE…
    content.py parquet FOLDER ORDER TABLE=COLUMNS…     COLUMNS as a JSON object: name to whether it holds blobs

Prints the digests by table as JSON. A row is serialised as a tuple of Python values, which tells integers, reals,
texts, blobs and NULL apart, 1 from 1.0 and 0.0 from -0.0, and hashed with BLAKE2. A table's digest is its row count
and the sum of its rows' hashes: rows may come in any order, but none may be missing, doubled or changed. Whether the
rows of a Parquet file are ordered is looked at separately. All processors work, each on a part of a table. Parquet
files need pyarrow.
"""

import hashlib
import importlib.util
import json
import marshal
import multiprocessing
import os
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Of marshal: the newest in which equal values always have equal bytes.
_PLAIN = 2
_BATCH_ROWS = 16_384
_SUM = 1 << 128
_HAS_NUMPY = importlib.util.find_spec("numpy") is not None

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Part:
    """Some of a table's rows: how many, the sum of their hashes, and the ends of their order."""

    rows: int
    total: int
    first: Any = None
    last: Any = None
    disorder: str | None = None


def digest_database(path: Path, table: str, pool: Any) -> str:
    """The digest of a table, cut by its INTEGER PRIMARY KEY `id`."""
    connection = _open(path)
    low, high = connection.execute(f"SELECT min(id), max(id) FROM {_quoted(table)}").fetchone()
    connection.close()
    if low is None:
        return _join([])
    step = (high - low) // (os.cpu_count() or 1) + 1
    parts = [(path, table, start, start + step) for start in range(low, high + 1, step)]
    return _join(pool.starmap(_database_part, parts))


def digest_parquet(path: Path, order: str, columns: dict[str, bool], pool: Any) -> str:
    """The digest of a Parquet file, or what is wrong with its columns or the order of its rows."""
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    if file.schema_arrow.names != list(columns):
        return f"other columns: {', '.join(file.schema_arrow.names)}"
    blobs = {name for name, is_blob in columns.items() if is_blob}
    groups = range(file.metadata.num_row_groups)
    parts = pool.starmap(_parquet_part, [(path, order, blobs, group) for group in groups])
    before: Any = None
    for part in parts:
        if part.disorder is None and before is not None and part.rows and part.first < before:
            return _not_ordered(part.first, before)
        if part.disorder is not None:
            return str(part.disorder)
        before = part.last if part.rows else before
    return _join(parts)


def _database_part(path: Path, table: str, start: int, end: int) -> Part:
    connection = _open(path)
    rows = connection.execute(f"SELECT * FROM {_quoted(table)} WHERE id >= ? AND id < ?", [start, end])
    part = Part(*_sum_rows(rows))
    connection.close()
    return part


def _parquet_part(path: Path, order: str, blobs: set[str], group: int) -> Part:
    import pyarrow as pa
    import pyarrow.parquet as pq

    ends: list[Any] = []
    disorder: list[str] = []

    def rows() -> Iterator[Row]:
        file = pq.ParquetFile(path)
        place = file.schema_arrow.names.index(order)
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, row_groups=[group]):
            columns = []
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                is_binary = pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)
                # A writer without a type for bytes that calls them a string has kept the bytes.
                columns.append(_values(column.cast(pa.binary()) if name in blobs and not is_binary else column))
            for value in columns[place]:
                if ends and value < ends[1]:
                    disorder.append(_not_ordered(value, ends[1]))
                ends[:] = [ends[0] if ends else value, value]
            yield from zip(*columns, strict=True)

    count, total = _sum_rows(rows())
    first, last = ends or (None, None)
    return Part(count, total, first, last, disorder[0] if disorder else None)


def _not_ordered(value: object, before: object) -> str:
    return f"not in order: {value!r} stands after {before!r}"


def _sum_rows(rows: Iterable[Row]) -> tuple[int, int]:
    count = 0
    total = 0
    for row in rows:
        total += int.from_bytes(hashlib.blake2b(marshal.dumps(row, _PLAIN), digest_size=16).digest(), "little")
        count += 1
    return count, total


def _join(parts: list[Part]) -> str:
    return f"{sum(part.rows for part in parts)}-{sum(part.total for part in parts) % _SUM:032x}"


def _values(column: Any) -> list[Any]:
    # Through numpy where it is there, which is several times as fast, except where it would turn integers with NULLs
    # into doubles.
    is_bytes = str(column.type) in ("string", "large_string", "binary", "large_binary")
    if _HAS_NUMPY and (column.null_count == 0 or is_bytes):
        values: list[Any] = column.to_numpy(zero_copy_only=False).tolist()
        return values
    listed: list[Any] = column.to_pylist()
    return listed


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def main() -> None:
    """Prints the digests that the command line asks for; in the place of one, why there is none."""
    kind, path, *arguments = sys.argv[1:]
    digests = {}
    with multiprocessing.Pool() as pool:
        order = arguments.pop(0) if kind == "parquet" else ""
        for argument in arguments:
            table, _, columns = argument.partition("=")
            try:
                if kind == "parquet":
                    file = Path(path) / f"{table}.parquet"
                    digests[table] = digest_parquet(file, order, json.loads(columns), pool)
                else:
                    digests[table] = digest_database(Path(path), table, pool)
            except Exception as error:  # Whatever makes content unreadable is the finding.
                # Without the bytes that a text did not decode from.
                digests[table] = f"unreadable: {type(error).__name__}: {str(error).split(' with text')[0]}"[:300]
    print(json.dumps(digests))


if __name__ == "__main__":
    main()
