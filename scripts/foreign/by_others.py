"""Files that DuckDB, pyarrow and polars write, with every type they have."""

import datetime
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

NAN, INF = float("nan"), float("inf")

DUCKDB_TYPES = """
SELECT * EXCLUDE i FROM (SELECT i,
  (i % 2)::BOOLEAN AS "boolean", (i * 31 - 128)::TINYINT AS "tinyint", (i * 8191 - 32768)::SMALLINT AS "smallint",
  (i::HUGEINT * 536870911 - 2147483648)::INTEGER AS "integer", (i::HUGEINT * 2305843009213693951 - 9223372036854775808)::BIGINT AS "bigint",
  (i * 31)::UTINYINT AS "utinyint", (i * 8191)::USMALLINT AS "usmallint", (i * 536870911)::UINTEGER AS "uinteger",
  (i::HUGEINT * 2305843009213693951)::UBIGINT AS "ubigint", (i * 3)::HUGEINT AS "hugeint",
  (i / 3)::FLOAT AS "float", CASE i WHEN 2 THEN 'nan' WHEN 3 THEN 'inf' WHEN 4 THEN '-0.0' ELSE '0.1' END::DOUBLE AS "double",
  (i / 3)::DECIMAL(4,1) AS "decimal4", (-i / 3)::DECIMAL(9,2) AS "decimal9", (i / 3)::DECIMAL(18,3) AS "decimal18",
  (-i / 3)::DECIMAL(38,10) AS "decimal38", 99999999999999999999999999999999999999::DECIMAL(38,0) AS "decimal38max",
  DATE '2026-11-20' + (i * 1000)::INTEGER AS "date", '5000-01-01 (BC)'::DATE AS "date bc",
  TIME '09:30:00.123456' AS "time", TIMETZ '09:30:00.5+02' AS "timetz",
  TIMESTAMP '2026-11-20 09:30:00.123456' + INTERVAL (i) DAY AS "timestamp", '-infinity'::TIMESTAMP AS "infinite",
  TIMESTAMPTZ '2026-11-20 09:30:00.123456+02' AS "timestamptz", TIMESTAMP_S '1969-12-31 23:59:59' AS "timestamp_s",
  TIMESTAMP_MS '2026-11-20 09:30:00.123' AS "timestamp_ms", TIMESTAMP_NS '2026-11-20 09:30:00.123456789' AS "timestamp_ns",
  INTERVAL '14 months 3 days 4.5 seconds' AS "interval",
  CASE WHEN i < 6 THEN 'text ' || i || chr(10) || 'é"\\😀' WHEN i = 6 THEN '' END AS "varchar",
  CASE WHEN i < 6 THEN '\\xFF\\x00a'::BLOB WHEN i = 6 THEN ''::BLOB END AS "blob",
  '00112233-4455-6677-8899-aabbccddeeff'::UUID AS "uuid", 'ok'::ENUM ('sad', 'ok') AS "enum", '101'::BIT AS "bit",
  '{"a": [1, 2.0]}'::JSON AS "json", NULL AS "null",
  CASE i WHEN 0 THEN NULL WHEN 1 THEN [] ELSE [i, NULL, -i] END AS "list", [1.5, i / 0, NULL]::DOUBLE[3] AS "array",
  {'a': i, 'b': CASE WHEN i > 3 THEN {'c': 'x', 'd': [DATE '2026-11-20']} END} AS "struct",
  MAP {'k' || i: i, 'j': NULL} AS "map", MAP {i: [TIMESTAMP '2026-11-20']} AS "map of int",
  union_value(num := i) AS "union", [[i], [], NULL, ['9'::BIGINT]] AS "lists",
  FROM range(8) AS r(i))
"""


