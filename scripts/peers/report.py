"""The results as Markdown, and as JSON with every run."""

import json
import statistics
from pathlib import Path
from typing import Any

from peers.goals import Goal, Results, fastest_rival, goals, median, not_measured, row, rows

_MIB = 1 << 20
# What the kernel counts in hundredths of a second says nothing of shorter runs.
_SHORT_SECONDS = 0.5
_BUSY_CORES = 0.2
_SUITES = {
    "export": "Export",
    "restore": "Restore",
    "memory": "Under a memory limit of 64 MiB",
    "start": "Start",
}


def write(folder: Path, name: str, facts: dict[str, Any], results: Results) -> Path:
    """Writes NAME.md and NAME.json into a folder; returns the path of the former."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.md"
    path.write_text(markdown(facts, results), encoding="utf-8")
    document = {"facts": facts, "goals": [vars(goal) for goal in goals(results)], "cases": results}
    (folder / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return path


def markdown(facts: dict[str, Any], results: Results) -> str:
    """The report."""
    lines = [
        "# parklite and its rivals",
        "",
        *_facts(facts),
        _quiet(results),
        *_incomplete(results),
        "",
        "## What must be reached",
        "",
        *_goals(results),
        "",
        "## What was measured when",
        "",
        *_origins(results),
    ]
    for case, result in results.items():
        size = result["database_bytes"] / 1e6
        lines += ["", f"## {case}: {result['title']} ({size:.0f} MB)"]
        for suite in result["suites"]:
            lines += ["", *_suite(results, case, suite)]
    return "\n".join([*lines, ""])


def _facts(facts: dict[str, Any]) -> list[str]:
    machine, versions = facts["machine"], facts["versions"]
    return [
        # The program does not say which commit it was built from.
        f"- {facts['date']}, `{facts['program_version']}` (SHA-256 {facts['program_sha256'][:16]}…),"
        f" checkout at {facts['commit']}",
        f"- {machine['cpu']}, {machine['cores']} cores, {machine['memory_mib']} MiB, {machine['disk']},"
        f" Linux {machine['kernel']}, {machine['system']}, Python {machine['python']}",
        f"- Scale {facts['scale']:g}",
        f"- Rivals: {', '.join(f'{name} {version}' for name, version in versions.items())}",
        "- Whole processes in interleaved rounds after one to warm up: medians (least–most). Every Parquet is asked"
        " for at zstd level 3 and ordered by `_created_at`. Every output was compared with its source cell by cell"
        " before its time counted. Peak: of the process and its children together, mapped pages of files included."
        f" Other cores: what the rest of the machine was busy with meanwhile; more than {_BUSY_CORES} disturbs.",
    ]


def _quiet(results: Results) -> str:
    runs = [
        run
        for result in results.values()
        for suite in result["suites"].values()
        for row in suite["rows"]
        for run in row["runs"]
        if run["wall"] >= _SHORT_SECONDS
    ]
    disturbed = sum(run["other_cores"] > _BUSY_CORES for run in runs)
    load = statistics.median(run["load"] for run in runs) if runs else 0.0
    return (
        f"- {disturbed} of {len(runs)} runs were disturbed by something else; the load before a run was {load:.1f}"
    )


def _goals(results: Results) -> list[str]:
    lines = ["| | | must | | reach for | |", "| --- | --- | --- | --- | --- | --- |"]
    for goal in goals(results):
        lines.append(
            f"| {goal.what} | {goal.figure} | {goal.must} | {_verdict(goal.is_met)} | {goal.reach} |"
            f" {_verdict(goal.is_reached)} |"
        )
    return lines


def _incomplete(results: Results) -> list[str]:
    missing = not_measured(results)
    return [f"- **Not complete**; not measured: {'; '.join(missing)}"] if missing else []


def _origins(results: Results) -> list[str]:
    suites = [(case, name, suite) for case, result in results.items() for name, suite in result["suites"].items()]
    commands = list(dict.fromkeys(suite["command"] for _, _, suite in suites))
    lines = ["| | started | rounds | rivals | checkout | command |", "| --- | --- | --- | --- | --- | --- |"]
    for case, name, suite in suites:
        number = commands.index(suite["command"]) + 1
        fields = [f"{case}: {name}", suite["started_at"], str(suite["rounds"]), _who_ran(suite), suite["commit"]]
        lines.append(f"| {' | '.join(fields)} | {number} |")
    return [*lines, "", *(f"{number}. `{command}`" for number, command in enumerate(commands, 1))]


def _who_ran(suite: dict[str, Any]) -> str:
    if not suite["default_rivals"]:
        return ""
    present = {row["tool"] for row in suite["rows"] if not row["is_ours"]}
    missing = sorted(set(suite["default_rivals"]) - present)
    if not present:
        return "none"
    return f"all but {', '.join(missing)}" if missing else "all"


def _verdict(is_met: bool | None) -> str:
    return {None: "", True: "yes", False: "**no**"}[is_met]


def _suite(results: Results, case: str, suite: str) -> list[str]:
    found = results[case]["suites"][suite]
    fastest = fastest_rival(rows(results, case, suite))
    duckdb = row(results, case, suite, "duckdb") or row(results, case, suite, "duckdb-safe")
    timed = sorted((row for row in found["rows"] if row["runs"]), key=median)
    lines = [
        f"### {_SUITES[suite]} ({found['started_at']})",
        "",
        "| | wall s | CPU s | peak MiB | output MB | wall ÷ fastest rival | wall ÷ DuckDB | other cores | |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for entry in timed:
        name = f"**{entry['tool']}**" if entry["is_ours"] else entry["tool"]
        peak = max(run["peak_bytes"] for run in entry["runs"]) / _MIB
        size = f"{entry['output_bytes'] / 1e6:.1f}" if entry["output_bytes"] else ""
        fields = [name, _spread(entry, "wall"), _spread(entry, "cpu"), f"{peak:.0f}", size]
        fields += [_ratio(entry, fastest), _ratio(entry, duckdb), _other_cores(entry), entry["note"]]
        lines.append(f"| {' | '.join(fields)} |")
    wrong = [row for row in found["rows"] if row["problem"]]
    lines += [""] if wrong else []
    lines += [f"- {row['tool']}: {' '.join(row['problem'].split())}" for row in wrong]
    return lines


def _spread(entry: dict[str, Any], what: str) -> str:
    values = [run[what] for run in entry["runs"]]
    places = 4 if max(values) < 0.1 else 2
    return f"{median(entry, what):.{places}f} ({min(values):.{places}f}–{max(values):.{places}f})"


def _ratio(entry: dict[str, Any], other: dict[str, Any] | None) -> str:
    return "" if other is None else f"{median(entry) / median(other):.2f}"


def _other_cores(entry: dict[str, Any]) -> str:
    if median(entry) < _SHORT_SECONDS:
        return ""
    return f"{statistics.median(run['other_cores'] for run in entry['runs']):.2f}"


def summary(results: Results) -> str:
    """The goals as plain lines."""

    def line(goal: Goal) -> str:
        verdict = {None: "     ", True: "met  ", False: "MISSED"}[goal.is_met]
        return f"{verdict:7}{goal.what}: {goal.figure} (must: {goal.must})"

    return "\n".join(map(line, goals(results)))
