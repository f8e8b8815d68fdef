"""pandas, the way its manual shows: `read_sql` and `to_parquet`."""

import sqlite3

import pandas
from shared import read_work

work = read_work()
connection = sqlite3.connect(f"file:{work.database}?mode=ro", uri=True)
for table in work.tables:
    frame = pandas.read_sql(work.query(table), connection)
    frame.to_parquet(work.parquet(table), compression="zstd", compression_level=3, index=False)
