"""ConnectorX reads, SQLite sorts, pyarrow writes. It cannot write to SQLite."""

import connectorx
import pyarrow.parquet as pq
from shared import read_work

work = read_work()
for table in work.tables:
    reader = connectorx.read_sql(
        f"sqlite://{work.database.absolute()}", work.query(table), return_type="arrow_stream", batch_size=131_072
    )
    with pq.ParquetWriter(work.parquet(table), reader.schema, compression="zstd", compression_level=3) as writer:
        for batch in reader:
            writer.write_batch(batch)
