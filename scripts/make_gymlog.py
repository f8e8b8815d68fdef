#!/usr/bin/env python3
"""Builds fixtures/gymlog.db: a made-up but realistic gym log.

One lifter's fourteen months as a small local-first app would have stored them: an append-only `events`
table with JSON payloads, and the tables that the app derives from it. Everything comes from one seeded
generator, so every run on every machine makes the same rows.

    scripts/make_gymlog.py                      write fixtures/gymlog.db
    scripts/make_gymlog.py --output other.db    write somewhere else
    scripts/make_gymlog.py --check              build twice in a temporary folder, compare both with the
                                                committed file row by row, exit 1 on a difference

Only rows and definitions are promised to be equal, not the bytes of the file: the header names the SQLite
version that wrote it.
"""

import argparse
import json
import random
import sqlite3
import sys
import tempfile
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path

SEED = 20261120
FIRST_DAY = datetime(2025, 9, 1, tzinfo=timezone.utc)
DAYS = 430
# From this day on the app writes milliseconds; before, whole seconds. Real logs have such seams.
MILLISECONDS_SINCE = FIRST_DAY + timedelta(days=75)
APPLICATION_ID = 0x47594D31  # "GYM1"
USER_VERSION = 7

DEFAULT_PATH = Path(__file__).resolve().parent.parent / "fixtures" / "gymlog.db"

SCHEMA = """\
CREATE TABLE events (
  _event_id   TEXT PRIMARY KEY,
  _created_at TEXT NOT NULL,
  event_type  TEXT NOT NULL,
  payload     TEXT NOT NULL
);
CREATE TABLE exercises (
  id            INTEGER PRIMARY KEY,
  name          TEXT NOT NULL UNIQUE COLLATE NOCASE,
  muscle_group  TEXT NOT NULL,
  is_bodyweight BOOLEAN NOT NULL DEFAULT 0,
  created_at    DATETIME NOT NULL
);
CREATE TABLE workouts (
  id           INTEGER PRIMARY KEY,
  started_at   DATETIME NOT NULL,
  completed_at DATETIME,              -- NULL while the workout is running
  program_day  VARCHAR(10),
  set_count    INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE sets (
  id          INTEGER PRIMARY KEY,
  workout_id  INTEGER NOT NULL REFERENCES workouts (id) ON DELETE CASCADE,
  exercise_id INTEGER NOT NULL REFERENCES exercises (id),
  ordinal     INTEGER NOT NULL,
  reps        INTEGER NOT NULL CHECK (reps >= 0),
  weight_kg   DECIMAL(6,2),           -- 82.5 is stored as a real, 100 as an integer
  rpe         NUMERIC,
  is_warmup   BOOLEAN NOT NULL DEFAULT 0,
  logged_at   DATETIME NOT NULL,
  UNIQUE (workout_id, ordinal)
);
CREATE TABLE bodyweights (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  measured_on DATE NOT NULL,
  weight_kg   NUMERIC NOT NULL,
  body_fat    REAL
);
CREATE TABLE notes (
  workout_id INTEGER REFERENCES workouts (id) ON DELETE SET NULL,
  written_at TEXT NOT NULL,
  body       TEXT
);
CREATE TABLE settings (
  key   TEXT NOT NULL PRIMARY KEY,
  value
) WITHOUT ROWID;
CREATE INDEX events_newest_first ON events (_created_at DESC);
CREATE INDEX workouts_running ON workouts (started_at) WHERE completed_at IS NULL;
CREATE INDEX exercises_by_group ON exercises (muscle_group, lower(name));
CREATE INDEX sets_by_exercise ON sets (exercise_id, weight_kg DESC);
CREATE INDEX sets_heavy ON sets (weight_kg DESC) WHERE weight_kg >= 100 AND is_warmup = 0;
CREATE VIEW workout_summary AS
  SELECT w.id, w.started_at, w.program_day,
         count(s.id) AS working_sets,
         sum(s.reps * s.weight_kg) AS volume_kg
    FROM workouts AS w
    LEFT JOIN sets AS s ON s.workout_id = w.id AND s.is_warmup = 0
   GROUP BY w.id;
CREATE TRIGGER sets_counted AFTER INSERT ON sets
BEGIN
  UPDATE workouts SET set_count = set_count + 1 WHERE id = NEW.workout_id;
END;
"""