def duckdb_types(path: Path) -> None:
    """Every type of DuckDB's."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"COPY ({DUCKDB_TYPES}) TO '{path}' (FORMAT PARQUET)")


def _duckdb_option(options: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with duckdb.connect() as connection:
            query = """SELECT i::INTEGER AS i, CASE WHEN i % 7 > 0 THEN 'value ' || i % 50 END AS s, (i % 100) / 8 AS d,
                              [i, i % 3] AS l, i > 2000 AS b, i::BIGINT * 1000003 AS big FROM range(5000) AS r(i)"""
            connection.execute(f"COPY ({query}) TO '{path}' (FORMAT PARQUET, {options})")

    return write


def gymlog_backup(path: Path) -> None:
    """A backup as the app in the browser makes it: its events through DuckDB."""
    root = Path(__file__).resolve().parents[2]
    with sqlite3.connect(f"file:{root / 'fixtures' / 'gymlog.db'}?mode=ro", uri=True) as source:
        rows = source.execute("SELECT _event_id, _created_at, event_type, payload FROM events ORDER BY rowid").fetchall()
    names = ["_event_id", "_created_at", "event_type", "payload"]
    events = pa.table({name: pa.array([row[at] for row in rows], pa.string()) for at, name in enumerate(names)})
    with duckdb.connect() as connection:
        connection.register("events", events)
        connection.execute(f"COPY (FROM events) TO '{path}' (FORMAT PARQUET, CODEC ZSTD)")


def _arrow_columns() -> dict[str, pa.Array]:
    def array(values: list[Any], kind: pa.DataType) -> pa.Array:
        return pa.array([*values, None], kind, from_pandas=False)

    big = Decimal("9" * 28 + "." + "9" * 10)
    huge = Decimal("-" + "9" * 38 + "." + "9" * 38)
    stamp = 1_795_167_000_123_456_789
    inner_map = pa.map_(pa.string(), pa.list_(pa.struct([("x", pa.int32())])))
    struct_type = pa.struct([("a", pa.int64()), ("b", pa.list_(pa.timestamp("ns", "UTC"))), ("f", pa.float32())])
    return {
        "bool": array([True, False, None, True], pa.bool_()),
        "int8": array([-128, 127, 0, 1], pa.int8()),
        "int16": array([-(2**15), 2**15 - 1, 0, 1], pa.int16()),
        "int32": array([-(2**31), 2**31 - 1, 0, 1], pa.int32()),
        "int64": array([-(2**63), 2**63 - 1, 2**53 + 1, 1], pa.int64()),
        "uint8": array([0, 255, 1, 2], pa.uint8()),
        "uint16": array([0, 2**16 - 1, 1, 2], pa.uint16()),
        "uint32": array([0, 2**32 - 1, 1, 2], pa.uint32()),
        "uint64": array([0, 2**64 - 1, 2**63, 2**63 - 1], pa.uint64()),
        "float16": array([1.5, NAN, -0.0, INF], pa.float16()),
        "float32": array([0.1, NAN, -0.0, -INF], pa.float32()),
        "float64": array([0.1, NAN, -0.0, 5e-324], pa.float64()),
        "decimal32": array([Decimal("1.50"), Decimal("-0.01"), Decimal("9999999.99"), None], pa.decimal32(9, 2)),
        "decimal64": array([Decimal("1.5"), Decimal("-0.1"), None, None], pa.decimal64(18, 1)),
        "decimal128": array([big, big.copy_negate(), Decimal("0E-10"), None], pa.decimal128(38, 10)),
        "decimal256": array([huge, huge.copy_negate(), None, None], pa.decimal256(76, 38)),
        "date32": array([-719_162, 2_932_896, 0, -1], pa.date32()),
        "date64": array([0, 86_400_000, None, None], pa.date64()),
        "time32 s": array([0, 86_399, None, None], pa.time32("s")),
        "time32 ms": array([0, 86_399_999, 1, None], pa.time32("ms")),
        "time64 us": array([0, 86_399_999_999, 1, None], pa.time64("us")),
        "time64 ns": array([0, 86_399_999_999_999, 1, None], pa.time64("ns")),
        "timestamp s": array([stamp // 10**9, -1, None, None], pa.timestamp("s")),
        "timestamp ms": array([stamp // 10**6, -1, None, None], pa.timestamp("ms", "UTC")),
        "timestamp us": array([stamp // 10**3, -(2**62), 2**62, None], pa.timestamp("us", "Europe/Berlin")),
        "timestamp ns": array([stamp, -(2**63), 2**63 - 1, None], pa.timestamp("ns")),
        "timestamp ns utc": array([stamp, -1, 0, None], pa.timestamp("ns", "UTC")),
        "duration": array([1, -1, None, None], pa.duration("us")),
        "string": array(["é\n\"\\", "", "x" * 40, "a\0b"], pa.string()),
        "large_string": array(["a", "", None, "b"], pa.large_string()),
        "string_view": array(["a", "", None, "longer than twelve bytes"], pa.string_view()),
        "binary": array([b"\xff\0", b"", None, b"x"], pa.binary()),
        "fixed": array([b"abc", b"\0\0\0", None, None], pa.binary(3)),
        "dictionary": array(["a", "b", "a", None], pa.string()).dictionary_encode(),
        "uuid": pa.ExtensionArray.from_storage(pa.uuid(), array([uuid.UUID(int=7).bytes, None, None, None], pa.binary(16))),
        "json": pa.ExtensionArray.from_storage(pa.json_(), array(['{"a": 1}', "null", None, None], pa.string())),
        "null": array([None] * 4, pa.null()),
        "list": array([[1, None, 2], [], None, [3]], pa.list_(pa.int32())),
        "large_list": array([["a", "\u0001\"\\"], [], None, [None]], pa.large_list(pa.string())),
        "fixed_list": array([[1.5, NAN], [INF, None], None, [0.1, 1e16]], pa.list_(pa.float64(), 2)),
        "struct": array(
            [{"a": 2**63 - 1, "b": [1, None], "f": 0.1}, {"a": None, "b": [], "f": -0.0}, None, {"b": None, "f": 1e-5}],
            struct_type,
        ),
        "map": array([[("k", Decimal("1.50")), ("j", None)], [], None, [("k", None), ("k", None)]],
                     pa.map_(pa.string(), pa.decimal128(5, 2))),
        "map of ints": array([[(1, b"\xff")], [], None, [(-1, None)]], pa.map_(pa.int64(), pa.binary())),
        "map of dates": array([[(0, [True, None])], [], None, None], pa.map_(pa.date32(), pa.list_(pa.bool_()))),
        "lists of lists": array([[[1], [], None, [2, 3]], [[]], [None], []], pa.list_(pa.list_(pa.uint64()))),
        "structs": array([[{"x": {"y": "z"}}, None, {"x": None}], [], None, [{"x": {"y": None}}]],
                         pa.list_(pa.struct([("x", pa.struct([("y", pa.string())]))]))),
        # NULL and nothing at every level.
        "structs of maps": array(
            [
                [{"m": [("k", [{"x": 1}, None, {"x": None}]), ("j", []), ("i", None)], "s": "t"}, {"m": [], "s": None}],
                [{"m": None, "s": "u"}, None, {"m": [("", [{"x": -1}])], "s": ""}],
                [],
                None,
            ],
            pa.list_(pa.struct([("m", inner_map), ("s", pa.string())])),
        ),
    }  # fmt: skip


def _arrow(**options: Any) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        pq.write_table(pa.table(_arrow_columns()), path, **options)

    return write


def arrow_no_rows(path: Path) -> None:
    """Every type, and not one row."""
    pq.write_table(pa.table(_arrow_columns()).slice(0, 0), path)


def arrow_many_groups(path: Path) -> None:
    """As a stream of small batches leaves them: hundreds of row groups of a few rows."""
    numbers = range(2000)
    table = pa.table({"n": list(numbers), "l": [[n, None] if n % 3 else None for n in numbers]})
    pq.write_table(table, path, row_group_size=7)


def duckdb_no_rows(path: Path) -> None:
    """A query that found nothing."""
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT 1 AS a, 'x' AS b, [1] AS c WHERE false) TO '{path}' (FORMAT PARQUET)")


def arrow_int96(path: Path) -> None:
    """Timestamps as Impala and Hive write them."""
    values = [1_795_167_000_123_456_789, -1, 0, None, -(2**62)]
    table = pa.table({"at": pa.array(values, pa.timestamp("ns")), "l": pa.array([[v] for v in values], pa.list_(pa.timestamp("ns")))})
    pq.write_table(table, path, use_deprecated_int96_timestamps=True)


def _arrow_encoding(encoding: str, **options: Any) -> Callable[[Path], None]:
    """Thousands of values of each physical type that the encoding knows, over many pages and row groups."""

    def write(path: Path) -> None:
        numbers = range(4000)
        sparse = [None if n % 11 == 5 else n for n in numbers]
        every = {
            "int32": pa.array([None if n is None else n * 7919 % 1009 - 500 for n in sparse], pa.int32()),
            "int64": pa.array([None if n is None else n * 7919 % 1009 * 2**40 for n in sparse], pa.int64()),
            "float": pa.array([None if n is None else n / 8 for n in sparse], pa.float32()),
            "double": pa.array([None if n is None else n / 3 for n in sparse], pa.float64()),
            "text": pa.array([None if n is None else f"prefix {n // 10} {n}" for n in sparse], pa.string()),
            "fixed": pa.array([None if n is None else n.to_bytes(4, "big") for n in sparse], pa.binary(4)),
            "bool": pa.array([None if n is None else n % 100 < 50 for n in sparse], pa.bool_()),
            "list": pa.array([None if n is None else list(range(n % 5)) for n in sparse], pa.list_(pa.int64())),
        }
        known = {
            "DELTA_BINARY_PACKED": ["int32", "int64"], "DELTA_LENGTH_BYTE_ARRAY": ["text"],
            "DELTA_BYTE_ARRAY": ["text", "fixed"], "BYTE_STREAM_SPLIT": ["int32", "int64", "float", "double", "fixed"],
            "RLE": ["bool"], "PLAIN": list(every),
        }  # fmt: skip
        names = known.get(encoding, list(every))
        if encoding in known:
            options.update(use_dictionary=False, column_encoding={name: encoding for name in names if name != "list"})
        if encoding == "PLAIN":
            options["column_encoding"]["list.list.element"] = "PLAIN"
        table = pa.table({name: every[name] for name in names})
        pq.write_table(table, path, row_group_size=1300, data_page_size=700, write_batch_size=64, **options)

    return write


def arrow_statistics_free(path: Path) -> None:
    """A large value among small ones, no statistics."""
    values = ["x" * (3_000_000 if n == 500 else n % 5) for n in range(1000)]
    pq.write_table(pa.table({"s": values, "n": list(range(1000))}), path, write_statistics=False, use_dictionary=False)


def polars_types(path: Path) -> None:
    """Every type of polars'."""
    day, at = datetime.date(2026, 11, 20), datetime.datetime(2026, 11, 20, 9, 30, 0, 123_456)
    frame = pl.DataFrame(
        {
            "bool": [True, None, False],
            "i8": pl.Series([-128, None, 127], dtype=pl.Int8),
            "i64": pl.Series([-(2**63), None, 2**63 - 1], dtype=pl.Int64),
            "u64": pl.Series([0, None, 2**64 - 1], dtype=pl.UInt64),
            "f32": pl.Series([0.1, NAN, -0.0], dtype=pl.Float32),
            "f64": pl.Series([0.1, NAN, -INF], dtype=pl.Float64),
            "decimal": pl.Series(["1.50", None, "-99999999999999999.999"], dtype=pl.String).cast(pl.Decimal(38, 3)),
            "date": [day, None, datetime.date(1, 1, 1)],
            "time": [datetime.time(9, 30, 0, 123_456), None, datetime.time(23, 59, 59, 999_999)],
            "ms": pl.Series([at, None, at], dtype=pl.Datetime("ms")),
            "us": pl.Series([at, None, at], dtype=pl.Datetime("us", "UTC")),
            "ns": pl.Series([at, None, at], dtype=pl.Datetime("ns", "Europe/Berlin")),
            "duration": pl.Series([datetime.timedelta(seconds=1), None, datetime.timedelta(days=-1)]),
            "string": ["é\"\n", None, ""],
            "binary": [b"\xff\0", None, b""],
            "categorical": pl.Series(["a", None, "b"], dtype=pl.Categorical),
            "enum": pl.Series(["x", None, "y"], dtype=pl.Enum(["x", "y"])),
            "null": pl.Series([None, None, None], dtype=pl.Null),
            "list": pl.Series([[1, None], None, []], dtype=pl.List(pl.Int64)),
            "array": pl.Series([[1.5, NAN], None, [0.0, -0.0]], dtype=pl.Array(pl.Float64, 2)),
            "struct": pl.Series([{"a": 1, "b": [day]}, {"a": None, "b": None}, {"a": 2, "b": []}]),
        }
    )
    frame.write_parquet(path)


