#!/usr/bin/env python3
"""Makes a database of events to measure with: `make_events.py ROWS DATABASE [--shuffled]`.

The same rows every time: one table of 13 columns with an INTEGER PRIMARY KEY, a UNIQUE UUID text, ISO
timestamps, a JSON payload of about 300 bytes, small integers and reals, and an index on `_created_at`.
Rows are in order of `_created_at`, or in none with `--shuffled`. Standard library only.
"""

import argparse
import datetime
import json
import random
import sqlite3
import uuid
from collections.abc import Iterator

SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE events (
    id INTEGER PRIMARY KEY, event_uuid TEXT UNIQUE, _created_at TEXT, user_id INTEGER, event_type TEXT,
    payload TEXT, session TEXT, a INTEGER, b REAL, c REAL, d INTEGER, updated_at TEXT, note TEXT
);
"""
FIRST_SECOND = 1.7e9
SHUFFLED_SECONDS = 1e8


def payload(source: random.Random) -> str:
    """What an event carries."""
    sets = [
        {"reps": source.randint(1, 12), "weight": source.randint(20, 200) / 2, "rpe": source.randint(12, 20) / 2}
        for _ in range(5)
    ]
    return json.dumps(
        {
            "exercise": source.choice(["squat", "bench", "deadlift", "row"]),
            "sets": sets,
            "note": f"set {source.randint(1, 9)} of {source.randint(1, 99999)}",
            "device": f"phone-{source.randint(1, 40)}",
        }
    )


def events(count: int, shuffled: bool) -> Iterator[tuple[object, ...]]:
    """The rows, made from one seed."""
    source = random.Random(7)
    second = FIRST_SECOND
    for ordinal in range(1, count + 1):
        second += source.random() * 2
        moment = FIRST_SECOND + source.random() * SHUFFLED_SECONDS if shuffled else second
        time = datetime.datetime.fromtimestamp(moment, datetime.UTC).replace(tzinfo=None)
        text = time.isoformat(timespec="milliseconds") + "Z"
        yield (
            ordinal,
            str(uuid.UUID(int=source.getrandbits(128))),
            text,
            source.randint(1, 5000),
            source.choice(["set_logged", "workout_started", "workout_completed"]),
            payload(source),
            f"s{source.randint(1, 100000)}",
            source.randint(0, 1000),
            source.random(),
            round(source.random() * 100, 2),
            source.randint(0, 5),
            text,
            None if source.random() < 0.7 else "ok",
        )


def main() -> None:
    """Makes the database."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=int)
    parser.add_argument("database")
    parser.add_argument("--shuffled", action="store_true")
    arguments = parser.parse_args()
    connection = sqlite3.connect(arguments.database)
    connection.executescript(SCHEMA)
    places = ", ".join("?" * 13)
    connection.executemany(
        f"INSERT INTO events VALUES ({places})", events(arguments.rows, arguments.shuffled)
    )
    connection.execute("CREATE INDEX events_created_at ON events (_created_at)")
    connection.commit()
    connection.close()


if __name__ == "__main__":
    main()
