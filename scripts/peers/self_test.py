"""Whether the judge of content finds what it is there to find: a judge that passes everything would pass any rival.

A right Parquet file and a right database are changed in small ways, each of which must be found, and the unchanged
ones must pass. The changes to Parquet are made by DuckDB, those to databases by SQLite.
"""

import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

from peers import tools
from peers.cases import CASES
from peers.failure import Failure
from peers.installed import Installed
from peers.judged import Judge
from peers.tools import Job, Tool

# Of the scale of the database: a thousand rows.
_SCALE = 0.001
# What a file made of other rows is selected by, and whether that is right.
_PARQUET: list[tuple[str, str, bool]] = [
    ("the same rows", "SELECT * FROM source ORDER BY _created_at", True),
    ("a row is missing", "SELECT * FROM source WHERE id <> 500 ORDER BY _created_at", False),
    (
        "a row is there twice",
        "SELECT * FROM (FROM source UNION ALL FROM source WHERE id = 9) ORDER BY _created_at",
        False,
    ),
    (
        "a row instead of another",
        "SELECT * REPLACE (if(id = 7, 8, id) AS id) FROM source ORDER BY _created_at",
        False,
    ),
    (
        "one real is another",
        "SELECT * REPLACE (if(id = 500, b + 1e-9, b) AS b) FROM source ORDER BY _created_at",
        False,
    ),
    ("reals of 32 bits", "SELECT * REPLACE (CAST(b AS FLOAT) AS b) FROM source ORDER BY _created_at", False),
    ("integers as reals", "SELECT * REPLACE (CAST(a AS DOUBLE) AS a) FROM source ORDER BY _created_at", False),
    ("numbers as texts", "SELECT * REPLACE (CAST(a AS VARCHAR) AS a) FROM source ORDER BY _created_at", False),
    (
        "times as timestamps",
        "SELECT * REPLACE (CAST(updated_at AS TIMESTAMP) AS updated_at) FROM source ORDER BY _created_at",
        False,
    ),
    (
        "NULL as empty text",
        "SELECT * REPLACE (coalesce(note, '') AS note) FROM source ORDER BY _created_at",
        False,
    ),
    (
        "two columns exchanged",
        "SELECT * REPLACE (session AS event_type, event_type AS session) FROM source ORDER BY _created_at",
        False,
    ),
    ("a column of another name", "SELECT * RENAME (note AS remark) FROM source ORDER BY _created_at", False),
    ("a column is missing", "SELECT * EXCLUDE (note) FROM source ORDER BY _created_at", False),
    ("a row out of order", "SELECT * FROM source ORDER BY id = 500, _created_at", False),
    ("a row group out of order", "SELECT * FROM source ORDER BY id < 500, _created_at", False),
]
_DATABASE: list[tuple[str, str, bool]] = [
    ("the same rows", "SELECT 1", True),
    ("a row is missing", "DELETE FROM events WHERE id = 500", False),
    ("one text is another", "UPDATE events SET payload = payload || ' ' WHERE id = 500", False),
    ("a text is a blob", "UPDATE events SET session = CAST(session AS BLOB) WHERE id = 500", False),
    ("one real is another", "UPDATE events SET b = 0.0 WHERE id = 500", False),
    ("an index is missing", "DROP INDEX events_created_at", False),
    ("a table too many", "CREATE TABLE more (value)", False),
]


def self_test(folder: Path) -> tuple[int, list[str]]:
    """How many changes were judged, and which of them wrongly."""
    installed = Installed(folder)
    installed.install()
    database = CASES[0].prepare(folder, _SCALE)
    names, table_sql, index_sql = tools.schema_of(database)
    work = folder / "self-test"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    job = Job("export", database, work / "output", work / "target.db", names, table_sql, index_sql)
    judge = Judge(installed, database, names)
    missed = [
        what
        for what, query, is_right in _PARQUET
        if _is_right(judge, job, _parquet(installed, job, query)) != is_right
    ]
    job = Job("restore", database, work / "output", work / "target.db", names, table_sql, index_sql)
    missed += [what for what, sql, is_right in _DATABASE if _is_right(judge, job, _changed(job, sql)) != is_right]
    shutil.rmtree(work)
    return len(_PARQUET) + len(_DATABASE), missed


def _is_right(judge: Judge, job: Job, make: Callable[[], None]) -> bool:
    make()
    return judge.judge(Tool("self-test", job.verb, lambda _: []), job) is None


def _parquet(installed: Installed, job: Job, query: str) -> Callable[[], None]:
    def make() -> None:
        shutil.rmtree(job.folder, ignore_errors=True)
        job.folder.mkdir()
        statements = [
            f"LOAD '{installed.duckdb_extension}'",
            f"ATTACH '{job.database}' AS attached (TYPE sqlite, READ_ONLY)",
            "SET sqlite_disable_multithreaded_scans = true",
            "CREATE VIEW source AS FROM attached.events",
            f"COPY ({query}) TO '{job.folder / 'events.parquet'}' (FORMAT parquet, ROW_GROUP_SIZE 500)",
        ]
        command = [str(installed.duckdb), "-no-init", "-batch", "-bail", "-c", "; ".join(statements)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failure(f"{query}: {done.stderr.strip()}")

    return make


def _changed(job: Job, sql: str) -> Callable[[], None]:
    def make() -> None:
        shutil.copyfile(job.database, job.target)
        connection = sqlite3.connect(job.target)
        connection.execute(sql)
        connection.commit()
        connection.close()

    return make
