"""DuckDB's restore: its sqlite extension inserts, SQLite makes tables before and indexes after.

The export needs no program: DuckDB's own command line does it.
"""

import subprocess
import sys

from shared import quoted, read_work, text

work = read_work()
program, extension = sys.argv[2:4]
work.make_tables()
statements = [
    f"LOAD {text(extension)}",
    # With more, a second thread often burns as much CPU again and nothing gets faster.
    "SET threads = 1",
    f"ATTACH {text(work.database)} AS target (TYPE sqlite, JOURNAL_MODE 'OFF')",
]
statements += [
    f"INSERT INTO target.{quoted(table)} SELECT * FROM read_parquet({text(work.parquet(table))})"
    for table in work.tables
]
subprocess.run([program, "-no-init", "-batch", "-bail", "-c", "; ".join(statements)], check=True)
work.make_indexes()
