"""Which databases are measured, and what is done with each."""

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from peers import generated
from peers.failure import Failure

EVENTS_ROWS = 1_000_000
LONG_FACTOR = 10
ORDER = "_created_at"


@dataclass(frozen=True)
class Case:
    """One database and its jobs. Every table of it has the column `ORDER`, by which its rows are exported."""

    name: str
    title: str
    # About how many bytes its database takes at scale 1.
    size_bytes: int
    # Makes it at a path and scale; finds the databases of other cases beside it.
    generate: Callable[[Path, float], None]
    # "export", "restore", "verify", "memory" (under 64 MiB), "start" (of a process).
    jobs: tuple[str, ...]
    # Whether rivals run too.
    compared: bool = True
    # Whether SQLite's index gives rows in order faster than a rival sorts them: where they lie nearly in that order.
    has_fast_index: bool = False
    # More rounds where a run takes next to no time, fewer where it takes minutes.
    rounds_factor: float = 1.0

    def database(self, folder: Path, scale: float) -> Path:
        """Where its database is."""
        return folder / "databases" / f"scale-{scale:g}" / f"{self.name}.db"

    def prepare(self, folder: Path, scale: float) -> Path:
        """Its database, which is made unless it is there."""
        path = self.database(folder, scale)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            # Not in this process: the children that are measured start with its peak, which hides lower ones.
            maker = multiprocessing.get_context("fork").Process(target=self.generate, args=(path, scale), daemon=True)
            maker.start()
            try:
                maker.join()
            finally:
                maker.kill()
            if maker.exitcode != 0:
                raise Failure(f"{path} could not be made")
        return path


def _scaled(rows: int, scale: float) -> int:
    return max(1, int(rows * scale))


def _events(path: Path, scale: float) -> None:
    generated.make(path, lambda connection: generated.events(connection, _scaled(EVENTS_ROWS, scale)))


def _shuffled(path: Path, scale: float) -> None:
    generated.make(path, lambda connection: generated.events(connection, _scaled(2_000_000, scale), shuffled=True))


def _long(path: Path, scale: float) -> None:
    source = path.with_name("events.db")
    if not source.exists():
        _events(source, scale)
    rows = _scaled(EVENTS_ROWS, scale)
    generated.make(path, lambda connection: generated.grown_events(connection, rows, source, LONG_FACTOR))


def _wide(path: Path, scale: float) -> None:
    generated.make(path, lambda connection: generated.wide(connection, _scaled(200_000, scale)))


def _many(path: Path, scale: float) -> None:
    generated.make(path, lambda connection: generated.many(connection, scale))


def _blobs(path: Path, scale: float) -> None:
    generated.make(path, lambda connection: generated.blobs(connection, _scaled(2_500, scale)))


def _tiny(path: Path, scale: float) -> None:
    generated.make(path, lambda connection: generated.events(connection, 100))


_ALL_JOBS = ("export", "restore", "verify", "memory")
CASES = [
    Case("events", "1 M events in order, UNIQUE and an index", 540_000_000, _events, _ALL_JOBS, has_fast_index=True),
    Case("shuffled", "2 M events in no order", 1_080_000_000, _shuffled, ("export", "memory")),
    Case("wide", "200 k rows of 60 columns", 130_000_000, _wide, _ALL_JOBS),
    Case("many", "25 tables", 145_000_000, _many, _ALL_JOBS),
    Case("blobs", "2 500 blobs of 1 KiB to 4 MiB", 1_250_000_000, _blobs, _ALL_JOBS),
    Case("long", "10 M events in order", 5_400_000_000, _long, _ALL_JOBS, compared=False, rounds_factor=0.6),
    Case("tiny", "100 events", 100_000, _tiny, ("start", "export", "restore"), compared=False, rounds_factor=4),
]
