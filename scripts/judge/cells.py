"""Cells, rows, their canonical encoding, their digest and their total order, written anew from DESIGN.md.

A cell is a pair of its tag and its value; a value that equals another is the same to the last bit, so that
Python's `==` over cells is exact: REAL is kept as its 8 bytes, because 0.0 == -0.0.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import xxhash

NULL, INTEGER, REAL, TEXT, BLOB, RAW_TEXT = range(6)

Cell = tuple[int, int | bytes | None]
# The rowid (None in a WITHOUT ROWID table) and the stored cells in declaration order.
Row = tuple[int | None, tuple[Cell, ...]]
# One term of an order: the position among the stored cells (None for the rowid), and whether it descends.
Term = tuple[int | None, bool]
SortKey = tuple[int, int | float | bytes]

# What texts, blobs and raw texts begin with in the canonical encoding.
ENCODED_TAGS = {TEXT: 10, BLOB: 11, RAW_TEXT: 12}
NULL_CELL: Cell = (NULL, None)
CODECS = {"UTF-8": "utf-8", "UTF-16le": "utf-16-le", "UTF-16be": "utf-16-be"}

_DOUBLE = struct.Struct("<d")
_SUM_MASK = (1 << 128) - 1


def real_cell(value: float) -> Cell:
    """A REAL cell by its IEEE bits."""
    return (REAL, _DOUBLE.pack(value))


def real_value(bits: int | bytes | None) -> float:
    """The number that a REAL cell's value stands for."""
    assert isinstance(bits, bytes)
    value: float = _DOUBLE.unpack(bits)[0]
    return value


def text_cell(stored: bytes, codec: str) -> Cell:
    """A TEXT cell from its stored bytes: as UTF-8, or raw where they are not valid in their encoding."""
    try:
        return (TEXT, stored.decode(codec).encode())
    except UnicodeError:
        return (RAW_TEXT, stored)


def encode_length(length: int) -> bytes:
    """Seven bits in a byte, the lowest first; all bytes but the last have their upper bit."""
    encoded = bytearray()
    while length > 127:
        encoded.append(length % 128 + 128)
        length //= 128
    encoded.append(length)
    return bytes(encoded)


def encode_cell(cell: Cell) -> bytes:
    """The canonical encoding: a tag, then as many bytes of an integer as it counts, 8 of a real, or a length and bytes."""
    tag, value = cell
    if value is None:
        return b"\0"
    if isinstance(value, int):
        # A byte has room for 7 bits and a sign.
        count = (value if value >= 0 else ~value).bit_length() // 8 + 1
        return bytes((count,)) + value.to_bytes(count, "little", signed=True)
    if tag == REAL:
        return b"\x09" + value
    return bytes((ENCODED_TAGS[tag],)) + encode_length(len(value)) + value


def encode_row(row: Row) -> bytes:
    """The rowid if there is one, then every cell."""
    rowid, cells = row
    head = b"" if rowid is None else rowid.to_bytes(8, "little", signed=True)
    return head + b"".join(map(encode_cell, cells))


@dataclass(frozen=True)
class ContentDigest:
    """A row count, and the sum modulo 2^128 of one XXH3-128 per row."""

    rows: int = 0
    total: int = 0

    def __add__(self, other: "ContentDigest") -> "ContentDigest":
        return ContentDigest(self.rows + other.rows, (self.total + other.total) & _SUM_MASK)

    def __str__(self) -> str:
        return f"{self.rows}-{self.total:032x}"


def digest_rows(rows: Iterable[Row]) -> ContentDigest:
    """The content digest of `rows`, in whatever order they come."""
    count = total = 0
    for row in rows:
        count += 1
        total += xxhash.xxh3_128_intdigest(encode_row(row))
    return ContentDigest(count, total & _SUM_MASK)


def sort_key(cell: Cell) -> SortKey:
    """NULL < numbers by exact value < valid text by UTF-8 bytes < raw text < blobs.

    Python compares an int with a float by exact value, never through a rounded double.
    """
    tag, value = cell
    if value is None:
        return (0, 0)
    if isinstance(value, int):
        return (1, value)
    if tag == REAL:
        return (1, real_value(value))
    return ({TEXT: 2, RAW_TEXT: 3, BLOB: 4}[tag], value)


def term_key(row: Row, position: int | None) -> SortKey:
    """The key of one term of a row."""
    rowid, cells = row
    if position is not None:
        return sort_key(cells[position])
    assert rowid is not None
    return (1, rowid)


def sort_rows(rows: list[Row], terms: Sequence[Term]) -> None:
    """Sorts rows in place by their total order; sorting by the last term first keeps it stable."""
    for position, descending in reversed(terms):
        rows.sort(key=lambda row: term_key(row, position), reverse=descending)


def disordered(rows: Sequence[Row], terms: Sequence[Term]) -> Iterator[int]:
    """The ordinals (from 1) of rows that do not come strictly after the row before them."""
    before: list[SortKey] | None = None
    for ordinal, row in enumerate(rows, 1):
        keys = [term_key(row, position) for position, _ in terms]
        if before is not None and not _precedes(before, keys, terms):
            yield ordinal
        before = keys


def _precedes(first: list[SortKey], second: list[SortKey], terms: Sequence[Term]) -> bool:
    for one, two, (_, descending) in zip(first, second, terms):
        if one != two:
            return two < one if descending else one < two
    return False
