"""Cells as a table of SQLite holds them, and their texts, written from the README's rules and the Parquet specification.

A cell is None for NULL, or a letter and a value: `i` and digits, `r` and the 16 hex digits of the double, `t` and text,
`T` and the hex digits of text that is not valid UTF-8, `b` and the hex digits of a blob.
"""

import base64
import datetime
import json
import re
import struct
from dataclasses import dataclass, field
from decimal import Decimal

Cell = str | None

LARGEST = 2**63 - 1
UNIT_DIGITS = {"milliseconds": 3, "microseconds": 6, "nanoseconds": 9}
_CYCLE_DAYS, _CYCLE_YEARS = 146_097, 400


def integer(value: int) -> Cell:
    """An INTEGER, or TEXT where it is too large for one."""
    return f"i{value}" if value <= LARGEST else f"t{value}"


def real(value: float) -> Cell:
    """A REAL, or NULL for NaN."""
    return None if value != value else "r" + struct.pack(">d", value).hex()


def text(value: bytes) -> Cell:
    """TEXT of these bytes."""
    try:
        return "t" + value.decode()
    except UnicodeDecodeError:
        return "T" + value.hex()


def blob(value: bytes) -> Cell:
    """A BLOB."""
    return "b" + value.hex()


def decimal_text(unscaled: int, scale: int) -> str:
    """All digits, `scale` of them behind the point."""
    sign, digits = ("-" if unscaled < 0 else ""), str(abs(unscaled)).rjust(scale + 1, "0")
    return sign + (digits if scale == 0 else f"{digits[:-scale]}.{digits[-scale:]}")


def date_text(days: int) -> str:
    """The date `days` after 1970-01-01; the calendar repeats every 400 years, which Python's dates do not span."""
    cycles, rest = divmod(days, _CYCLE_DAYS)
    date = datetime.date(1970, 1, 1) + datetime.timedelta(days=rest)
    year = date.year + cycles * _CYCLE_YEARS
    shown = f"{year:04}" if 0 <= year <= 9999 else f"{year:+05}"
    return f"{shown}-{date.month:02}-{date.day:02}"


def clock_text(value: int, unit: str) -> str:
    """Hours, minutes, seconds and all digits of the unit."""
    digits = UNIT_DIGITS[unit]
    seconds, part = divmod(value, 10**digits)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{part:0{digits}}"


def time_text(value: int, unit: str, utc: bool) -> str:
    """A time of day."""
    return ("-" if value < 0 else "") + clock_text(abs(value), unit) + ("Z" if utc else "")


def timestamp_text(value: int, unit: str, utc: bool) -> str:
    """A timestamp."""
    days, rest = divmod(value, 86_400 * 10 ** UNIT_DIGITS[unit])
    return f"{date_text(days)}T{clock_text(rest, unit)}" + ("Z" if utc else "")


def uuid_text(value: bytes) -> str:
    """A UUID."""
    digits = value.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def interval_text(value: bytes) -> str:
    """Parquet's INTERVAL: months, days and milliseconds."""
    months, days, millis = struct.unpack("<III", value)
    return f"P{months}M{days}DT{millis // 1000}.{millis % 1000:03}S"


def python_decimal(value: Decimal, scale: int) -> str:
    """A decimal that pyarrow gave."""
    sign, digits, exponent = value.as_tuple()
    assert exponent == -scale, (value, scale)
    unscaled = int("".join(map(str, digits)) or "0")
    return decimal_text(-unscaled if sign else unscaled, scale)


class Members(list[tuple[str, object]]):
    """The members of a JSON object, in order and as often as they stand there."""


class Base64(bytes):
    """Bytes that JSON holds in base64."""


def dump(value: object) -> str:
    """JSON as parklite writes it."""
    if isinstance(value, Members):
        return "{" + ",".join(f"{_dump_text(name)}:{dump(member)}" for name, member in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dump, value)) + "]"
    if isinstance(value, bytes):
        return _dump_text(base64.b64encode(value).decode())
    if isinstance(value, float):
        return repr(value).replace("e+", "e").replace("e-0", "e-")
    if isinstance(value, str):
        return _dump_text(value)
    return json.dumps(value)


def _dump_text(value: str) -> str:
    # JSON has a short form for these too, which parklite does not use.
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(r"\\(.)", lambda escape: {"b": "\\u0008", "f": "\\u000c"}.get(escape[1], escape[0]), text)


@dataclass
class Expected:
    """What a restore of one file must give."""

    columns: list[tuple[str, str]]
    rows: list[list[Cell]]
    # Column, what, number of values, first row from 1.
    findings: list[tuple[str, str, int, int]] = field(default_factory=list)
    # Of a restore without --strict, where it is neither 0 nor 3 by the findings.
    fails: int | None = None

    LOSSES = ("nan-became-null", "not-finite-in-json", "invalid-key-in-json")

    @property
    def exit_code(self) -> int:
        """0, or 3 where something is lost."""
        if self.fails is not None:
            return self.fails
        return 3 if any(what in self.LOSSES for _, what, _, _ in self.findings) else 0

    def document(self) -> str:
        """As JSON, one row a line."""
        rows = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in self.rows)
        return (
            f'{{"exit_code": {self.exit_code},\n "columns": {json.dumps(self.columns, ensure_ascii=False)},\n'
            f' "findings": {json.dumps(sorted(self.findings), ensure_ascii=False)},\n "rows": [\n  {rows}\n ]}}\n'
        )
