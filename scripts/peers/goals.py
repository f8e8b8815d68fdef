"""What must be reached, and whether it is.

A run of parklite that failed, or whose output was wrong, misses every goal that it counts for. A goal of which any
part was not measured is not measured, whatever the other parts would say of it.
"""

import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from peers.cases import CASES, LONG_FACTOR
from peers.tools import LOW_MEMORY, low_memory_name

# The results of all cases by name, as `rounds` makes them.
Results = dict[str, Any]
Row = dict[str, Any]
# A case, a job of it, and the name of a tool.
Place = tuple[str, str, str]

_MIB = 1 << 20
_PEAK_MIB = 256
# What --memory-limit leaves out by its own help: the program, four times the largest row, and 128 KiB a column.
_PROGRAM_MIB = 48
_LARGEST_ROWS = 4
_COLUMN_MIB = 1 / 8
_LOW_MIB = 64
_BOTH = ("parklite --no-verify", "parklite")


@dataclass(frozen=True)
class Goal:
    """A figure and its bounds, all as text, and whether it is within them: None where it was not measured."""

    what: str
    figure: str
    must: str
    is_met: bool | None
    reach: str = ""
    is_reached: bool | None = None


def goals(results: Results) -> list[Goal]:
    """The list, in the order in which it was set up."""
    return [
        _faster(results, "events", "export", "--no-verify", 1.5, 2.0, rival="duckdb"),
        _faster(results, "events", "export", "verified", 1.0, 1.25, rival="duckdb"),
        _smaller(results),
        _faster(results, "shuffled", "export", "--no-verify", 1.5, 2.5),
        *(_faster(results, case, "export", "--no-verify", 1.0, 2.0) for case in ["many", "wide", "blobs"]),
        _faster(results, "events", "restore", "--no-verify", 2.2, 3.0),
        _faster(results, "events", "restore", "verified", 1.0, 1.3),
        _verify(results),
        _peak(results),
        _low_peak(results),
        *_long(results),
        *_start(results),
    ]


def not_measured(results: Results) -> list[str]:
    """The goals that nothing can be said of yet."""
    return [goal.what for goal in goals(results) if goal.is_met is None]


def median(row: Row, what: str = "wall") -> float:
    """The median over the runs of a row."""
    return float(statistics.median(run[what] for run in row["runs"]))


def rows(results: Results, case: str, suite: str) -> list[Row]:
    """The rows that have times."""
    return [row for row in _all_rows(results, case, suite) if row["runs"]]


def row(results: Results, case: str, suite: str, tool: str) -> Row | None:
    """One row, if it has times."""
    return next((row for row in rows(results, case, suite) if row["tool"] == tool), None)


def fastest_rival(found: list[Row]) -> Row | None:
    """The fastest rival that got the content right, in order where order was asked for."""
    rivals = [row for row in found if not row["is_ours"] and row["is_ordered"]]
    return min(rivals, key=median, default=None)


def _all_rows(results: Results, case: str, suite: str) -> list[Row]:
    suites = results.get(case, {}).get("suites", {})
    found: list[Row] = suites.get(suite, {"rows": []})["rows"]
    return found


def _unless_all(results: Results, goal: Goal, places: Iterable[Place]) -> Goal | None:
    """A goal that cannot be met, since parklite failed, or not be judged, since something was not measured."""
    is_complete = True
    for case, suite, tool in places:
        found = next((row for row in _all_rows(results, case, suite) if row["tool"] == tool), None)
        if found is not None and found["problem"]:
            return Goal(goal.what, f"failed: {suite} of {case}, {tool}", goal.must, False, goal.reach, False)
        is_complete &= found is not None and bool(found["runs"])
    return None if is_complete else goal


def _took_part(results: Results, case: str, suite: str, names: Iterable[str] | None = None) -> bool:
    """Whether rivals ran, well or not: all that run by default where none is named."""
    if names is None:
        names = results.get(case, {}).get("suites", {}).get(suite, {}).get("default_rivals")
    return names is not None and set(names) <= {row["tool"] for row in _all_rows(results, case, suite)}


def _faster(
    results: Results, case: str, suite: str, how: str, must: float, reach: float, rival: str | None = None
) -> Goal:
    tool = "parklite --no-verify" if how == "--no-verify" else "parklite"
    other = fastest_rival(rows(results, case, suite))
    if rival is not None:
        # DuckDB with all threads may lose rows: then the setting that does not lose any stands for it.
        other = row(results, case, suite, rival) or row(results, case, suite, f"{rival}-safe")
    is_compared = other is not None and _took_part(results, case, suite, rival and [rival])
    against = rival or "the fastest rival"
    if other is not None and is_compared and against != other["tool"]:
        against = f"{against}, {other['tool']}"
    what = f"{suite} of {case}, {how}, against {against}"
    comparison = "faster" if must == 1.0 and case in ("many", "wide", "blobs") else f"{must:g}×"
    unknown = Goal(what, "not measured", comparison, None, f"{reach:g}×")
    known = _unless_all(results, unknown, [(case, suite, tool)])
    ours = row(results, case, suite, tool)
    if known is not None or ours is None or other is None or not is_compared:
        return known or unknown
    times = median(other) / median(ours)
    is_met = times > must if comparison == "faster" else times >= must
    return Goal(what, f"{times:.2f}×", comparison, is_met, f"{reach:g}×", times >= reach)


