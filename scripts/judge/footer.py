"""What the footer of a table file claims: its own description, sorting columns, statistics, chunk hashes."""

import json
import math
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import xxhash

from judge.findings import Findings
from judge.readers import DuckDb, ReadTable
from judge.snapshot import SNAPSHOT_KEY, ParquetColumn, Snapshot, TableEntry, text_bytes

TABLE_KEY = b"parklite.table"
# What belongs to the snapshot and must not be in a file that snapshots can share.
SNAPSHOT_FIELDS = {"snapshot", "files", "taken_at_utc", "written_by", "manifest_sha256", "database", "source_name"}


class Footer:
    """The footer of one data file."""

    def __init__(self, snapshot: Snapshot, entry: TableEntry, file: dict[str, Any], findings: Findings) -> None:
        self.snapshot = snapshot
        self.entry = entry
        self.file = file
        self.path: Path = snapshot.data_path(file)
        self.where = f"table {entry.label}, footer"
        self.findings = findings
        self.metadata = pq.read_metadata(self.path)

    def check_structure(self) -> None:
        """Checks what needs no value: key-value entries, schema, row groups, chunk hashes."""
        self._check_keys()
        self._check_schema()
        self._check_row_groups()

    def check_statistics(self, duckdb: DuckDb, read: ReadTable) -> None:
        """Checks the statistics against the values that were read."""
        self._check_statistics(read)
        self._check_duckdb_statistics(duckdb, read)

    def row_group_slices(self) -> list[slice]:
        """Which rows each row group holds."""
        slices, start = [], 0
        for index in range(self.metadata.num_row_groups):
            end = start + self.metadata.row_group(index).num_rows
            slices.append(slice(start, end))
            start = end
        return slices

    def _check_keys(self) -> None:
        keys = self.metadata.metadata or {}
        if b"ARROW:schema" in keys:
            self.findings.add("arrow-schema", self.where, "there is an ARROW:schema entry")
        own = {TABLE_KEY} if self.snapshot.is_folder else {TABLE_KEY, SNAPSHOT_KEY}
        self.findings.expect("footer", self.where, "keys", own, set(keys) - {b"ARROW:schema"})
        if TABLE_KEY not in keys:
            return
        footer: dict[str, Any] = json.loads(keys[TABLE_KEY])
        manifest_fields = {**self.entry.document, "digest": self.file["digest"]}
        manifest_fields |= {"row_groups": self.file["row_groups"]}
        for name in manifest_fields.keys() - {"files", "inline_rows"}:
            self.findings.expect("footer", self.where, name, manifest_fields[name], footer.get(name))
        for name in SNAPSHOT_FIELDS & footer.keys():
            self.findings.add("footer", self.where, f"{name} belongs to the snapshot, not to a file")
        belongs = [
            row
            for row in self.snapshot.manifest["schema"]
            if text_bytes(row["table_name"]).lower() == self.entry.name.lower()
        ]
        self.findings.expect("footer", self.where, "schema", belongs, footer.get("schema"))

    def _check_schema(self) -> None:
        for index, column in enumerate(self.entry.parquet_columns()):
            described = self.metadata.schema.column(index)
            is_rowid = column.position is None
            got = (described.name, described.max_definition_level, described.max_repetition_level)
            self.findings.expect("types", self.where, "name and levels", (column.name, int(not is_rowid), 0), got)

    def _check_row_groups(self) -> None:
        groups = [self.metadata.row_group(index) for index in range(self.metadata.num_row_groups)]
        self.findings.expect(
            "rows",
            self.where,
            "rows per row group",
            [group["rows"] for group in self.file["row_groups"]],
            [group.num_rows for group in groups],
        )
        data = self.path.read_bytes()
        for index, (group, entry) in enumerate(zip(groups, self.file["row_groups"])):
            hashes = []
            for column in range(group.num_columns):
                chunk = group.column(column)
                self.findings.expect("footer", self.where, "compression", "ZSTD", chunk.compression)
                offsets = (chunk.dictionary_page_offset, chunk.data_page_offset)
                start = min(offset for offset in offsets if offset is not None)
                hashes.append(xxhash.xxh3_64_hexdigest(data[start : start + chunk.total_compressed_size]))
            self.findings.expect("chunk-hash", self.where, f"chunks of row group {index}", entry["chunks"], hashes)
            claimed = [(sort.column_index, sort.descending, sort.nulls_first) for sort in group.sorting_columns]
            self.findings.expect(
                "sorting-columns",
                self.where,
                f"sorting columns of row group {index}",
                [(column, descending, not descending) for column, descending in sorting_terms(self.entry)],
                claimed,
            )

    def _check_statistics(self, read: ReadTable) -> None:
        for index, rows in enumerate(self.row_group_slices()):
            group = self.metadata.row_group(index)
            for number, column in enumerate(self.entry.parquet_columns()):
                statistics = group.column(number).statistics
                where = f"{self.where}, {column.name}, row group {index}"
                values = [value for value in read.columns[number][rows] if value is not None]
                self._check_bounds(column, statistics, values, where)
                if statistics is not None and statistics.has_null_count:
                    nulls = rows.stop - rows.start - len(values)
                    self.findings.expect("statistics", where, "nulls", nulls, statistics.null_count)

    def _check_bounds(self, column: ParquetColumn, statistics: Any, values: list[Any], where: str) -> None:
        if statistics is None or not statistics.has_min_max:
            # Large texts and blobs go without.
            if values and column.kind in ("integer", "real"):
                self.findings.add("statistics", where, "minimum and maximum are missing")
        elif not values:
            self.findings.add("statistics", where, "there are bounds, but no values")
        elif column.kind in ("integer", "real"):
            bounds = (statistics.min, statistics.max)
            self.findings.expect("statistics", where, "bounds", (min(values), max(values)), bounds)
        else:
            encoded = [value.encode() if isinstance(value, str) else value for value in values]
            low, high = _as_bytes(statistics.min), _as_bytes(statistics.max)
            if low > min(encoded) or high < max(encoded):
                self.findings.add("statistics", where, f"values lie outside {low!r} to {high!r}")

    def _check_duckdb_statistics(self, duckdb: DuckDb, read: ReadTable) -> None:
        slices = self.row_group_slices()
        for (group, column), bounds in duckdb.double_bounds(self.path).items():
            values = [value for value in read.columns[column][slices[group]] if value is not None]
            where = f"{self.where}, column {column}, row group {group}, in DuckDB"
            for expected, bound in zip((min(values), max(values)) if values else (None, None), bounds):
                # DuckDB drops infinite bounds, and prints the smallest numbers with few digits.
                if expected is None or (math.isfinite(expected) and not _is_subnormal(expected)):
                    got = None if bound is None else float(bound)
                    self.findings.expect("statistics", where, "bound", expected, got)


