"""A SQLite database, read through Python's own SQLite: schema, header pragmas, every cell of every table.

Tables that this SQLite cannot read as they are declared (all three rowid names shadowed, an unknown collation or
function, names that are not valid UTF-8) are read from a private copy, in which a plain definition of the same
b-tree stands in for the real one.
"""

import re
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from judge.cells import BLOB, CODECS, INTEGER, NULL_CELL, Cell, Row, real_cell, text_cell

# typeof() and value make two result columns each, and SQLite takes 2000 unless compiled otherwise.
COLUMNS_PER_QUERY = 400
_AUTO_VACUUM = ["none", "full", "incremental"]
_LITERAL = re.compile(r"[+-]?\d[\d.]*([eE][+-]?\d+)?|[xX]?'([^']|'')*'|NULL|TRUE|FALSE", re.IGNORECASE)
_STAND_IN = "stand_in"


@dataclass(frozen=True)
class SchemaRow:
    """One row of `sqlite_schema`; texts as UTF-8, or as stored bytes where they are not valid."""

    kind: str
    name: bytes
    table_name: bytes
    has_storage: bool
    sql: bytes | None


@dataclass(frozen=True)
class SourceColumn:
    """One column of a table: what a row of the b-tree holds a value for."""

    name: bytes
    declared_type: bytes
    default: bytes | None
    index: int


@dataclass(frozen=True)
class SourceTable:
    """A table that holds rows of its own."""

    name: bytes
    schema_rowid: int
    columns: list[SourceColumn]
    virtual_names: list[bytes]
    has_rowid: bool
    rowid_alias: int | None
    # In the order of the b-tree, and how many of them are the key; only without a rowid.
    key: list[int]
    key_length: int


class Database:
    """An open database; everything is read in one transaction."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
        self.connection.text_factory = bytes
        # A schema that mentions what is unknown here must still be readable.
        self.connection.execute("PRAGMA writable_schema = ON")
        self.connection.execute("BEGIN")
        self.encoding = self._pragma("encoding").decode()
        self.codec = CODECS[self.encoding]

    def __enter__(self) -> "Database":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()

    def header(self) -> dict[str, object]:
        """The header pragmas, spelled as in the manifest; `default_cache_size` only where it was ever set."""
        unset = sqlite3.connect(":memory:").execute("PRAGMA default_cache_size").fetchone()
        cache_size = self.connection.execute("PRAGMA default_cache_size").fetchone()
        return {
            "user_version": self._pragma("user_version"),
            "application_id": self._pragma("application_id"),
            "encoding": self.encoding,
            "page_size": self._pragma("page_size"),
            "auto_vacuum": _AUTO_VACUUM[self._pragma("auto_vacuum")],
            "journal_mode": "wal" if self._pragma("journal_mode") == b"wal" else "rollback",
            **({} if cache_size == unset else {"default_cache_size": cache_size[0]}),
        }

    def schema(self) -> list[SchemaRow]:
        """The rows of `sqlite_schema`, in order."""
        return [row for _, row in self._schema()]

    def tables(self) -> list[SourceTable]:
        """The tables that hold rows of their own; of virtual tables, these are the shadow tables."""
        return [
            self._table(rowid, row.name)
            for rowid, row in self._schema()
            if row.kind == "table" and row.has_storage
        ]

    def rows(self, table: SourceTable) -> tuple[list[Row], str | None]:
        """All rows of a table, and a note if they could not be read by the table's own definition."""
        names = {column.name.lower() for column in table.columns} | {n.lower() for n in table.virtual_names}
        free = [name for name in ("rowid", "_rowid_", "oid") if name.encode() not in names]
        try:
            if table.has_rowid and not free:
                raise sqlite3.OperationalError("all three rowid names are shadowed")
            rowid = free[0] if table.has_rowid else None
            columns = [column.name.decode() for column in table.columns]
            return list(self._select(table.name.decode(), columns, rowid)), None
        except (sqlite3.Error, UnicodeError) as error:
            name = table.name.decode(errors="replace")
            note = f"table {name}: read through a stand-in definition in a private copy ({error})"
            return self._rows_of_copy(table), note

    def _pragma(self, name: str) -> Any:
        return self.connection.execute(f"PRAGMA {name}").fetchone()[0]

    def _schema(self) -> Iterator[tuple[int, SchemaRow]]:
        query = (
            "SELECT rowid, type, CAST(name AS BLOB), CAST(tbl_name AS BLOB), rootpage, CAST(sql AS BLOB)"
            " FROM sqlite_schema ORDER BY rowid"
        )
        for rowid, kind, name, table_name, root, sql in self.connection.execute(query):
            sql = None if sql is None else self._text(sql)
            yield rowid, SchemaRow(kind.decode(), self._text(name), self._text(table_name), bool(root), sql)

    def _text(self, stored: bytes) -> bytes:
        value = text_cell(stored, self.codec)[1]
        assert isinstance(value, bytes)
        return value

    def _function(self, name: str, argument: bytes) -> list[tuple[Any, ...]]:
        """Rows of a pragma that takes the name of an object, which need not be valid UTF-8."""
        if self.encoding == "UTF-8":
            return self.connection.execute(f"SELECT * FROM {name}(CAST(? AS TEXT))", [argument]).fetchall()
        return self.connection.execute(f"SELECT * FROM {name}(?)", [argument.decode()]).fetchall()

    def _table(self, schema_rowid: int, name: bytes) -> SourceTable:
        columns, virtual, key_columns = [], [], []
        for index, column, declared, _, default, key, hidden in self._function("pragma_table_xinfo", name):
            if hidden == 2:
                virtual.append(column)
                continue
            columns.append(SourceColumn(column, declared, default, index))
            if key:
                key_columns.append(index)
        listed = self._function("pragma_table_list", name)
        has_rowid = not any(schema == b"main" and without_rowid for schema, _, _, _, without_rowid, _ in listed)
        key_index = [row[1] for row in self._function("pragma_index_list", name) if row[3] == b"pk"]
        alias = key_columns[0] if has_rowid and len(key_columns) == 1 and not key_index else None
        order, key_length = [], 0
        if not has_rowid:
            for _, column_index, _, _, _, is_key in self._function("pragma_index_xinfo", key_index[0]):
                order.append(column_index)
                key_length += is_key
        return SourceTable(name, schema_rowid, columns, virtual, has_rowid, alias, order, key_length)

    def _select(self, table: str, columns: list[str], rowid: str | None) -> Iterator[Row]:
        """Scans a table, a slice of its columns at a time; every scan meets the rows in the same order."""
        slices = [
            self._select_slice(table, columns[start : start + COLUMNS_PER_QUERY], rowid)
            for start in range(0, len(columns), COLUMNS_PER_QUERY)
        ]
        if len(slices) == 1:
            yield from slices[0]
            return
        for parts in zip(*slices, strict=True):
            if len({rowid for rowid, _ in parts}) != 1:
                raise AssertionError("two scans of one table met its rows in different orders")
            yield parts[0][0], tuple(cell for _, cells in parts for cell in cells)

    def _select_slice(self, table: str, columns: list[str], rowid: str | None) -> Iterator[Row]:
        terms = [quoted(rowid) if rowid else "NULL"]
        for column in columns:
            name = f"t.{quoted(column)}"
            terms.append(f"typeof({name})")
            terms.append(f"CASE typeof({name}) WHEN 'text' THEN CAST({name} AS BLOB) ELSE {name} END")
        query = f"SELECT {', '.join(terms)} FROM main.{quoted(table)} AS t NOT INDEXED"
        codec = self.codec
        for row in self.connection.execute(query):
            yield row[0], tuple(map(_cell, row[1::2], row[2::2], [codec] * len(columns)))

    def _rows_of_copy(self, table: SourceTable) -> list[Row]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "copy.db"
            copy = sqlite3.connect(path, isolation_level=None)
            self.connection.backup(copy)
            copy.execute("PRAGMA writable_schema = ON")
            copy.execute("BEGIN")
            copy.execute("DELETE FROM sqlite_schema WHERE rowid <> ?", [table.schema_rowid])
            copy.execute(
                "UPDATE sqlite_schema SET name = ?, tbl_name = ?, sql = ?",
                [_STAND_IN, _STAND_IN, stand_in_definition(table)],
            )
            copy.execute("COMMIT")
            copy.close()
            plain = replace(table, name=_STAND_IN.encode())
            with Database(path) as opened:
                names = [stand_in_name(column.index) for column in plain.columns]
                return list(opened._select(_STAND_IN, names, "rowid" if table.has_rowid else None))


