"""parklite and its rivals: the command that each runs for a piece of work, in its fastest setting."""

import json
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from peers.cases import ORDER
from peers.installed import Installed

OURS = "parklite"
LOW_MEMORY = "64MiB"
_RIVALS = Path(__file__).with_name("rivals")


@dataclass(frozen=True)
class Job:
    """Something to do with one database: `verb` is export, restore or verify."""

    verb: str
    # The database of the case.
    database: Path
    # What an export makes and a restore reads: a folder with TABLE.parquet for every table.
    folder: Path
    # What a restore makes.
    target: Path
    tables: list[str]
    table_sql: list[str]
    index_sql: list[str]
    # Whether rivals that could sort leave it to SQLite.
    sqlite_sorts: bool

    def output(self) -> Path | None:
        """What the job makes."""
        return {"export": self.folder, "restore": self.target}.get(self.verb)


@dataclass(frozen=True)
class Tool:
    """One way to do jobs, in one setting."""

    name: str
    verb: str
    command: Callable[[Job], list[str]]
    # What the report says of it.
    note: str = ""
    # The export whose files a rival restores from.
    source: str | None = None
    # Whether it makes the output folder itself, and wants none there.
    makes_folder: bool = False
    # Whether its rows are in the order that was asked for.
    is_ordered: bool = True

    @property
    def is_ours(self) -> bool:
        """Whether it is parklite."""
        return self.name.startswith(OURS)


def schema_of(database: Path) -> tuple[list[str], list[str], list[str]]:
    """The tables of a database, the statements that make them, and those that make its indexes."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        rows = connection.execute("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid")
        found = rows.fetchall()
    finally:
        connection.close()
    tables = [(name, sql) for kind, name, sql in found if kind == "table"]
    indexes = [sql for kind, _, sql in found if kind == "index"]
    return [name for name, _ in tables], [sql for _, sql in tables], indexes


def ours(program: Path, verb: str, name: str, *options: str, note: str = "") -> Tool:
    """parklite with options."""

    def command(job: Job) -> list[str]:
        paths = {
            "export": [str(job.database), "--output", str(job.folder)],
            "restore": [str(job.folder), str(job.target)],
            "verify": [str(job.folder)],
        }
        return [str(program), verb, "--quiet", *options, *paths[verb]]

    return Tool(name, verb, command, note, makes_folder=True)


def low_memory_name(verb: str) -> str:
    """What parklite is called under the lowest memory limit."""
    return f"{OURS} {verb} --memory-limit {LOW_MEMORY}"


def exports(installed: Installed, with_slow: bool) -> list[Tool]:
    """The rivals' ordered exports."""
    polars_note = "polars sorts, or SQLite where its index is faster"
    slow = [Tool("pandas", "export", _python(installed, "by_pandas.py"), "`read_sql`, `to_parquet`")]
    if installed.sqlite2parquet.exists():
        note = "in rowid order; it cannot order a whole row"
        command = _python(installed, "by_sqlite2parquet.py", str(installed.sqlite2parquet))
        slow.append(Tool("sqlite2parquet", "export", command, note, is_ordered=False))
    return [
        Tool("duckdb", "export", _duckdb_export(installed, ""), "sqlite extension and COPY, all threads"),
        Tool(
            "duckdb-safe",
            "export",
            _duckdb_export(installed, "SET sqlite_disable_multithreaded_scans = true; "),
            "the same with `sqlite_disable_multithreaded_scans`: reads one snapshot, as parklite does",
        ),
        Tool(
            "connectorx",
            "export",
            _python(installed, "by_connectorx.py"),
            "streams to pyarrow's writer, SQLite sorts",
        ),
        Tool("polars-connectorx", "export", _python(installed, "by_polars.py", "connectorx"), polars_note),
        Tool("polars-adbc", "export", _python(installed, "by_polars.py", "adbc"), polars_note),
        Tool(
            "adbc-pyarrow", "export", _python(installed, "by_adbc.py"), "streams to pyarrow's writer, SQLite sorts"
        ),
        Tool("chdb", "export", _python(installed, "by_chdb.py"), "the `sqlite` table function"),
        *(slow if with_slow else []),
    ]


def restores(installed: Installed) -> list[Tool]:
    """The rivals' restores, each from the files of its own export, tables first and indexes last."""
    duckdb = _python(installed, "by_duckdb.py", str(installed.duckdb), str(installed.duckdb_extension))
    return [
        Tool("duckdb", "restore", duckdb, "one thread, journal off", source="duckdb-safe"),
        Tool(
            "adbc-pyarrow",
            "restore",
            _python(installed, "by_adbc.py"),
            "journal and sync off",
            source="adbc-pyarrow",
        ),
        Tool(
            "polars-adbc",
            "restore",
            _python(installed, "by_polars.py", "adbc"),
            "SQLite's defaults",
            source="polars-adbc",
        ),
        Tool("chdb", "restore", _python(installed, "by_chdb.py"), "SQLite's defaults", source="chdb"),
        Tool(
            "python",
            "restore",
            _python(installed, "by_python.py"),
            "`executemany`, journal and sync off",
            source="adbc-pyarrow",
        ),
    ]


def _duckdb_export(installed: Installed, settings: str) -> Callable[[Job], list[str]]:
    def command(job: Job) -> list[str]:
        threads = len(os.sched_getaffinity(0))
        statements = [
            f"LOAD {_text(installed.duckdb_extension)}",
            f"SET threads = {threads}",
            f"{settings}ATTACH {_text(job.database)} AS source (TYPE sqlite, READ_ONLY)",
        ]
        statements += [
            f"COPY (SELECT * FROM source.{_quoted(table)} ORDER BY {_quoted(ORDER)})"
            f" TO {_text(job.folder / f'{table}.parquet')} (FORMAT parquet, PARQUET_VERSION v2,"
            " COMPRESSION zstd, COMPRESSION_LEVEL 3)"
            for table in job.tables
        ]
        return [str(installed.duckdb), "-no-init", "-batch", "-bail", "-c", "; ".join(statements)]

    return command


def _python(installed: Installed, script: str, *arguments: str) -> Callable[[Job], list[str]]:
    def command(job: Job) -> list[str]:
        work = {
            "verb": job.verb,
            "database": str(job.database if job.verb == "export" else job.target),
            "folder": str(job.folder),
            "tables": job.tables,
            "order": ORDER,
            "table_sql": job.table_sql,
            "index_sql": job.index_sql,
            "sqlite_sorts": job.sqlite_sorts,
            "threads": len(os.sched_getaffinity(0)),
        }
        return [str(installed.python), "-B", str(_RIVALS / script), json.dumps(work), *arguments]

    return command


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"
