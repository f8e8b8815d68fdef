"""One table: its files through every reader, against the manifest and against SQLite."""

import math
from collections.abc import Sequence
from typing import Any

from judge.cells import (
    INTEGER,
    NULL,
    REAL,
    Cell,
    ContentDigest,
    Row,
    digest_rows,
    disordered,
    real_value,
    sort_rows,
)
from judge.database import SourceTable, affinity
from judge.findings import Findings
from judge.footer import Footer, check_sorting
from judge.readers import DuckDb, Reader, ReadTable
from judge.rebuild import rebuild_rows
from judge.snapshot import Snapshot, TableEntry, text_bytes

# Columns of doubles that are searched for a value, to see that statistics mislead no reader.
SEARCHED_COLUMNS = 3
# Readers add doubles up in an order of their own.
SUM_TOLERANCE = 1e-12
_COUNT_NAMES = ["null", "integer", "real", "text", "blob", "raw_text"]


class TableJudge:
    """The judge of one table of a snapshot."""

    def __init__(self, snapshot: Snapshot, entry: TableEntry, findings: Findings) -> None:
        self.snapshot = snapshot
        self.entry = entry
        self.findings = findings
        self.where = f"table {entry.label}"

    def check(self, duckdb: DuckDb, readers: Sequence[Reader], expected: list[Row] | None) -> list[Row]:
        """Checks the table through every reader; returns its rows in the snapshot's order.

        `expected` holds SQLite's rows, in any order; without it the readers are compared with each other.
        """
        if expected is not None:
            sort_rows(expected, self.entry.terms())
        if not self.entry.files:
            inline = self.entry.inline_rows()
            if expected is not None and not set(inline) <= set(expected):
                self.findings.add("cells", self.where, "a row in the manifest is not in SQLite")
            self._expect_digest("manifest", str(self.entry.document["digest"]), digest_rows(inline))
            return inline
        for file in self.entry.files:
            self._check_structure(file)
        for reader in readers:
            rows = []
            for file in self.entry.files:
                rows += self._check_file(duckdb, reader, file)
            expected = rows if expected is None else expected
            self._compare(rows, expected, reader.name)
        assert expected is not None
        for ordinal in disordered(expected, self.entry.terms()):
            self.findings.add("order", self.where, f"row {ordinal} does not come after the one before it")
        self._check_mapping(expected)
        return expected

    def _check_structure(self, file: dict[str, Any]) -> None:
        try:
            Footer(self.snapshot, self.entry, file, self.findings).check_structure()
        except Exception as error:  # A footer that makes no sense ends in some error of pyarrow's.
            self.findings.add("read", f"{self.where}, footer", f"{type(error).__name__}: {error}")

    def _check_file(self, duckdb: DuckDb, reader: Reader, file: dict[str, Any]) -> list[Row]:
        path = self.snapshot.data_path(file)
        where = f"{self.where}, {reader.name}"
        try:
            read = reader.read(path)
        except Exception as error:  # Whatever a reader throws, it could not read the file.
            self.findings.add("read", where, f"{type(error).__name__}: {error}")
            return []
        columns = self.entry.parquet_columns()
        self.findings.expect("names", where, "names", [column.name for column in columns], read.names)
        self.findings.expect("types", where, "types", [column.kind for column in columns], read.kinds)
        self.findings.expect("rows", where, "rows", rows_of(file["digest"]), read.row_count())
        if [column.kind for column in columns] != read.kinds:
            return []
        check_sorting(self.entry, read, where, self.findings)
        rows = rebuild_rows(self.entry, read.by_name(), where, self.findings)
        for ordinal in disordered(rows, self.entry.terms()):
            self.findings.add("order", where, f"row {ordinal} does not come after the one before it")
        self._check_sums(reader, file, rows, where)
        self._check_searches(reader, file, read, where)
        if reader.name == "pyarrow":
            footer = Footer(self.snapshot, self.entry, file, self.findings)
            footer.check_statistics(duckdb, read)
            self._check_digests(footer, rows)
        return rows

    def _check_digests(self, footer: Footer, rows: list[Row]) -> None:
        total = ContentDigest()
        for index, (entry, part) in enumerate(zip(footer.file["row_groups"], footer.row_group_slices())):
            digest = digest_rows(rows[part])
            self._expect_digest(f"row group {index}", entry["digest"], digest)
            total += digest
        self._expect_digest("file", footer.file["digest"], total)
        if len(self.entry.files) == 1:
            self._expect_digest("table", self.entry.document["digest"], total)

    def check_source_digest(self, rows: list[Row]) -> None:
        """Compares the digest of SQLite's own rows with the manifest's."""
        self._expect_digest("SQLite's rows", self.entry.document["digest"], digest_rows(rows))

    def check_definition(self, source: SourceTable) -> None:
        """Compares what the manifest says of the table's columns with what SQLite says."""
        indexes = [mapped["column"] for mapped in self.entry.mapping]
        stored = [self.entry.columns[index] for index in indexes]
        said = [(text_bytes(column["name"]), text_bytes(column["declared_type"])) for column in stored]
        expected = [(column.name, column.declared_type) for column in source.columns]
        self.findings.expect("definition", self.where, "stored columns", expected, said)
        self.findings.expect(
            "definition", self.where, "their indexes", [column.index for column in source.columns], indexes
        )
        self.findings.expect("definition", self.where, "has a rowid", source.has_rowid, self.entry.has_rowid)
        self.findings.expect("definition", self.where, "rowid alias", source.rowid_alias, self.entry.rowid_alias)
        needs_rowid_column = source.has_rowid and source.rowid_alias is None
        self.findings.expect(
            "definition",
            self.where,
            "has a column for the rowid",
            needs_rowid_column,
            self.entry.rowid_column is not None,
        )

    def _expect_digest(self, what: str, manifest: str, digest: ContentDigest) -> None:
        self.findings.expect("digest", self.where, f"digest of {what}", manifest, str(digest))

    def _compare(self, rows: list[Row], expected: list[Row], reader: str) -> None:
        if rows == expected:
            return
        where = f"{self.where}, {reader}"
        self.findings.expect("rows", where, "rows", len(expected), len(rows))
        for ordinal, (one, two) in enumerate(zip(expected, rows), 1):
            if one != two:
                self.findings.add("cells", where, f"row {ordinal}: {_first_difference(one, two)}")

    def _check_sums(self, reader: Reader, file: dict[str, Any], rows: list[Row], where: str) -> None:
        """A number family's main column adds up to all its numbers, integers included."""
        families = [
            (mapped["name"], position)
            for position, mapped in enumerate(self.entry.mapping)
            if mapped.get("number_family", False)
        ]
        if not families:
            return
        totals = reader.totals(self.snapshot.data_path(file), [name for name, _ in families])
        for (name, position), got in zip(families, totals):
            numbers = [float(number) for _, cells in rows for number in _numbers(cells[position])]
            magnitude = sum(map(abs, numbers))
            if math.isfinite(magnitude) and not abs(got - math.fsum(numbers)) <= SUM_TOLERANCE * magnitude:
                self.findings.add("sum", where, f"sum of {name}: expected {math.fsum(numbers)}, got {got}")

    def _check_searches(self, reader: Reader, file: dict[str, Any], read: ReadTable, where: str) -> None:
        """Searching for a double finds every one: its statistics mislead no reader."""
        searched = 0
        for name, kind, values in zip(read.names, read.kinds, read.columns):
            numbers = [value for value in values if value is not None] if kind == "real" else []
            if not numbers or searched == SEARCHED_COLUMNS:
                continue
            searched += 1
            for value in {min(numbers), max(numbers)}:
                count = reader.count_equal(self.snapshot.data_path(file), name, value)
                self.findings.expect(
                    "statistics", where, f"rows where {name} = {value}", numbers.count(value), count
                )

    def _check_mapping(self, rows: list[Row]) -> None:
        """The mapping follows the rules, and its counts are the table's."""
        for position, mapped in enumerate(self.entry.mapping):
            counts = [0] * len(_COUNT_NAMES)
            for _, cells in rows:
                counts[cells[position][0]] += 1
            named = dict(zip(_COUNT_NAMES, counts))
            where = f"{self.where}, {mapped['name']}"
            self.findings.expect("mapping", where, "counts", named, mapped["counts"])
            declared = text_bytes(self.entry.columns[mapped["column"]]["declared_type"])
            main = expected_main(declared, counts, self.entry.document.get("strict", False))
            family = mapped.get("number_family", False)
            if main is not None:
                self.findings.expect("mapping", where, "main column", main, (mapped["main"], family))
            companions = {companion["class"] for companion in mapped.get("companions", [])}
            occurring = {name.replace("_", "") for name, count in named.items() if count}
            self.findings.expect("mapping", where, "companions", occurring - {"null", mapped["main"]}, companions)


