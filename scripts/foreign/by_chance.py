"""Tables of random columns, nested at random, that pyarrow writes with random settings; equal seeds give equal files."""

import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

DEEPEST = 4
MOST_COLUMNS = 6
MOST_ROWS = 400
LETTERS = "ab \"\\/\n\t\r\b\f\0\x01\x7fé😀\u2028"
CODECS = ["none", "snappy", "gzip", "brotli", "zstd", "lz4"]

# A type, and what makes one of its values.
Maker = tuple[pa.DataType, Callable[[], Any]]


class Chance:
    """Everything that one seed decides."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def whole(self, bits: int, signed: bool) -> int:
        """A whole number, often an end of its range or a small one."""
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        return self.random.choice([low, high, 0, 1, high // 2 + 1, self.random.randint(low, high)])

    def text(self) -> str:
        """A text, often one that is there many times."""
        if self.random.random() < 0.5:
            return self.random.choice(["", "once more", "a\0b"])
        return "".join(self.random.choices(LETTERS, k=self.random.randint(0, 20)))

    def number(self) -> float:
        """A floating-point number."""
        special = [0.0, -0.0, 1e16, 1e-5, 5e-324, float("nan"), float("inf"), float("-inf")]
        return self.random.choice([*special, self.random.gauss(0, 1), self.random.randint(-100, 100) / 8])

    def decimal(self) -> Maker:
        """Of any of the four widths."""
        kind, most = self.random.choice(
            [(pa.decimal32, 9), (pa.decimal64, 18), (pa.decimal128, 38), (pa.decimal256, 76)]
        )
        precision = self.random.randint(1, most)
        scale = self.random.randint(0, precision)

        def make() -> Decimal:
            digits = self.random.randint(0, 10 ** self.random.randint(0, precision) - 1)
            sign = self.random.choice([0, 1])
            return Decimal((sign, tuple(map(int, str(digits))), -scale))

        return kind(precision, scale), make

    def temporal(self) -> Maker:
        """A date, time or timestamp; those of a day stay in it, as pyarrow asks."""
        day = 86_400
        unit, digits = self.random.choice([("s", 0), ("ms", 3), ("us", 6), ("ns", 9)])
        in_day = lambda: self.random.choice([0, day * 10**digits - 1, self.random.randrange(day * 10**digits)])  # noqa: E731
        zone = self.random.choice([None, "UTC", "Europe/Berlin"])
        # Seconds are written as milliseconds.
        bits = 64 if digits else 53
        return self.random.choice(
            [
                (pa.date32(), lambda: self.whole(32, True)),
                ((pa.time32 if digits < 6 else pa.time64)(unit), in_day),
                (pa.timestamp(unit, zone), lambda: self.whole(bits, True)),
            ]
        )

    def key(self) -> Maker:
        """What makes a name in JSON."""
        return self.random.choice(
            [
                (pa.string(), self.text),
                (pa.int64(), lambda: self.whole(64, True)),
                (pa.uint64(), lambda: self.whole(64, False)),
                (pa.date32(), lambda: self.whole(32, True)),
                (pa.binary(), lambda: self.random.randbytes(self.random.randint(0, 5))),
                (pa.bool_(), lambda: self.random.random() < 0.5),
            ]
        )

    def leaf(self) -> Maker:
        """A value that holds no others."""
        integers: list[Maker] = [
            (kind, lambda bits=bits, signed=signed: self.whole(bits, signed))  # type: ignore[misc]
            for kind, bits, signed in [
                (pa.int8(), 8, True), (pa.int16(), 16, True), (pa.int32(), 32, True), (pa.int64(), 64, True),
                (pa.uint8(), 8, False), (pa.uint16(), 16, False), (pa.uint32(), 32, False), (pa.uint64(), 64, False),
            ]
        ]  # fmt: skip
        size = self.random.randint(1, 20)
        return self.random.choice(
            [
                *integers,
                self.decimal(),
                self.decimal(),
                self.temporal(),
                self.temporal(),
                (self.random.choice([pa.float16(), pa.float32(), pa.float64()]), self.number),
                (self.random.choice([pa.string(), pa.large_string()]), self.text),
                (pa.binary(), lambda: self.random.randbytes(self.random.randint(0, 40))),
                (pa.binary(size), lambda: self.random.randbytes(size)),
                (pa.bool_(), lambda: self.random.random() < 0.5),
                (pa.null(), lambda: None),
            ]
        )

    def value(self, depth: int) -> Maker:
        """A value of any type, NULL at times."""
        shape = self.random.choice(["leaf", "leaf", "list", "struct", "map"] if depth < DEEPEST else ["leaf"])
        often = self.random.choice([0, 0.1, 0.5, 0.95])
        if shape == "leaf":
            kind, make = self.leaf()
        elif shape == "list":
            inner, element = self.value(depth + 1)
            kind, make = pa.list_(inner), lambda: [element() for _ in range(self.few())]
        elif shape == "map":
            (key_kind, key), (inner, element) = self.key(), self.value(depth + 1)
            kind, make = pa.map_(key_kind, inner), lambda: [(key(), element()) for _ in range(self.few())]
        else:
            fields = [(name, self.value(depth + 1)) for name in self.random.sample(["a", "B", "é", '"', ""], 2)]
            kind = pa.struct([(name, kind) for name, (kind, _) in fields])
            make = lambda: {name: member() for name, (_, member) in fields}  # noqa: E731
        return kind, lambda: None if self.random.random() < often else make()

    def few(self) -> int:
        """How many elements."""
        return self.random.choice([0, 1, 1, 2, 3])

    def write(self, path: Path) -> pa.Table:
        """One file, and what it was written from: pyarrow does not always read back what it writes in small pages."""
        rows = self.random.choice([0, 1, 10, MOST_ROWS])
        columns = {}
        for at in range(self.random.randint(1, MOST_COLUMNS)):
            kind, make = self.value(0)
            columns[f"c{at}"] = pa.array([make() for _ in range(rows)], kind, from_pandas=False)
        table = pa.table(columns)
        pq.write_table(
            table,
            path,
            compression=self.random.choice(CODECS),
            data_page_version=self.random.choice(["1.0", "2.0"]),
            use_dictionary=self.random.choice([True, False]),
            use_byte_stream_split=False,
            dictionary_pagesize_limit=self.random.choice([50, 1 << 20]),
            data_page_size=self.random.choice([1, 300, 1 << 20]),
            write_batch_size=self.random.choice([1, 7, 1024]),
            row_group_size=self.random.choice([3, 100, 1 << 20]),
            write_statistics=self.random.choice([True, False]),
            write_page_index=self.random.choice([True, False]),
            write_page_checksum=self.random.choice([True, False]),
            store_decimal_as_integer=self.random.choice([True, False]),
            use_compliant_nested_type=self.random.choice([True, False]),
            store_schema=self.random.choice([True, False]),
        )
        return table
