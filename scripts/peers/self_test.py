"""Whether the judges find what they are there to find: one that passes everything would pass any rival, and us.

A right Parquet file and a right database are changed in small ways, each of which must be found, and the unchanged
ones must pass. The changes to Parquet are made by DuckDB, those to databases by SQLite. Results that reach every goal
are changed too: by a failure of ours, by something that was not measured, by a figure beyond its bound.
"""

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from peers import tools
from peers.cases import CASES
from peers.failure import Failure
from peers.goals import Results, goals
from peers.judged import Judge
from peers.tools import LOW_MEMORY, Job, Tool, low_memory_name

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


_CHANGED = Path(__file__).with_name("changed.py")


def self_test(folder: Path, python: Path) -> tuple[int, list[str]]:
    """How many changes were judged, and which of them wrongly. `python` has pyarrow and DuckDB."""
    database = CASES[0].prepare(folder, _SCALE)
    names, table_sql, index_sql = tools.schema_of(database)
    work = folder / "self-test"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    judge = Judge(python, database, names)
    folders = [work / str(number) for number in range(len(_PARQUET))]
    _make_parquet(python, database, folders)
    missed = []
    for (what, _, is_right), output in zip(_PARQUET, folders, strict=True):
        job = Job("export", database, output, work / "target.db", names, table_sql, index_sql, False)
        missed += [] if _is_right(judge, job) == is_right else [what]
    job = Job("restore", database, work / "output", work / "target.db", names, table_sql, index_sql, False)
    for what, sql, is_right in _DATABASE:
        _change(job, sql)
        missed += [] if _is_right(judge, job) == is_right else [what]
    shutil.rmtree(work)
    missed += [what for what, change, verdicts in _RESULTS if not _has_verdicts(change, verdicts)]
    return len(_PARQUET) + len(_DATABASE) + len(_RESULTS), missed


def _is_right(judge: Judge, job: Job) -> bool:
    return judge.judge(Tool("self-test", job.verb, lambda _: []), job) is None


def _make_parquet(python: Path, database: Path, folders: list[Path]) -> None:
    queries = []
    for (_, query, _), output in zip(_PARQUET, folders, strict=True):
        output.mkdir()
        queries.append([query, str(output / "events.parquet")])
    command = [str(python), "-B", str(_CHANGED), str(database)]
    done = subprocess.run(command, input=json.dumps(queries), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"DuckDB cannot make what is to be judged: {done.stderr.strip()}")


def _change(job: Job, sql: str) -> None:
    shutil.copyfile(job.database, job.target)
    connection = sqlite3.connect(job.target)
    connection.execute(sql)
    connection.commit()
    connection.close()


def _has_verdicts(change: Callable[[Results], None], verdicts: dict[str, bool | None]) -> bool:
    """Whether exactly the goals whose names begin so have other verdicts than "met", and these."""
    results = _perfect()
    change(results)
    left = dict(verdicts)
    for goal in goals(results):
        begun = next((beginning for beginning in verdicts if goal.what.startswith(beginning)), None)
        if goal.is_met is not (True if begun is None else verdicts[begun]):
            return False
        left.pop(str(begun), None)
    return not left


def _perfect() -> Results:
    """Results that reach every goal."""
    results: Results = {}
    for case in CASES:
        long = 10.0 if case.name == "long" else 1.0
        rivals = ["duckdb", "connectorx"] if case.compared else []
        suites = {
            "export": [_row("parklite --no-verify", long), _row("parklite", long)],
            "restore": [_row("parklite --no-verify", long), _row("parklite", long), _row("parklite verify", long)],
            "memory": [_row(low_memory_name(verb), long) for verb in ("export", "restore", "verify")],
            "start": [_row("parklite --version", 0.001), _row("parklite export and restore", 0.01)],
        }
        results[case.name] = {
            "largest_row_bytes": 1000,
            "most_columns": 13,
            "suites": {
                name: {
                    "default_rivals": rivals if name in ("export", "restore") else [],
                    "rows": found + [_row(rival, 4.0) for rival in rivals if name in ("export", "restore")],
                }
                for name, found in suites.items()
                if name in case.jobs
            },
        }
    return results