def expected_main(declared: bytes, counts: Sequence[int], strict: bool) -> tuple[str, bool] | None:
    """The main column's kind and whether it is a number family; None where the rules leave a choice."""
    _, integers, reals, texts, blobs, raw_texts = counts
    own = "blob" if strict and declared.upper() == b"ANY" else affinity(declared)
    groups = {"number": integers + reals, "text": texts + raw_texts, "blob": blobs}
    most = max(groups.values())
    if most == 0:
        return ("real" if own == "numeric" else own, False)
    leaders = [name for name, count in groups.items() if count == most]
    own_group = own if own in groups else "number"
    if len(leaders) > 1 and own_group not in leaders:
        return None
    winner = leaders[0] if len(leaders) == 1 else own_group
    if winner != "number":
        return (winner, False)
    if integers and any(word in declared.upper() for word in (b"DECIMAL", b"NUMERIC")):
        return ("real", True)
    if integers and reals:
        return ("integer", False) if own == "integer" else ("real", True)
    return ("integer" if integers else "real", False)


def rows_of(digest: str) -> int:
    """The row count in a content digest."""
    return int(digest.partition("-")[0])


def _numbers(cell: Cell) -> list[int | float]:
    tag, value = cell
    if isinstance(value, int):
        return [value]
    return [real_value(value)] if tag == REAL else []


def _first_difference(one: Row, two: Row) -> str:
    if one[0] != two[0]:
        return f"expected rowid {one[0]}, got {two[0]}"
    for position, (expected, got) in enumerate(zip(one[1], two[1])):
        if expected != got:
            return f"stored column {position}: expected {_words(expected)}, got {_words(got)}"
    return "another number of cells"


def _words(cell: Cell) -> str:
    name = {NULL: "NULL", INTEGER: "INTEGER", REAL: "REAL"}.get(cell[0], _COUNT_NAMES[cell[0]])
    return f"{name} {cell[1]!r}"[:200]