# name, muscle group, bodyweight only, lightest and heaviest working weight in kg, step in kg
EXERCISES = [
    ("Back squat", "legs", 0, 70, 140, 2.5),
    ("Front squat", "legs", 0, 50, 100, 2.5),
    ("Romanian deadlift", "legs", 0, 60, 130, 2.5),
    ("Leg press", "legs", 0, 120, 240, 10),
    ("Calf raise", "legs", 0, 40, 90, 5),
    ("Deadlift", "back", 0, 90, 180, 2.5),
    ("Barbell row", "back", 0, 50, 90, 2.5),
    ("Lat pulldown", "back", 0, 45, 80, 2.5),
    ("Pull-up", "back", 1, 0, 0, 0),
    ("Bench press", "chest", 0, 55, 102.5, 1.25),
    ("Incline press", "chest", 0, 45, 80, 2.5),
    ("Dip", "chest", 1, 0, 0, 0),
    ("Overhead press", "shoulders", 0, 35, 62.5, 1.25),
    ("Lateral raise", "shoulders", 0, 6, 14, 1),
    ("Barbell curl", "arms", 0, 20, 42.5, 1.25),
    ("Triceps pushdown", "arms", 0, 20, 45, 2.5),
    ("Plank", "core", 1, 0, 0, 0),
    ("Hanging leg raise", "core", 1, 0, 0, 0),
]

PROGRAM = {
    "lower-a": ["Back squat", "Romanian deadlift", "Leg press", "Plank"],
    "upper-a": ["Bench press", "Barbell row", "Lateral raise", "Barbell curl"],
    "lower-b": ["Deadlift", "Front squat", "Calf raise", "Hanging leg raise"],
    "upper-b": ["Overhead press", "Pull-up", "Incline press", "Triceps pushdown", "Dip"],
}

NOTES = [
    "Slept badly, kept the top set light.",
    "Felt strong today 💪",
    "Left knee a bit stiff.\nWarmed up longer, then fine.",
    "Gym was full; swapped the order.",
    "New personal best 🎉🏋️\nNext time +2,5 kg",
    'Tried the "slow eccentric" idea.\tNot convinced.',
    "Müde, aber gut — 3 Sätze statt 5.",
    "腰の調子が良い",
    "Belt on for the last two sets.",
    "",
]


def number(value):
    """The value as JSON and NUMERIC columns would have it: 100, not 100.0; 82.5 stays."""
    return int(value) if float(value).is_integer() else float(value)


def timestamp(moment):
    if moment < MILLISECONDS_SINCE:
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


