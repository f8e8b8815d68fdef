"""Rows from the Parquet columns that a reader returned, by the rules of DESIGN.md, section 2.

A cell is in the companion of its class, or else in the main column, or NULL everywhere. In a number family the
main column shows every number, and the integer companion holds the exact value of those that are INTEGER.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from judge.cells import BLOB, INTEGER, NULL_CELL, RAW_TEXT, REAL, TEXT, Cell, Row, real_value
from judge.findings import Findings
from judge.snapshot import TableEntry

_TAGS = {"integer": INTEGER, "real": REAL, "text": TEXT, "rawtext": RAW_TEXT, "blob": BLOB}


def rebuild_rows(
    entry: TableEntry, columns: Mapping[str, Sequence[Any]], where: str, findings: Findings
) -> list[Row]:
    """The rows of a table from its Parquet columns by name, in file order."""
    cells = [_rebuild_column(mapped, columns, where, findings) for mapped in entry.mapping]
    alias = entry.alias_position()
    rowids: Sequence[Any]
    if entry.rowid_column is not None:
        rowids = columns[entry.rowid_column]
    elif alias is not None:
        rowids = [value for _, value in cells[alias]]
    else:
        rowids = [None] * len(cells[0])
    if entry.has_rowid and None in rowids:
        findings.add("cells", where, "a row has no rowid")
    return list(zip(rowids, zip(*cells, strict=True), strict=True))


def _rebuild_column(
    mapped: dict[str, Any], columns: Mapping[str, Sequence[Any]], where: str, findings: Findings
) -> list[Cell]:
    cells = _cells(mapped["main"], columns[mapped["name"]])
    family = mapped.get("number_family", False)
    for companion in mapped.get("companions", []):
        replaces_number = family and companion["class"] == "integer"
        for index, cell in enumerate(_cells(companion["class"], columns[companion["name"]])):
            if cell == NULL_CELL:
                continue
            main = cells[index]
            if replaces_number:
                if not _is_nearest_double(main, cell):
                    findings.add("cells", where, f"{mapped['name']}, row {index + 1}: {main} shows {cell}")
            elif main != NULL_CELL:
                findings.add("cells", where, f"{mapped['name']}, row {index + 1} is both {main} and {cell}")
            cells[index] = cell
    return cells


def _is_nearest_double(main: Cell, integer: Cell) -> bool:
    # Python rounds an int to the nearest double, ties to even.
    return main[0] == REAL and isinstance(integer[1], int) and real_value(main[1]) == float(integer[1])


def _cells(kind: str, values: Sequence[Any]) -> list[Cell]:
    tag = _TAGS[kind]
    if tag == TEXT:
        return [NULL_CELL if value is None else (tag, value.encode()) for value in values]
    if tag == REAL:
        pack = struct.Struct("<d").pack
        return [NULL_CELL if value is None else (tag, pack(value)) for value in values]
    return [NULL_CELL if value is None else (tag, value) for value in values]