def sorting_terms(entry: TableEntry) -> list[tuple[int, bool]]:
    """What a footer should claim: Parquet columns by index, and whether they descend.

    The longest prefix of the order in which every column is one Parquet column without companions; a number
    family without other companions may stand last.
    """
    columns = entry.parquet_columns()
    mains = {column.position: index for index, column in enumerate(columns) if column.companion is None}
    claimed = []
    for position, descending in entry.terms():
        companions = [] if position is None else entry.mapping[position].get("companions", [])
        family = position is not None and entry.mapping[position].get("number_family", False)
        is_last = family and all(companion["class"] == "integer" for companion in companions)
        if companions and not is_last:
            break
        claimed.append((mains[position], descending))
        if is_last:
            break
    return claimed


def check_sorting(entry: TableEntry, read: ReadTable, where: str, findings: Findings) -> None:
    """Checks that a reader's values really stand in the order of the sorting columns."""
    terms = sorting_terms(entry)
    before: list[tuple[int, Any]] | None = None
    for ordinal, values in enumerate(zip(*(read.columns[column] for column, _ in terms)), 1):
        keys = [_value_key(value) for value in values]
        if before is not None:
            for one, two, (_, descending) in zip(before, keys, terms):
                if one != two:
                    if (two < one) != descending:
                        findings.add("sorting-columns", where, f"row {ordinal} breaks the claimed order")
                    break
        before = keys


def _value_key(value: Any) -> tuple[int, Any]:
    # NULLs first, and last where the column descends.
    if value is None:
        return (0, 0)
    return (1, value.encode() if isinstance(value, str) else value)


def _as_bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


def _is_subnormal(value: float) -> bool:
    return 0 < abs(value) < sys.float_info.min
