"""Parquet files of other programs, and what SQLite must hold after a restore of them, without parklite."""
