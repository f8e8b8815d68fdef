"""DuckDB, pyarrow and polars, each opening a file as anybody would: its path and no options."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import duckdb
import polars
import pyarrow.compute
import pyarrow.parquet as pq

from judge.database import quoted

_DUCKDB_KINDS = {"BIGINT": "integer", "DOUBLE": "real", "VARCHAR": "text", "BLOB": "blob"}
_PYARROW_KINDS = {"int64": "integer", "double": "real", "string": "text", "binary": "blob"}
_POLARS_KINDS = {"Int64": "integer", "Float64": "real", "String": "text", "Binary": "blob"}


@dataclass(frozen=True)
class ReadTable:
    """What a reader makes of a file: names, kinds (its own word where it is none of ours), values by column."""

    names: list[str]
    kinds: list[str]
    columns: list[list[Any]]

    def row_count(self) -> int:
        """How many rows."""
        return len(self.columns[0])

    def by_name(self) -> dict[str, list[Any]]:
        """The columns by name."""
        return dict(zip(self.names, self.columns))


class Reader(Protocol):
    """One Parquet reader."""

    name: str

    def read(self, path: Path) -> ReadTable:
        """Reads all of a file."""

    def totals(self, path: Path, columns: list[str]) -> list[float]:
        """The sums of columns, as the reader itself adds them up; 0 where there is nothing but NULL."""

    def count_equal(self, path: Path, column: str, value: float) -> int:
        """How many rows equal a number, by a query that may skip row groups and pages by their statistics."""


class DuckDb:
    """DuckDB."""

    name = "DuckDB"

    def __init__(self) -> None:
        self.connection = duckdb.connect()

    def read(self, path: Path) -> ReadTable:
        """Reads all of a file."""
        return self.query(f"SELECT * FROM {_source(path)}")

    def query(self, sql: str) -> ReadTable:
        """The result of a query as a table."""
        result = self.connection.execute(sql)
        names = [column[0] for column in result.description]
        kinds = [_DUCKDB_KINDS.get(str(column[1]), str(column[1])) for column in result.description]
        rows = result.fetchall()
        return ReadTable(names, kinds, [list(column) for column in zip(*rows)] or [[] for _ in names])

    def totals(self, path: Path, columns: list[str]) -> list[float]:
        """The sums of columns."""
        sums = ", ".join(f"coalesce(sum({quoted(column)}), 0)" for column in columns)
        row = self.connection.execute(f"SELECT {sums} FROM {_source(path)}").fetchone()
        assert row is not None
        return [float(total) for total in row]

    def count_equal(self, path: Path, column: str, value: float) -> int:
        """How many rows equal a number."""
        return int(self._one(f"SELECT count(*) FROM {_source(path)} WHERE {quoted(column)} = ?", [value]))

    def double_bounds(self, path: Path) -> dict[tuple[int, int], tuple[str | None, str | None]]:
        """What DuckDB reads of the statistics of double columns, by row group and column."""
        rows = self.connection.execute(
            "SELECT row_group_id, column_id, stats_min_value, stats_max_value"
            " FROM parquet_metadata(?) WHERE type = 'DOUBLE'",
            [str(path)],
        ).fetchall()
        return {(group, column): (low, high) for group, column, low, high in rows}

    def _one(self, sql: str, arguments: list[Any] | None = None) -> Any:
        row = self.connection.execute(sql, arguments or []).fetchone()
        assert row is not None
        return row[0]


def _source(path: Path) -> str:
    return "read_parquet('" + str(path).replace("'", "''") + "')"


class PyArrow:
    """pyarrow."""

    name = "pyarrow"

    def read(self, path: Path) -> ReadTable:
        """Reads all of a file."""
        table = pq.read_table(path)
        kinds = [_PYARROW_KINDS.get(str(kind), str(kind)) for kind in table.schema.types]
        return ReadTable(table.column_names, kinds, [column.to_pylist() for column in table.columns])

    def totals(self, path: Path, columns: list[str]) -> list[float]:
        """The sums of columns."""
        table = pq.read_table(path)
        return [float(pyarrow.compute.sum(table.column(column)).as_py() or 0) for column in columns]

    def count_equal(self, path: Path, column: str, value: float) -> int:
        """How many rows equal a number."""
        return int(pq.read_table(path, filters=pyarrow.compute.field(column) == value).num_rows)


class Polars:
    """polars."""

    name = "polars"

    def read(self, path: Path) -> ReadTable:
        """Reads all of a file."""
        frame = polars.read_parquet(path)
        kinds = [_POLARS_KINDS.get(str(kind), str(kind)) for kind in frame.dtypes]
        return ReadTable(frame.columns, kinds, [column.to_list() for column in frame.get_columns()])

    def totals(self, path: Path, columns: list[str]) -> list[float]:
        """The sums of columns."""
        frame = polars.read_parquet(path)
        return [float(frame.get_column(column).sum()) for column in columns]

    def count_equal(self, path: Path, column: str, value: float) -> int:
        """How many rows equal a number."""
        # polars takes a name between ^ and $ for a pattern, so the column is named anew by its place.
        scan = polars.scan_parquet(path)
        frame = scan.filter(polars.nth(scan.collect_schema().names().index(column)) == value)
        return int(frame.select(polars.len()).collect().item())


@contextmanager
def all_readers() -> Iterator[tuple[DuckDb, list[Reader]]]:
    """The three readers, DuckDB first."""
    first = DuckDb()
    try:
        yield first, [first, PyArrow(), Polars()]
    finally:
        first.connection.close()