class GymLog:
    """One simulated history. Rows are collected in the order in which the app would have stored them."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.events = []  # (moment it is stored, moment it happened, type, payload)
        self.exercises = []
        self.workouts = []
        self.sets = []
        self.bodyweights = []
        self.notes = []
        self.exercise_ids = {}

    def event(self, moment, event_type, payload, stored_after=timedelta(0)):
        self.events.append((moment + stored_after, moment, event_type, payload))

    def simulate(self):
        self.create_exercises()
        days = list(PROGRAM)
        trained = 0
        for day in range(DAYS):
            morning = FIRST_DAY + timedelta(days=day, hours=6, minutes=self.random.randrange(90))
            if day % 2 == 0 and self.random.random() < 0.8:
                self.weigh(morning, day)
            # Two weeks of holiday, otherwise about four sessions in nine days.
            if 210 <= day < 224 or self.random.random() > 0.46:
                continue
            start = FIRST_DAY + timedelta(
                days=day, hours=17, minutes=self.random.randrange(120), milliseconds=self.random.randrange(60000)
            )
            self.train(start, days[trained % len(days)], day / DAYS)
            trained += 1
        self.leave_one_running()

    def create_exercises(self):
        for ordinal, (name, group, bodyweight, *_rest) in enumerate(EXERCISES, start=1):
            moment = FIRST_DAY + timedelta(hours=9, seconds=4 * ordinal)
            # Ids have gaps: the app once deleted exercises.
            identifier = ordinal if ordinal < 9 else ordinal + 4
            self.exercise_ids[name] = identifier
            self.exercises.append((identifier, name, group, bodyweight, timestamp(moment)))
            self.event(moment, "exercise_created", {"exercise_id": identifier, "name": name, "muscle_group": group})

    def weigh(self, moment, day):
        weight = number(round(84 - 3 * day / DAYS + self.random.gauss(0, 0.5), 1))
        body_fat = round(self.random.uniform(15, 19), 1) if self.random.random() < 0.3 else None
        self.bodyweights.append((moment.strftime("%Y-%m-%d"), weight, body_fat))
        payload = {"weight_kg": weight, "source": self.random.choice(["scale", "manual"])}
        if body_fat is not None:
            payload["body_fat_percent"] = body_fat
        self.event(moment, "bodyweight_logged", payload)

    def train(self, start, program_day, progress):
        workout = len(self.workouts) + 1
        # Now and then the phone is offline: the whole session is stored hours later, after newer events.
        delay = timedelta(hours=self.random.randrange(14, 40)) if self.random.random() < 0.08 else timedelta(0)
        self.event(
            start,
            "workout_started",
            {"workout_id": workout, "program_day": program_day, "app": {"version": "1.4.0", "offline": bool(delay)}},
            delay,
        )
        moment = start
        ordinal = 0
        for name in PROGRAM[program_day]:
            for set_number in range(1, self.random.choice([3, 4, 4, 5]) + 1):
                ordinal += 1
                moment += timedelta(seconds=self.random.randrange(70, 240), milliseconds=self.random.randrange(1000))
                self.log_set(workout, ordinal, name, set_number, moment, progress, delay)
        moment += timedelta(seconds=self.random.randrange(30, 400))
        if self.random.random() < 0.25:
            self.write_note(workout, moment, delay)
        self.workouts.append((workout, timestamp(start), timestamp(moment), program_day))
        self.event(
            moment,
            "workout_completed",
            {
                "workout_id": workout,
                "duration_s": int((moment - start).total_seconds()),
                "sets": ordinal,
                "rating": self.random.choice(["easy", "perfect", "perfect", "hard"]),
            },
            delay,
        )

    def log_set(self, workout, ordinal, name, set_number, moment, progress, delay):
        _name, _group, bodyweight, lightest, heaviest, step = next(e for e in EXERCISES if e[0] == name)
        warmup = int(set_number == 1 and not bodyweight)
        weight = None
        if not bodyweight:
            target = lightest + (heaviest - lightest) * progress * (0.5 if warmup else 1)
            weight = number(round(target / step) * step)
        reps = self.random.randrange(5, 13)
        rpe = None if warmup else number(self.random.randrange(12, 21) / 2)
        exercise = self.exercise_ids[name]
        self.sets.append((workout, exercise, ordinal, reps, weight, rpe, warmup, timestamp(moment)))
        payload = {
            "workout_id": workout,
            "exercise_id": exercise,
            "set": set_number,
            "reps": reps,
            "weight_kg": weight,
            "warmup": bool(warmup),
        }
        if rpe is not None:
            payload["rpe"] = rpe
        if name == "Plank":
            payload["seconds"] = 10 * reps
        self.event(moment, "set_logged", payload, delay)
        if self.random.random() < 0.01:
            # A corrected entry in the very same instant: equal timestamps exist in every real log.
            correction = {"workout_id": workout, "set_ordinal": ordinal, "field": "reps", "old": reps + 1, "new": reps}
            self.event(moment, "set_corrected", correction, delay)

    def write_note(self, workout, moment, delay):
        body = self.random.choice(NOTES)
        self.notes.append((workout, timestamp(moment), body or None))
        self.event(moment, "note", {"workout_id": workout, "text": body}, delay)

    def leave_one_running(self):
        start = FIRST_DAY + timedelta(days=DAYS, hours=17)
        workout = len(self.workouts) + 1
        self.workouts.append((workout, timestamp(start), None, None))
        payload = {"workout_id": workout, "program_day": None, "app": {"version": "1.5.0", "offline": False}}
        self.event(start, "workout_started", payload)

    def event_rows(self):
        """Events in the order they were stored, which is not quite the order in which they happened."""
        for _stored, moment, event_type, payload in sorted(self.events, key=lambda event: event[0]):
            identifier = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
            body = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
            yield identifier, timestamp(moment), event_type, body


def settings_rows():
    return [
        ("theme", "dark"),
        ("rest_timer_s", 150),
        ("plate_step_kg", 1.25),
        ("units", "kg"),
        ("last_sync_token", bytes.fromhex("00ff7f8040c0de")),
        ("reminder", None),
        ("backup", '{"workoutsSinceBackup":7,"lastBackupDate":"2026-10-02T18:11:09.123Z","reminderDismissed":false}'),
        ("schema_migrated_at", "2026-02-14T08:00:00Z"),
    ]


def build(path):
    """Writes the database to `path`, which must not exist."""
    log = GymLog(SEED)
    log.simulate()
    connection = sqlite3.connect(path, isolation_level=None)
    run = connection.execute
    run("PRAGMA page_size = 4096")
    run("PRAGMA foreign_keys = ON")
    run(f"PRAGMA application_id = {APPLICATION_ID}")
    run(f"PRAGMA user_version = {USER_VERSION}")
    connection.executescript(SCHEMA)
    run("BEGIN")
    connection.executemany("INSERT INTO exercises VALUES (?, ?, ?, ?, ?)", log.exercises)
    connection.executemany(
        "INSERT INTO workouts (id, started_at, completed_at, program_day) VALUES (?, ?, ?, ?)", log.workouts
    )
    connection.executemany(
        "INSERT INTO sets (workout_id, exercise_id, ordinal, reps, weight_kg, rpe, is_warmup, logged_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        log.sets,
    )
    connection.executemany(
        "INSERT INTO bodyweights (measured_on, weight_kg, body_fat) VALUES (?, ?, ?)", log.bodyweights
    )
    connection.executemany("INSERT INTO notes VALUES (?, ?, ?)", log.notes)
    connection.executemany("INSERT INTO settings VALUES (?, ?)", settings_rows())
    connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?)", log.event_rows())
    # Deleted rows leave gaps in the rowids, and the AUTOINCREMENT counter stays ahead of the data.
    run("DELETE FROM events WHERE rowid % 397 = 0")
    run("DELETE FROM notes WHERE rowid IN (3, 4, 11)")
    run("DELETE FROM bodyweights WHERE id > (SELECT max(id) - 3 FROM bodyweights)")
    run("COMMIT")
    run("ANALYZE")
    assert run("PRAGMA foreign_key_check").fetchall() == []
    assert run("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def contents(path):
    """Everything the fixture promises: definitions, rows with rowid and storage class, header numbers."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    # Statistics are left out: they depend on the SQLite that gathered them (some add sqlite_stat4).
    schema = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%' ORDER BY rowid"
    facts = {"schema": connection.execute(schema).fetchall()}
    for pragma in ("user_version", "application_id", "encoding", "page_size", "auto_vacuum"):
        facts[pragma] = connection.execute(f"PRAGMA {pragma}").fetchall()
    for kind, name, _table, sql in facts["schema"]:
        if kind != "table":
            continue
        rowid = "NULL" if "WITHOUT ROWID" in sql else "rowid"
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
        cells = ", ".join(f'typeof("{column}"), quote("{column}")' for column in columns)
        facts[name] = connection.execute(f"SELECT {rowid}, {cells} FROM {name}").fetchall()
    connection.close()
    return facts


