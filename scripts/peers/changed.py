"""Parquet files of queries over the table `events` of a database, which the queries call `source`. Needs DuckDB.

    changed.py DATABASE < [[QUERY, PATH], …]

The rows come through Python's SQLite and pyarrow, so that DuckDB needs no extension.
"""

import json
import sqlite3
import sys

import duckdb
import pyarrow

cursor = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True).execute("SELECT * FROM events")
names = [column[0] for column in cursor.description]
columns = zip(*cursor, strict=True)
connection = duckdb.connect()
source = pyarrow.table({name: list(column) for name, column in zip(names, columns, strict=True)})
connection.register("source", source)
for query, path in json.load(sys.stdin):
    connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 500)")