def polars_many(path: Path) -> None:
    """Many rows in many row groups and pages."""
    number = pl.int_range(20_000, eager=True)
    frame = pl.DataFrame({"n": number, "t": number.cast(pl.String), "f": number / 7, "m": number % 3 == 0})
    frame.write_parquet(path, row_group_size=3000, data_page_size=2000, compression="snappy")


FILES: dict[str, Callable[[Path], None]] = {
    "duckdb_types": duckdb_types,
    "duckdb_snappy_v1": _duckdb_option("CODEC SNAPPY, PARQUET_VERSION V1, ROW_GROUP_SIZE 2048"),
    "duckdb_zstd_v2": _duckdb_option("CODEC ZSTD, PARQUET_VERSION V2, ROW_GROUP_SIZE 2048"),
    "duckdb_gzip": _duckdb_option("CODEC GZIP"),
    "duckdb_brotli_v2": _duckdb_option("CODEC BROTLI, PARQUET_VERSION V2"),
    "duckdb_lz4_raw": _duckdb_option("CODEC LZ4_RAW"),
    "duckdb_plain": _duckdb_option("CODEC UNCOMPRESSED"),
    "arrow_types": _arrow(),
    "arrow_types_v2": _arrow(data_page_version="2.0", compression="zstd", version="2.6"),
    "arrow_types_1_0": _arrow(version="1.0", compression="gzip", store_schema=False, coerce_timestamps="us",
                             allow_truncated_timestamps=True),
    "arrow_types_decimal_integers": _arrow(store_decimal_as_integer=True, compression="none", use_dictionary=False),
    "arrow_types_checksums": _arrow(write_page_checksum=True, compression="brotli", data_page_size=1),
    "arrow_types_lists_of_old": _arrow(use_compliant_nested_type=False, compression="lz4"),
    "arrow_int96": arrow_int96,
    "arrow_no_rows": arrow_no_rows,
    "arrow_many_groups": arrow_many_groups,
    "duckdb_no_rows": duckdb_no_rows,
    "arrow_plain": _arrow_encoding("PLAIN"),
    "arrow_dictionary": _arrow_encoding("dictionary"),
    "arrow_dictionary_v2": _arrow_encoding("dictionary", data_page_version="2.0", compression="zstd"),
    "arrow_dictionary_full": _arrow_encoding("dictionary", dictionary_pagesize_limit=100),
    "arrow_delta_binary": _arrow_encoding("DELTA_BINARY_PACKED"),
    "arrow_delta_length": _arrow_encoding("DELTA_LENGTH_BYTE_ARRAY", data_page_version="2.0"),
    "arrow_delta_bytes": _arrow_encoding("DELTA_BYTE_ARRAY"),
    "arrow_stream_split": _arrow_encoding("BYTE_STREAM_SPLIT"),
    "arrow_rle_booleans": _arrow_encoding("RLE", data_page_version="2.0"),
    "arrow_large_value": arrow_statistics_free,
    "polars_types": polars_types,
    "polars_many": polars_many,
    "gymlog-backup-2026-11-20": gymlog_backup,
}  # fmt: skip

# Small enough to be kept with the sources.
SMALL = ("duckdb_types", "arrow_types", "arrow_types_v2", "arrow_int96", "arrow_no_rows", "polars_types", "gymlog-backup-2026-11-20")


def files(small_only: bool) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """All files by name."""
    for name in SMALL if small_only else FILES:
        yield name, FILES[name]
