"""What must be reached, and whether it is."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from peers.cases import LONG_FACTOR

# The results of all cases by name, as `rounds` makes them.
Results = dict[str, Any]
Row = dict[str, Any]

_MIB = 1 << 20
_PEAK_MIB = 256
# What --memory-limit leaves out by its own help: the program, four times the largest row, and 128 KiB a column.
_PROGRAM_MIB = 48
_LARGEST_ROWS = 4
_WIDEST_COLUMNS_MIB = 60 / 8
_LOW_MIB = 64


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


def median(row: Row, what: str = "wall") -> float:
    """The median over the runs of a row."""
    return float(statistics.median(run[what] for run in row["runs"]))


def rows(results: Results, case: str, suite: str) -> list[Row]:
    """The rows that have times."""
    suites = results.get(case, {}).get("suites", {})
    return [row for row in suites.get(suite, {"rows": []})["rows"] if row["runs"]]


def row(results: Results, case: str, suite: str, tool: str) -> Row | None:
    """One row, if it has times."""
    return next((row for row in rows(results, case, suite) if row["tool"] == tool), None)


def fastest_rival(found: list[Row]) -> Row | None:
    """The fastest rival that got the content right, in order where order was asked for."""
    rivals = [row for row in found if not row["is_ours"] and row["is_ordered"]]
    return min(rivals, key=median, default=None)


def _faster(
    results: Results, case: str, suite: str, how: str, must: float, reach: float, rival: str | None = None
) -> Goal:
    ours = row(results, case, suite, "parklite --no-verify" if how == "--no-verify" else "parklite")
    other = fastest_rival(rows(results, case, suite))
    if rival is not None:
        # DuckDB with all threads may lose rows: then the setting that does not lose any stands for it.
        other = row(results, case, suite, rival) or row(results, case, suite, f"{rival}-safe")
    against = rival or "the fastest rival"
    if other is not None and against != other["tool"]:
        against = f"{against}, {other['tool']}"
    what = f"{suite} of {case}, {how}, against {against}"
    comparison = "faster" if must == 1.0 and case in ("many", "wide", "blobs") else f"{must:g}×"
    if ours is None or other is None:
        return Goal(what, "not measured", comparison, None, f"{reach:g}×")
    times = median(other) / median(ours)
    is_met = times > must if comparison == "faster" else times >= must
    return Goal(what, f"{times:.2f}×", comparison, is_met, f"{reach:g}×", times >= reach)


def _smaller(results: Results) -> Goal:
    what = "file size of events, against duckdb and the smallest rival"
    ours = row(results, "events", "export", "parklite")
    duckdb = row(results, "events", "export", "duckdb") or row(results, "events", "export", "duckdb-safe")
    rivals = [row for row in rows(results, "events", "export") if not row["is_ours"] and row["is_ordered"]]
    if ours is None or duckdb is None:
        return Goal(what, "not measured", "1×", None, "the smallest")
    smallest = min(rivals, key=lambda row: int(row["output_bytes"]))
    size = ours["output_bytes"]
    figure = f"{size / duckdb['output_bytes']:.3f}×, {size / smallest['output_bytes']:.3f}× {smallest['tool']}"
    is_met = size <= duckdb["output_bytes"]
    return Goal(what, figure, "at most 1×", is_met, "the smallest", size <= smallest["output_bytes"])


def _verify(results: Results) -> Goal:
    verify = row(results, "events", "restore", "parklite verify")
    restore = row(results, "events", "restore", "parklite")
    what = "full verify of events, in verified restores"
    if verify is None or restore is None:
        return Goal(what, "not measured", "under 1.2×", None)
    times = median(verify) / median(restore)
    return Goal(what, f"{times:.2f}×", "under 1.2×", times < 1.2)


def _all_ours(results: Results) -> Iterator[tuple[str, str, Row]]:
    for case, result in results.items():
        for suite in result["suites"]:
            yield from ((case, suite, row) for row in rows(results, case, suite) if row["is_ours"])


def _peak_mib(row: Row) -> float:
    return float(max(run["peak_bytes"] for run in row["runs"])) / _MIB


def _peak(results: Results) -> Goal:
    what = "peak memory, default settings"
    peaks = [(_peak_mib(row), case, suite, row) for case, suite, row in _all_ours(results) if suite != "memory"]
    if not peaks:
        return Goal(what, "not measured", f"at most {_PEAK_MIB} MiB", None)
    most, case, suite, row = max(peaks, key=lambda found: found[0])
    figure = f"{most:.0f} MiB ({suite} of {case}, {row['tool']})"
    return Goal(what, figure, f"at most {_PEAK_MIB} MiB", most <= _PEAK_MIB)


def _low_peak(results: Results) -> Goal:
    what = f"peak memory, `--memory-limit {_LOW_MIB}MiB`"
    must = "the limit and what its help adds to it"

    def allowed(case: str) -> float:
        rows_mib = _LARGEST_ROWS * float(results[case]["largest_row_bytes"]) / _MIB
        return _LOW_MIB + _PROGRAM_MIB + rows_mib + _WIDEST_COLUMNS_MIB

    peaks = [
        (_peak_mib(row) - allowed(case), case, row) for case, suite, row in _all_ours(results) if suite == "memory"
    ]
    if not peaks:
        return Goal(what, "not measured", must, None)
    over, case, row = max(peaks, key=lambda found: found[0])
    figure = f"{_peak_mib(row):.0f} MiB of {allowed(case):.0f} ({case}, {row['tool'].split()[1]})"
    return Goal(what, figure, must, over <= 0)


def _long(results: Results) -> Iterator[Goal]:
    chosen: list[tuple[str, str]] = [
        ("export", "parklite --no-verify"),
        ("export", "parklite"),
        ("restore", "parklite --no-verify"),
        ("restore", "parklite"),
    ]
    for suite, tool in chosen:
        what = f"{suite} of 10 M events, {tool}, in ten times 1 M"
        long, short = row(results, "long", suite, tool), row(results, "events", suite, tool)
        if long is None or short is None:
            yield Goal(what, "not measured", "within 1.25×", None, "1.1×")
            continue
        times = median(long) / median(short) / LONG_FACTOR
        memory = _peak_mib(long) / _peak_mib(short)
        # A tenth of the peak is within what the same command differs by from run to run.
        is_met = times <= 1.25 and memory <= 1.1
        yield Goal(
            what,
            f"{times:.2f}×, memory {memory:.2f}×",
            "within 1.25×, memory the same",
            is_met,
            "1.1×",
            times <= 1.1,
        )


def _start(results: Results) -> Iterator[Goal]:
    def milliseconds(what: str, tool: str, most: float) -> Goal:
        found = row(results, "tiny", "start", tool)
        if found is None:
            return Goal(what, "not measured", f"under {most:g} ms", None)
        time = median(found) * 1000
        return Goal(what, f"{time:.1f} ms", f"under {most:g} ms", time < most)

    yield milliseconds("start of `--version`", "parklite --version", 10)
    yield milliseconds("100 rows end to end: export and restore", "parklite export and restore", 100)