def _row(tool: str, wall: float) -> dict[str, Any]:
    return {
        "tool": tool,
        "is_ours": tool.startswith(tools.OURS),
        "is_ordered": True,
        "problem": None,
        "output_bytes": 100,
        "runs": [{"wall": wall, "peak_bytes": 50 << 20}],
    }


def _changed_row(case: str, suite: str, tool: str, **changes: object) -> Callable[[Results], None]:
    def change(results: Results) -> None:
        next(row for row in results[case]["suites"][suite]["rows"] if row["tool"] == tool).update(changes)

    return change


def _failed(case: str, suite: str, tool: str) -> Callable[[Results], None]:
    return _changed_row(case, suite, tool, problem="wrong: other cells", runs=[])


def _without(case: str, suite: str, tool: str | None = None) -> Callable[[Results], None]:
    def change(results: Results) -> None:
        suites = results[case]["suites"]
        if tool is None:
            del suites[suite]
        else:
            suites[suite]["rows"] = [row for row in suites[suite]["rows"] if row["tool"] != tool]

    return change


def _both(first: Callable[[Results], None], second: Callable[[Results], None]) -> Callable[[Results], None]:
    def change(results: Results) -> None:
        first(results)
        second(results)

    return change


def _peak(case: str, suite: str, tool: str, mib: int) -> Callable[[Results], None]:
    return _changed_row(case, suite, tool, runs=[{"wall": 1.0, "peak_bytes": mib << 20}])


_DEFAULT_PEAK = "peak memory, default"
_LOW_PEAK = f"peak memory, `--memory-limit {LOW_MEMORY}`"
# What is changed in results that reach every goal, and the verdicts that are no longer "met", by the goals' beginnings.
_RESULTS: list[tuple[str, Callable[[Results], None], dict[str, bool | None]]] = [
    ("every goal reached", lambda results: None, {}),
    (
        "a restore of ours that no ratio looks at failed",
        _failed("many", "restore", "parklite"),
        {_DEFAULT_PEAK: False},
    ),
    (
        "an export of ours failed",
        _failed("shuffled", "export", "parklite --no-verify"),
        {"export of shuffled": False, _DEFAULT_PEAK: False},
    ),
    ("a run under the limit failed", _failed("blobs", "memory", low_memory_name("verify")), {_LOW_PEAK: False}),
    (
        "a verify failed while another case was not measured",
        _both(_failed("events", "restore", "parklite verify"), _without("wide", "restore")),
        {"full verify": False, _DEFAULT_PEAK: False},
    ),
    ("a start failed", _failed("tiny", "start", "parklite --version"), {"start of": False}),
    ("a case was not measured under the limit", _without("wide", "memory"), {_LOW_PEAK: None}),
    ("a verb was not measured", _without("wide", "restore", "parklite verify"), {_DEFAULT_PEAK: None}),
    ("a rival was left out", _without("wide", "export", "connectorx"), {"export of wide": None}),
    ("a rival failed, and another did not", _failed("wide", "export", "connectorx"), {}),
    (
        "the rival that is named was left out",
        _without("events", "export", "duckdb"),
        {"export of events": None, "file size": None},
    ),
    ("too much memory", _peak("blobs", "export", "parklite", 257), {_DEFAULT_PEAK: False}),
    ("too much memory for 13 columns", _peak("many", "memory", low_memory_name("export"), 114), {_LOW_PEAK: False}),
    ("a larger file", _changed_row("events", "export", "parklite", output_bytes=101), {"file size": False}),
    (
        "a slower export",
        _changed_row("wide", "export", "parklite --no-verify", runs=[{"wall": 4.1, "peak_bytes": 1}]),
        {"export of wide": False},
    ),
]
