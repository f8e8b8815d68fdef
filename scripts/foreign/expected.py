"""What must become of a file, as pyarrow reads it.

Physical values come from pyarrow's scalars, their meaning from the Parquet schema, never from the Arrow types: a file
can carry an Arrow schema of its own, which other programs do not see.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from foreign import cells as c
from foreign.cells import Base64, Cell, Expected, Members

# Digits of a second in Arrow's units.
_ARROW_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}


class Leaf:
    """A leaf of the Parquet schema: its physical type and its annotation."""

    def __init__(self, column: pq.ColumnSchema) -> None:
        self.physical: str = column.physical_type
        self.logical: dict[str, Any] = json.loads(column.logical_type.to_json())
        self.kind: str = self.logical["Type"]

    def declared(self) -> str:
        """The declared type of a column that is this leaf."""
        if self.kind == "Null" or (self.kind == "Int" and self.physical == "INT64" and not self.logical["isSigned"]):
            return ""
        if self.kind == "Int":
            return "INTEGER"
        if self.kind == "Float16":
            return "REAL"
        if self.kind not in ("None", "BSON"):
            return "TEXT"
        by_physical = {"BOOLEAN": "INTEGER", "INT32": "INTEGER", "INT64": "INTEGER", "FLOAT": "REAL",
                       "DOUBLE": "REAL", "INT96": "TEXT"}  # fmt: skip
        return by_physical.get(self.physical, "BLOB")

    def value(self, scalar: Any) -> object:
        """A Python value: int, float, bool, str, or Base64 for bytes; text of dates and the like is str."""
        kind, raw = self.kind, scalar
        if kind == "Null":
            return None
        if kind in ("String", "Enum", "JSON"):
            return bytes(raw.as_buffer()).decode(errors="surrogateescape")
        if kind == "Decimal":
            return c.python_decimal(raw.as_py(), self.logical["scale"])
        if kind == "Date":
            return c.date_text(raw.value if pa.types.is_date32(raw.type) else raw.value // 86_400_000)
        if kind == "Time":
            unit = self.logical["timeUnit"]
            return c.time_text(_in_unit(raw, unit), unit, self.logical["isAdjustedToUTC"])
        if kind == "Timestamp":
            unit = self.logical["timeUnit"]
            return c.timestamp_text(_in_unit(raw, unit), unit, self.logical["isAdjustedToUTC"])
        if self.physical == "INT96":
            return c.timestamp_text(_in_unit(raw, "nanoseconds"), "nanoseconds", False)
        if kind == "UUID":
            return c.uuid_text(_bytes(raw))
        if kind == "Interval":
            return c.interval_text(_bytes(raw))
        if kind == "Int" or self.physical in ("INT32", "INT64"):
            value = raw.value if hasattr(raw, "value") else raw.as_py()
            return value if value <= c.LARGEST else str(value)
        if self.physical == "BOOLEAN":
            return bool(raw.as_py())
        if kind == "Float16" or self.physical in ("FLOAT", "DOUBLE"):
            return float(raw.as_py())
        return Base64(_bytes(raw))


def _bytes(scalar: Any) -> bytes:
    value = scalar.as_py()
    return value.bytes if hasattr(value, "bytes") else bytes(value)


def _in_unit(scalar: Any, unit: str) -> int:
    step = c.UNIT_DIGITS[unit] - _ARROW_DIGITS[scalar.type.unit]
    value = scalar.value
    assert step >= 0 or value % 10**-step == 0
    return int(value * 10**step if step >= 0 else value // 10**-step)


# A leaf, or a word and what is inside.
Shape = Leaf | tuple[str, Any]


def _shape(kind: pa.DataType, leaves: Iterator[Leaf]) -> Shape:
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_map(kind):
        return ("map", (_shape(kind.key_type, leaves), _shape(kind.item_type, leaves)))
    if pa.types.is_struct(kind):
        return ("struct", [(field.name, _shape(field.type, leaves)) for field in kind])
    if hasattr(kind, "value_type"):
        return ("list", _shape(kind.value_type, leaves))
    return next(leaves)


class Column:
    """Collects the cells of a column and what was found in them."""

    def __init__(self, name: str, shape: Shape) -> None:
        self.name = name
        self.shape = shape
        self.found: dict[str, tuple[int, int]] = {}
        self.row = 0

    def find(self, what: str) -> None:
        """Counts."""
        count, first = self.found.get(what, (0, self.row))
        self.found[what] = (count + 1, first)

    def cell(self, scalar: Any) -> Cell:
        """The cell of the next row."""
        self.row += 1
        scalar = _plain(scalar)
        if not scalar.is_valid:
            return None
        if not isinstance(self.shape, Leaf):
            return "t" + c.dump(self.json(self.shape, scalar))
        value = self.shape.value(scalar)
        if isinstance(value, float):
            if value != value:
                self.find("nan-became-null")
            return c.real(value)
        if isinstance(value, Base64):
            return c.blob(value)
        if isinstance(value, str):
            if self.shape.kind == "Int":
                self.find("large-integer")
            stored = value.encode(errors="surrogateescape")
            cell = c.text(stored)
            if cell is not None and cell[0] == "T":
                self.find("invalid-text")
            return cell
        return None if value is None else f"i{int(value)}"  # type: ignore[call-overload]

    def json(self, shape: Shape, scalar: Any) -> object:
        """A nested value as JSON has it."""
        scalar = _plain(scalar)
        if not scalar.is_valid:
            return None
        if isinstance(shape, Leaf):
            value = shape.value(scalar)
            if isinstance(value, float) and (value != value or abs(value) == float("inf")):
                self.find("not-finite-in-json")
                return None
            return value
        word, inside = shape
        if word == "struct":
            return Members((name, self.json(inner, scalar[at])) for at, (name, inner) in enumerate(inside))
        if word == "list":
            return [self.json(inside, element) for element in scalar.values]
        keys, values = scalar.values.field(0), scalar.values.field(1)
        return Members((_name(inside[0], key), self.json(inside[1], value)) for key, value in zip(keys, values))


def _name(shape: Shape, scalar: Any) -> str:
    assert isinstance(shape, Leaf)
    value = shape.value(_plain(scalar))
    if isinstance(value, Base64):
        return c.dump(value)[1:-1]
    return value if isinstance(value, str) else c.dump(value)


def _plain(scalar: Any) -> Any:
    while isinstance(scalar, (pa.ExtensionScalar, pa.DictionaryScalar)) and scalar.is_valid:
        scalar = scalar.value
    return scalar


def expect(path: Path, table: pa.Table | None = None) -> Expected:
    """What must become of the file at `path`, which was written from `table`, or is read by pyarrow."""
    file = pq.ParquetFile(path)
    leaves = iter([Leaf(file.schema.column(at)) for at in range(len(file.schema.names))])
    table = file.read() if table is None else table
    columns = [Column(field.name, _shape(field.type, leaves)) for field in table.schema]
    assert next(leaves, None) is None, "every leaf belongs to a column"
    cells = [[column.cell(scalar) for scalar in table.column(at)] for at, column in enumerate(columns)]
    declared = [column.shape.declared() if isinstance(column.shape, Leaf) else "TEXT" for column in columns]
    return Expected(
        [(column.name, kind) for column, kind in zip(columns, declared)],
        [list(row) for row in zip(*cells)],
        [(column.name, what, count, first) for column in columns for what, (count, first) in column.found.items()],
    )
