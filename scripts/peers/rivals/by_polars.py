"""polars: reads through ConnectorX or ADBC and sorts what came where SQLite is slower, writes to SQLite through ADBC."""

import sys

import polars
from shared import read_work

work = read_work()
engine = sys.argv[2]
if work.verb == "export":
    # ConnectorX wants two slashes before an absolute path, ADBC three.
    uri = work.uri() if engine == "adbc" else f"sqlite://{work.database.absolute()}"
    for table in work.tables:
        query = work.query(table) if work.sqlite_sorts else work.unordered(table)
        frame = polars.read_database_uri(query, uri, engine=engine)
        if not work.sqlite_sorts:
            # Rows of the same time stay as they came, in rowid order, which costs nothing.
            frame = frame.sort(work.order, maintain_order=True)
        frame.write_parquet(work.parquet(table), compression="zstd", compression_level=3)
else:
    work.make_tables()
    for table in work.tables:
        frame = polars.read_parquet(work.parquet(table))
        frame.write_database(table, work.uri(), if_table_exists="append", engine="adbc")
    work.make_indexes()