def _smaller(results: Results) -> Goal:
    unknown = Goal(
        "file size of events, against the smaller of duckdb's files and the smallest rival",
        "not measured",
        "at most 1×",
        None,
        "the smallest",
    )
    known = _unless_all(results, unknown, [("events", "export", "parklite")])
    ours = row(results, "events", "export", "parklite")
    rivals = [row for row in rows(results, "events", "export") if not row["is_ours"] and row["is_ordered"]]
    by_duckdb = [row for row in rivals if row["tool"] in ("duckdb", "duckdb-safe")]
    if known is not None or ours is None or not by_duckdb or not _took_part(results, "events", "export"):
        return known or unknown
    smallest = min(rivals, key=lambda row: int(row["output_bytes"]))
    duckdb_bytes = min(row["output_bytes"] for row in by_duckdb)
    size = ours["output_bytes"]
    figure = f"{size / duckdb_bytes:.3f}×, {size / smallest['output_bytes']:.3f}× {smallest['tool']}"
    return Goal(
        unknown.what,
        figure,
        unknown.must,
        size <= duckdb_bytes,
        unknown.reach,
        size <= smallest["output_bytes"],
    )


def _verify(results: Results) -> Goal:
    unknown = Goal("full verify of events, in verified restores", "not measured", "under 1.2×", None)
    places = [("events", "restore", "parklite verify"), ("events", "restore", "parklite")]
    known = _unless_all(results, unknown, places)
    verify, restore = (row(results, *place) for place in places)
    if known is not None or verify is None or restore is None:
        return known or unknown
    times = median(verify) / median(restore)
    return Goal(unknown.what, f"{times:.2f}×", unknown.must, times < 1.2)


def _default_places() -> Iterator[Place]:
    """Every case and verb with the default memory limit."""
    for case in CASES:
        for suite in ("export", "restore"):
            if suite in case.jobs:
                yield from ((case.name, suite, tool) for tool in _BOTH)
        if "verify" in case.jobs:
            yield case.name, "restore", "parklite verify"


def _low_places() -> Iterator[Place]:
    """Every case and verb with the lowest memory limit."""
    for case in CASES:
        if "memory" in case.jobs:
            yield from ((case.name, "memory", low_memory_name(verb)) for verb in ("export", "restore", "verify"))


def _peak_mib(row: Row) -> float:
    return float(max(run["peak_bytes"] for run in row["runs"])) / _MIB


def _measured(results: Results, places: Iterable[Place]) -> list[tuple[Place, Row]]:
    found = [(place, row(results, *place)) for place in places]
    return [(place, row) for place, row in found if row is not None]


def _peak(results: Results) -> Goal:
    unknown = Goal("peak memory, default settings", "not measured", f"at most {_PEAK_MIB} MiB", None)
    known = _unless_all(results, unknown, _default_places())
    if known is not None:
        return known
    peaks = [(_peak_mib(row), place) for place, row in _measured(results, _default_places())]
    most, (case, suite, tool) = max(peaks)
    return Goal(unknown.what, f"{most:.0f} MiB ({suite} of {case}, {tool})", unknown.must, most <= _PEAK_MIB)


def _low_peak(results: Results) -> Goal:
    unknown = Goal(
        f"peak memory, `--memory-limit {LOW_MEMORY}`",
        "not measured",
        "the limit and what its help adds to it",
        None,
    )
    known = _unless_all(results, unknown, _low_places())
    if known is not None:
        return known

    def allowed(case: str) -> float:
        rows_mib = _LARGEST_ROWS * float(results[case]["largest_row_bytes"]) / _MIB
        return _LOW_MIB + _PROGRAM_MIB + rows_mib + _COLUMN_MIB * float(results[case]["most_columns"])

    peaks = [(_peak_mib(row) - allowed(place[0]), place, row) for place, row in _measured(results, _low_places())]
    over, (case, _, tool), row = max(peaks, key=lambda found: found[0])
    figure = f"{_peak_mib(row):.0f} MiB of {allowed(case):.0f} ({case}, {tool.split()[1]})"
    return Goal(unknown.what, figure, unknown.must, over <= 0)


def _long(results: Results) -> Iterator[Goal]:
    for suite in ("export", "restore"):
        for tool in _BOTH:
            what = f"{suite} of 10 M events, {tool}, in ten times 1 M"
            unknown = Goal(what, "not measured", "within 1.25×, memory the same", None, "1.1×")
            places = [("long", suite, tool), ("events", suite, tool)]
            known = _unless_all(results, unknown, places)
            long, short = (row(results, *place) for place in places)
            if known is not None or long is None or short is None:
                yield known or unknown
                continue
            times = median(long) / median(short) / LONG_FACTOR
            memory = _peak_mib(long) / _peak_mib(short)
            # A tenth of the peak is within what the same command differs by from run to run.
            is_met = times <= 1.25 and memory <= 1.1
            figure = f"{times:.2f}×, memory {memory:.2f}×"
            yield Goal(what, figure, unknown.must, is_met, unknown.reach, times <= 1.1)


def _start(results: Results) -> Iterator[Goal]:
    def milliseconds(what: str, tool: str, most: float) -> Goal:
        unknown = Goal(what, "not measured", f"under {most:g} ms", None)
        known = _unless_all(results, unknown, [("tiny", "start", tool)])
        found = row(results, "tiny", "start", tool)
        if known is not None or found is None:
            return known or unknown
        time = median(found) * 1000
        return Goal(what, f"{time:.1f} ms", unknown.must, time < most)

    yield milliseconds("start of `--version`", "parklite --version", 10)
    yield milliseconds("100 rows end to end: export and restore", "parklite export and restore", 100)
