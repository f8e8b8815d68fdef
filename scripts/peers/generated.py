"""The databases, made from seeds: the same rows every time, whatever the machine.

`make_events.py` makes the table of events, in order or shuffled; the kinds here are those that it does not make.
Rows are made in batches of columns, since a Python call for each cell would take minutes.
"""

import datetime
import random
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import make_events

_PRAGMAS = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -1000000;
"""
_BATCH_ROWS = 20_000
_FIRST_SECOND = 1_700_000_000
_WORDS = (
    "alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november oscar papa quebec "
    "romeo sierra tango uniform victor whiskey xray yankee zulu"
).split()

Column = list[Any]
Maker = Callable[[random.Random, int, int], Column]


def make(path: Path, generate: Callable[[sqlite3.Connection], None]) -> None:
    """Makes a database under another name and gives it its own when it is complete."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    print(f"making {path}", file=sys.stderr)
    connection = sqlite3.connect(unfinished)
    try:
        connection.executescript(_PRAGMAS)
        generate(connection)
        connection.commit()
    finally:
        connection.close()
    unfinished.rename(path)


def events(connection: sqlite3.Connection, rows: int, shuffled: bool = False) -> None:
    """The table of events that `make_events.py` makes, of the very same rows."""
    connection.executescript(make_events.SCHEMA)
    places = ", ".join("?" * 13)
    connection.executemany(f"INSERT INTO events VALUES ({places})", make_events.events(rows, shuffled))
    connection.execute("CREATE INDEX events_created_at ON events (_created_at)")


def grown_events(connection: sqlite3.Connection, rows: int, source: Path, copies: int) -> None:
    """`copies` times the `rows` events of `source`: later each time, with other keys and other UUIDs.

    A payload comes back after `rows` rows, which is further than any dictionary, row group or zstd window of
    level 3 reaches.
    """
    connection.executescript(make_events.SCHEMA)
    connection.execute("ATTACH ? AS source", [str(source)])
    span = "(SELECT CAST(julianday(max(_created_at)) - julianday(min(_created_at)) + 0.01 AS REAL) FROM source.events)"
    (days,) = connection.execute(f"SELECT {span}").fetchone()
    moment = "strftime('%Y-%m-%dT%H:%M:%fZ', {}, ?2)"
    for copy in range(copies):
        connection.execute(
            # An odd factor maps the copies of a row to different first digits, and the other digits tell rows apart.
            "INSERT INTO events SELECT id + ?1 * ?3, printf('%08x', (id * 2654435761 + ?1 * 2246822519) & 4294967295)"
            f" || substr(event_uuid, 9), {moment.format('_created_at')}, user_id, event_type, payload, session, a, b,"
            f" c, d, {moment.format('updated_at')}, note FROM source.events ORDER BY id",
            [copy, f"{copy * days * 86400:+.3f} seconds", rows],
        )
    connection.commit()
    connection.execute("DETACH source")
    connection.execute("CREATE INDEX events_created_at ON events (_created_at)")


def wide(connection: sqlite3.Connection, rows: int) -> None:
    """One table of 60 columns: integers, reals, texts, categories and times, a third of them with NULLs."""
    source = random.Random(60)
    makers = [(f"{kind}_{number}", *_MAKERS[kind]) for number in range(8) for kind in _WIDE_KINDS]
    _make_table(connection, source, "wide", makers[:58], rows)


def many(connection: sqlite3.Connection, scale: float) -> None:
    """25 tables of 40 to 90 000 rows and 4 to 16 columns."""
    source = random.Random(25)
    kinds = list(_MAKERS)
    for number in range(25):
        rows = max(1, int(_MANY_ROWS[number % len(_MANY_ROWS)] * scale))
        chosen = [kinds[(number + step * (1 + number % 3)) % len(kinds)] for step in range(2 + number * 7 % 13)]
        makers = [(f"{kind}_{place}", *_MAKERS[kind]) for place, kind in enumerate(chosen)]
        name = f"table_{number + 1:02}"
        _make_table(connection, source, name, makers, rows)
        if number % 2:
            connection.execute(f"CREATE INDEX {name}_created_at ON {name} (_created_at)")


