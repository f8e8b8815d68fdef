#!/usr/bin/env python3
"""Makes Parquet files as other programs write them, each with what a restore of it must give.

    scripts/make_foreign.py FOLDER              all files
    scripts/make_foreign.py --small FOLDER      those that are kept in fixtures/foreign/
    scripts/make_foreign.py --random 9 FOLDER   all, and nine of random columns (seeds 0 to 8)

Beside NAME.parquet lies NAME.json: exit code, columns with their declared types, rows as cells (see
`foreign/cells.py`), and findings. What DuckDB, pyarrow and polars wrote is judged through pyarrow; what was made by hand,
by hand. Needs the packages of `requirements.txt`; never calls parklite.
"""

import argparse
from pathlib import Path

from foreign import by_chance, by_hand, by_others
from foreign.expected import expect


def main() -> None:
    """Makes what the command line names."""
    parser = argparse.ArgumentParser(description="Makes Parquet files as other programs write them")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--small", action="store_true", help="only those kept in fixtures/foreign/")
    parser.add_argument("--random", type=int, default=0, metavar="N", help="and N files of random columns")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(arguments.random):
        path = folder / f"random_{seed:04}.parquet"
        table = by_chance.Chance(seed).write(path)
        path.with_suffix(".json").write_text(expect(path, table).document(), encoding="utf-8")
    for name, write in by_others.files(arguments.small):
        path = folder / f"{name}.parquet"
        path.unlink(missing_ok=True)
        write(path)
        # The events are compared with those of fixtures/gymlog.db.
        if not name.startswith("gymlog"):
            path.with_suffix(".json").write_text(expect(path).document(), encoding="utf-8")
    for name, data, expected in by_hand.files(arguments.small):
        path = folder / f"{name}.parquet"
        path.write_bytes(data)
        path.with_suffix(".json").write_text(expected.document(), encoding="utf-8")


if __name__ == "__main__":
    main()
