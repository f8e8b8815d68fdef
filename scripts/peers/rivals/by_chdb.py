"""chDB: the `sqlite` table function, both ways."""

import chdb
from shared import quoted, read_work, text

work = read_work()
settings = f"SETTINGS max_threads = {work.threads}"
if work.verb == "export":
    for table in work.tables:
        chdb.query(
            f"SELECT * FROM sqlite({text(work.database)}, {text(table)}) ORDER BY {quoted(work.order)}"
            f" INTO OUTFILE {text(work.parquet(table))} FORMAT Parquet {settings},"
            " output_format_parquet_compression_method = 'zstd', output_format_compression_level = 3"
        )
else:
    work.make_tables()
    for table in work.tables:
        chdb.query(
            f"INSERT INTO FUNCTION sqlite({text(work.database)}, {text(table)})"
            f" SELECT * FROM file({text(work.parquet(table))}, Parquet) {settings}"
        )
    work.make_indexes()