def blobs(connection: sqlite3.Connection, rows: int) -> None:
    """Blobs of 1 KiB to 4 MiB, half of them random bytes and half of them text that compresses."""
    source = random.Random(4)
    connection.execute(
        "CREATE TABLE blobs (id INTEGER PRIMARY KEY, _created_at TEXT NOT NULL, name TEXT, content BLOB)"
    )
    fragments = [" ".join(source.choices(_WORDS, k=16)).encode() + b"\n" for _ in range(512)]

    def content() -> bytes:
        size = int(2 ** source.uniform(10, 22))
        if source.random() < 0.5:
            return source.randbytes(size)
        return b"".join(source.choices(fragments, k=size // 90 + 1))[:size]

    def made() -> Iterator[tuple[Any, ...]]:
        for start in range(0, rows, _BATCH_ROWS):
            size = min(_BATCH_ROWS, rows - start)
            for ordinal, time in enumerate(_times(source, start, size), start + 1):
                yield ordinal, time, f"{source.choice(_WORDS)}-{ordinal}.bin", content()

    connection.executemany("INSERT INTO blobs VALUES (?, ?, ?, ?)", made())


def _make_table(
    connection: sqlite3.Connection,
    source: random.Random,
    name: str,
    makers: list[tuple[str, str, Maker]],
    rows: int,
) -> None:
    columns = ", ".join(f"{column} {declared}" for column, declared, _ in makers)
    connection.execute(f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, _created_at TEXT NOT NULL, {columns})")
    places = ", ".join("?" * (len(makers) + 2))
    for start in range(0, rows, _BATCH_ROWS):
        size = min(_BATCH_ROWS, rows - start)
        batch: list[Column] = [list(range(start + 1, start + size + 1)), _times(source, start, size)]
        batch += [maker(source, start, size) for _, _, maker in makers]
        connection.executemany(f"INSERT INTO {name} VALUES ({places})", zip(*batch, strict=True))


def _times(source: random.Random, start: int, size: int) -> Column:
    """Rising times with a few that came late, as where clocks differ."""
    seconds = [
        _FIRST_SECOND + (start + place) * 2 - (30 if jitter < 0.02 else 0) + jitter
        for place, jitter in ((place, source.random()) for place in range(size))
    ]
    return [_iso(second) for second in seconds]


def _iso(second: float) -> str:
    return datetime.datetime.fromtimestamp(second, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _with_nulls(maker: Maker) -> Maker:
    def made(source: random.Random, start: int, size: int) -> Column:
        column = maker(source, start, size)
        for place in source.sample(range(size), size // 3):
            column[place] = None
        return column

    return made


def _small(source: random.Random, start: int, size: int) -> Column:
    return source.choices(range(200), k=size)


def _large(source: random.Random, start: int, size: int) -> Column:
    return [source.getrandbits(63) - (1 << 62) for _ in range(size)]


def _rising(source: random.Random, start: int, size: int) -> Column:
    return [(start + place) * 10 + step for place, step in enumerate(source.choices(range(10), k=size))]


def _real(source: random.Random, start: int, size: int) -> Column:
    return [source.random() for _ in range(size)]


def _price(source: random.Random, start: int, size: int) -> Column:
    # A quarter cent keeps every value a true REAL: whole numbers would do as well.
    return [number / 4 for number in source.choices(range(40_000), k=size)]


def _category(source: random.Random, start: int, size: int) -> Column:
    return source.choices(_WORDS[:12], k=size)


def _name(source: random.Random, start: int, size: int) -> Column:
    return [
        f"{first}-{number}"
        for first, number in zip(
            source.choices(_WORDS, k=size), source.choices(range(100_000), k=size), strict=True
        )
    ]


def _sentence(source: random.Random, start: int, size: int) -> Column:
    pool = [" ".join(source.choices(_WORDS, k=source.randint(3, 14))) for _ in range(2048)]
    return [
        f"{first} {second}" for first, second in zip(*(source.choices(pool, k=size) for _ in "ab"), strict=True)
    ]


def _time(source: random.Random, start: int, size: int) -> Column:
    return [_iso(_FIRST_SECOND + offset) for offset in source.choices(range(10_000_000), k=size)]


_MAKERS: dict[str, tuple[str, Maker]] = {
    "small": ("INTEGER", _small),
    "price": ("REAL", _price),
    "category": ("TEXT", _category),
    "rising": ("INTEGER", _rising),
    "name": ("TEXT", _name),
    "real": ("REAL", _real),
    "maybe_category": ("TEXT", _with_nulls(_category)),
    "large": ("INTEGER", _large),
    "sentence": ("TEXT", _sentence),
    "maybe_real": ("REAL", _with_nulls(_real)),
    "time": ("TEXT", _time),
    "maybe_small": ("INTEGER", _with_nulls(_small)),
}
_WIDE_KINDS = ["small", "price", "category", "name", "maybe_small", "time", "rising", "maybe_category"]
_MANY_ROWS = [40, 1_500, 90_000, 9_000, 36_000]
