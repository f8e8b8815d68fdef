"""Python's own sqlite3 with pyarrow: what a script of a few lines does."""

import sqlite3

import pyarrow.parquet as pq
from shared import FAST_PRAGMAS, quoted, read_work

work = read_work()
work.make_tables()
connection = sqlite3.connect(work.database)
for pragma in FAST_PRAGMAS:
    connection.execute(pragma)
for table in work.tables:
    file = pq.ParquetFile(work.parquet(table))
    places = ", ".join("?" * len(file.schema_arrow.names))
    for batch in file.iter_batches(batch_size=65_536):
        rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
        connection.executemany(f"INSERT INTO {quoted(table)} VALUES ({places})", rows)
connection.commit()
connection.close()
work.make_indexes()
