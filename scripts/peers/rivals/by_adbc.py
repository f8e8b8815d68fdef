"""ADBC's SQLite driver with pyarrow: streamed batches, both ways."""

import adbc_driver_sqlite.dbapi
import pyarrow.parquet as pq
from shared import FAST_PRAGMAS, read_work

work = read_work()
if work.verb == "export":
    with adbc_driver_sqlite.dbapi.connect(str(work.database)) as connection, connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": "65536"})
        for table in work.tables:
            cursor.execute(work.query(table))
            reader = cursor.fetch_record_batch()
            path = work.parquet(table)
            with pq.ParquetWriter(path, reader.schema, compression="zstd", compression_level=3) as writer:
                for batch in reader:
                    writer.write_batch(batch)
else:
    work.make_tables()
    with adbc_driver_sqlite.dbapi.connect(str(work.database), autocommit=True) as connection:
        with connection.cursor() as cursor:
            for pragma in FAST_PRAGMAS:
                cursor.execute(pragma)
                cursor.fetchall()
            for table in work.tables:
                file = pq.ParquetFile(work.parquet(table))
                cursor.execute("BEGIN")
                cursor.adbc_ingest(table, file.iter_batches(batch_size=65_536), mode="append")
                cursor.execute("COMMIT")
    work.make_indexes()