def check(committed):
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / "first.db", Path(folder) / "second.db"]
        for path in paths:
            build(path)
        first, second = map(contents, paths)
    expected = contents(committed)
    different = [key for key in expected if not first.get(key) == second.get(key) == expected[key]]
    if different or first.keys() != expected.keys():
        print(f"differs from a fresh build: {', '.join(different) or 'table list'}", file=sys.stderr)
        return 1
    print(f"{committed}: equal to two fresh builds ({len(expected['events'])} events)")
    return 0


def describe(path):
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    print(f"{path}: {path.stat().st_size:,} bytes")
    names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
    for (name,) in names:
        (count,) = connection.execute(f"SELECT count(*) FROM {name}").fetchone()
        print(f"  {name:<16} {count:>6} rows")
    for event_type, count in connection.execute("SELECT event_type, count(*) FROM events GROUP BY 1"):
        print(f"    {event_type:<20} {count:>5}")
    early = connection.execute(
        "SELECT count(*) FROM events AS e WHERE _created_at < (SELECT _created_at FROM events WHERE rowid < e.rowid"
        " ORDER BY rowid DESC LIMIT 1)"
    ).fetchone()[0]
    print(f"  {early} events are stored after a newer one")
    connection.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=DEFAULT_PATH)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if options.check:
        return check(options.output)
    options.output.unlink(missing_ok=True)
    build(options.output)
    describe(options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