def _cell(kind: bytes, value: Any, codec: str) -> Cell:
    if kind == b"integer":
        return (INTEGER, value)
    if kind == b"text":
        return text_cell(value, codec)
    if kind == b"real":
        return real_cell(value)
    if kind == b"blob":
        return (BLOB, value)
    return NULL_CELL


def stand_in_definition(table: SourceTable) -> str:
    """A plain definition of the same b-tree: no collation, function or name that could be unknown.

    The affinity stays, since a REAL column stores whole numbers as integers, and so do literal defaults, which
    rows have that are older than their column.
    """
    columns = {column.index: column for column in table.columns}
    definitions = []
    for index in table.key or columns:
        default = (columns[index].default or b"").decode(errors="replace")
        definitions.append(
            f"{stand_in_name(index)} {affinity(columns[index].declared_type).upper()}"
            + (" PRIMARY KEY" if index == table.rowid_alias else "")
            + (f" DEFAULT {default}" if _LITERAL.fullmatch(default) else "")
        )
    if table.has_rowid:
        return f"CREATE TABLE {_STAND_IN} ({', '.join(definitions)})"
    key = ", ".join(map(stand_in_name, table.key[: table.key_length]))
    return f"CREATE TABLE {_STAND_IN} ({', '.join(definitions)}, PRIMARY KEY ({key})) WITHOUT ROWID"


def stand_in_name(index: int) -> str:
    """The name of a column in a stand-in definition."""
    return f"c{index}"


def affinity(declared_type: bytes) -> str:
    """The affinity of a declared type; "Datatypes In SQLite", section 3.1."""
    declared = declared_type.upper()
    if b"INT" in declared:
        return "integer"
    if any(word in declared for word in (b"CHAR", b"CLOB", b"TEXT")):
        return "text"
    if b"BLOB" in declared or not declared:
        return "blob"
    if any(word in declared for word in (b"REAL", b"FLOA", b"DOUB")):
        return "real"
    return "numeric"


def quoted(name: str) -> str:
    """An identifier for SQL text."""
    return '"' + name.replace('"', '""') + '"'
