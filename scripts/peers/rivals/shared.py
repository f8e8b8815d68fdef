"""What the rivals' programs have in common: the work they are given, and SQLite's part of a restore.

Imports nothing that takes time, since its own start counts as the rival's.
"""

import json
import sqlite3
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Work:
    """What is to be done, as `scripts/peers/tools.py` writes it."""

    verb: str
    # Read by an export, made by a restore.
    database: Path
    # Holds TABLE.parquet for every table.
    folder: Path
    tables: list[str]
    # The column that rows are ordered by.
    order: str
    # CREATE statements for a restore.
    table_sql: list[str]
    index_sql: list[str]
    # Whether SQLite's order is faster than sorting what it gave without one.
    sqlite_sorts: bool
    threads: int

    def parquet(self, table: str) -> Path:
        """The Parquet file of a table."""
        return self.folder / f"{table}.parquet"

    def query(self, table: str) -> str:
        """The rows of a table in order, as SQLite is asked for them."""
        return f"{self.unordered(table)} ORDER BY {quoted(self.order)}"

    def unordered(self, table: str) -> str:
        """The rows of a table, for those that sort faster than SQLite."""
        return f"SELECT * FROM {quoted(table)}"

    def uri(self) -> str:
        """The database as SQLAlchemy and its followers name it: four slashes for an absolute path."""
        return f"sqlite:///{self.database.absolute()}"

    def make_tables(self) -> None:
        """A new database with the tables, still without indexes."""
        self._execute(self.table_sql)

    def make_indexes(self) -> None:
        """The indexes, after the rows: sorting once is faster than inserting in order."""
        self._execute(self.index_sql)

    def _execute(self, statements: list[str]) -> None:
        connection = sqlite3.connect(self.database)
        for pragma in FAST_PRAGMAS:
            connection.execute(pragma)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()


# The fastest settings that were found for rivals that let them be set. They give up safety, which parklite does not.
FAST_PRAGMAS = ["PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "PRAGMA cache_size = -262144"]


def read_work() -> Work:
    """The work on the command line."""
    fields = json.loads(sys.argv[1])
    return Work(**{**fields, "database": Path(fields["database"]), "folder": Path(fields["folder"])})


def quoted(name: str) -> str:
    """A name for SQL."""
    return '"' + name.replace('"', '""') + '"'


def text(value: object) -> str:
    """A string for SQL."""
    return "'" + str(value).replace("'", "''") + "'"
