"""Writes Parquet files byte by byte, so that they can hold what no writer at hand makes: old and odd forms.

Only what these tests need: Thrift's compact protocol, PLAIN values, RLE levels, version 1 pages, no compression.
Source: Apache Parquet, "parquet.thrift"; Apache Thrift, "Thrift compact protocol encoding".
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

BOOLEAN, INT32, INT64, INT96, FLOAT, DOUBLE, BYTE_ARRAY, FIXED = range(8)
REQUIRED, OPTIONAL, REPEATED = range(3)
_I32, _I64, _BINARY, _LIST, _STRUCT, _TRUE, _FALSE, _I8 = 5, 6, 8, 9, 12, 1, 2, 3


class I64(int):
    """A number that Thrift calls i64."""


class I8(int):
    """A number that Thrift calls i8."""


# The fields of a Thrift struct by their ids; those of None are left away.
Struct = dict[int, object]


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _zigzag(value: int) -> bytes:
    return _varint((value << 1) ^ (value >> 63) if value < 0 else value << 1)


def _type(value: object) -> int:
    if isinstance(value, bool):
        return _TRUE if value else _FALSE
    for kind, code in ((I64, _I64), (I8, _I8), (int, _I32), ((bytes, str), _BINARY), (list, _LIST), (dict, _STRUCT)):
        if isinstance(value, kind):
            return code
    raise TypeError(value)


def _value(value: object) -> bytes:
    if isinstance(value, bool):
        return b""
    if isinstance(value, I8):
        return struct.pack("<b", value)
    if isinstance(value, int):
        return _zigzag(value)
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    if isinstance(value, bytes):
        return _varint(len(value)) + value
    if isinstance(value, list):
        kind = _type(value[0]) if value else _STRUCT
        head = bytes((len(value) << 4 | kind,)) if len(value) < 15 else bytes((0xF0 | kind,)) + _varint(len(value))
        return head + b"".join(map(_value, value))
    assert isinstance(value, dict)
    out, last = b"", 0
    for number, member in sorted(value.items()):
        if member is not None:
            step, last = number - last, number
            kind = _type(member)
            out += bytes((step << 4 | kind,)) if step < 16 else bytes((kind,)) + _zigzag(number)
            out += _value(member)
    return out + b"\0"


@dataclass
class Node:
    """An element of the schema."""

    name: str
    repetition: int | None = OPTIONAL
    physical: int | None = None
    children: list["Node"] = field(default_factory=list)
    length: int | None = None
    converted: int | None = None
    scale: int | None = None
    precision: int | None = None
    # The Thrift union: its one member's id, and what that holds.
    logical: Struct | None = None

    def elements(self) -> list[Struct]:
        """This and all below, as the footer lists them."""
        own: Struct = {
            1: self.physical, 2: self.length, 3: self.repetition, 4: self.name,
            5: len(self.children) if self.physical is None else None,
            6: self.converted, 7: self.scale, 8: self.precision, 10: self.logical,
        }  # fmt: skip
        return [own] + [element for child in self.children for element in child.elements()]

    def leaves(self, path: tuple[str, ...] = (), rep: int = 0, level: int = 0) -> list["Leaf"]:
        """The leaves below, with their paths and largest levels."""
        path = (*path, self.name)
        rep += self.repetition == REPEATED
        level += self.repetition in (OPTIONAL, REPEATED)
        if self.physical is not None:
            return [Leaf(self, path, rep, level)]
        return [leaf for child in self.children for leaf in child.leaves(path, rep, level)]


@dataclass
class Leaf:
    """A leaf of the schema."""

    node: Node
    path: tuple[str, ...]
    most_repetition: int
    most_definition: int


# Repetition level, definition level, and the value's PLAIN bytes where there is one.
Entry = tuple[int, int, bytes | None]


@dataclass
class Chunk:
    """The entries of a leaf in one row group, page by page."""

    pages: list[list[Entry]]
    # What the footer says, where that is to be wrong.
    dictionary_offset: int | None = None


def _levels(levels: Sequence[int], most: int) -> bytes:
    if most == 0:
        return b""
    width = (most.bit_length() + 7) // 8
    runs = b"".join(_varint(1 << 1) + level.to_bytes(width, "little") for level in levels)
    return struct.pack("<I", len(runs)) + runs


def _plain(leaf: Leaf, entries: list[Entry]) -> bytes:
    values = [value for _, _, value in entries if value is not None]
    if leaf.node.physical == BOOLEAN:
        bits = sum(value[0] << index for index, value in enumerate(values))
        return bits.to_bytes((len(values) + 7) // 8, "little")
    if leaf.node.physical == BYTE_ARRAY:
        return b"".join(struct.pack("<I", len(value)) + value for value in values)
    return b"".join(values)


def _page(leaf: Leaf, entries: list[Entry]) -> bytes:
    for _, definition, value in entries:
        assert (value is not None) == (definition == leaf.most_definition), (leaf.path, entries)
    body = _levels([rep for rep, _, _ in entries], leaf.most_repetition)
    body += _levels([definition for _, definition, _ in entries], leaf.most_definition)
    body += _plain(leaf, entries)
    # PLAIN values, RLE levels.
    header: Struct = {1: 0, 2: len(body), 3: len(body), 5: {1: len(entries), 2: 0, 3: 3, 4: 3}}
    return _value(header) + body


def write(columns: list[Node], groups: list[tuple[int, list[Chunk]]], created_by: str | None = "by hand") -> bytes:
    """A file of these columns; each row group is its number of rows and a chunk for each leaf."""
    out = bytearray(b"PAR1")
    leaves = [leaf for column in columns for leaf in column.leaves()]
    row_groups: list[object] = []
    for rows, chunks in groups:
        assert len(chunks) == len(leaves), "a chunk for each leaf"
        written: list[object] = []
        for leaf, chunk in zip(leaves, chunks):
            start = len(out)
            for page in chunk.pages:
                out += _page(leaf, page)
            size = I64(len(out) - start)
            count = I64(sum(map(len, chunk.pages)))
            dictionary = None if chunk.dictionary_offset is None else I64(chunk.dictionary_offset)
            metadata: Struct = {
                1: leaf.node.physical, 2: [0, 3], 3: list(leaf.path), 4: 0, 5: count, 6: size, 7: size, 9: I64(start),
                11: dictionary,
            }  # fmt: skip
            written.append({2: I64(start), 3: metadata})
        row_groups.append({1: written, 2: I64(len(out) - 4), 3: I64(rows)})
    root: Struct = {4: "schema", 5: len(columns)}
    footer: Struct = {
        1: 1, 2: [root, *(element for column in columns for element in column.elements())],
        3: I64(sum(rows for rows, _ in groups)), 4: row_groups, 6: created_by,
    }  # fmt: skip
    text = _value(footer)
    return bytes(out + text + struct.pack("<I", len(text)) + b"PAR1")
