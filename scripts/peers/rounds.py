"""The interleaved runs of one case: every tool once, then every tool again.

One round to warm up, whose times do not count, and then the rounds that do. Outputs are judged after every run,
outside the time, and taken away. A tool that fails or gets content wrong, in whichever round, is out: it is listed
with the reason and without times.
"""

import datetime
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from peers import measured, tools
from peers.cases import Case
from peers.failure import Failure
from peers.installed import Installed
from peers.judged import Judge, largest_row_bytes, size_bytes
from peers.measured import Run
from peers.tools import Job, Tool


@dataclass(frozen=True)
class Setting:
    """What is asked for on the command line."""

    installed: Installed
    program: Path
    scale: float
    rounds: int
    # None for all.
    rivals: set[str] | None
    with_slow: bool
    jobs: set[str] | None
    # As it was typed, and the commit of the checkout: kept with what was measured.
    command: str
    commit: str


@dataclass
class Contestant:
    """A tool and what came of its runs."""

    tool: Tool
    job: Job
    runs: list[Run] = field(default_factory=list)
    output_bytes: int = 0
    problem: str | None = None

    def result(self) -> dict[str, Any]:
        """As it is written down."""
        return {
            "tool": self.tool.name,
            "note": self.tool.note,
            "is_ours": self.tool.is_ours,
            "is_ordered": self.tool.is_ordered,
            "problem": self.problem,
            "output_bytes": self.output_bytes,
            "runs": [] if self.problem else [asdict(run) for run in self.runs],
        }


class CaseRounds:
    """All jobs of one case."""

    def __init__(self, setting: Setting, case: Case) -> None:
        self.setting = setting
        self.case = case
        self.folder = setting.installed.folder / "work"
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "temporary").mkdir(parents=True)
        self.database = case.prepare(setting.installed.folder, setting.scale)
        self.tables, self.table_sql, self.index_sql = tools.schema_of(self.database)
        self.judge = Judge(setting.installed.python, self.database, self.tables)

    def measure(self) -> dict[str, Any]:
        """Runs every job; returns results by job."""
        suites = {"export": self._export, "restore": self._restore, "memory": self._memory, "start": self._start}
        results: dict[str, Any] = {}
        for name, suite in suites.items():
            if name in self.case.jobs and (self.setting.jobs is None or name in self.setting.jobs):
                results[name] = {
                    "started_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                    "rounds": 1 if name == "memory" else self._rounds(),
                    "default_rivals": self._default_rivals(name),
                    "command": self.setting.command,
                    "commit": self.setting.commit,
                    "rows": suite(),
                }
        shutil.rmtree(self.folder, ignore_errors=True)
        return {
            "title": self.case.title,
            "database_bytes": self.database.stat().st_size,
            "largest_row_bytes": largest_row_bytes(self.database, self.tables),
            "most_columns": max(len(columns) for columns in self.judge.columns.values()),
            "suites": results,
        }

    def _export(self) -> list[dict[str, Any]]:
        program = self.setting.program
        chosen = [
            tools.ours(program, "export", "parklite --no-verify", "--no-verify"),
            tools.ours(program, "export", "parklite", note="verified, the default"),
            *self._rivals(tools.exports(self.setting.installed, self.setting.with_slow)),
        ]
        return self._run_rounds([Contestant(tool, self._job("export")) for tool in chosen])

    def _restore(self) -> list[dict[str, Any]]:
        program = self.setting.program
        snapshot, problem = self._snapshot()
        contestants = [
            Contestant(tool, self._job(tool.verb, snapshot), problem=problem)
            for tool in [
                tools.ours(program, "restore", "parklite --no-verify", "--no-verify"),
                tools.ours(program, "restore", "parklite", note="verified, the default"),
                tools.ours(program, "verify", "parklite verify", note="full: restores into a temporary database"),
            ]
            if tool.verb in self.case.jobs
        ]
        exports = {tool.name: tool for tool in tools.exports(self.setting.installed, with_slow=False)}
        for tool in self._rivals(tools.restores(self.setting.installed)):
            contestant = Contestant(tool, self._job("restore", self.folder / "sources" / str(tool.source)))
            try:
                self._source(exports[str(tool.source)])
            except Failure as failure:
                contestant.problem = f"has no files of its own to restore: {failure}"
            contestants.append(contestant)
        results = self._run_rounds(contestants)
        shutil.rmtree(self.folder / "sources", ignore_errors=True)
        return results

    def _memory(self) -> list[dict[str, Any]]:
        """Single runs under the lowest limit, for their peaks."""
        limit = ["--memory-limit", tools.LOW_MEMORY]
        snapshot, problem = self._snapshot()
        contestants = []
        for verb in ["export", "restore", "verify"]:
            tool = tools.ours(self.setting.program, verb, tools.low_memory_name(verb), *limit)
            if verb == "export":
                contestants.append(Contestant(tool, self._job(verb)))
            else:
                contestants.append(Contestant(tool, self._job(verb, snapshot), problem=problem))
        results = self._run_rounds(contestants, warm_ups=0, rounds=1)
        shutil.rmtree(self.folder / "sources", ignore_errors=True)
        return results

    def _start(self) -> list[dict[str, Any]]:
        program = str(self.setting.program)
        version = Tool("parklite --version", "start", lambda job: [program, "--version"], makes_folder=True)
        script = '"$0" export --quiet "$1" --output "$2" && "$0" restore --quiet "$2" "$3"'
        both = Tool(
            "parklite export and restore",
            "restore",
            lambda job: ["sh", "-c", script, program, str(job.database), str(job.folder), str(job.target)],
            note="two processes, both verified",
            makes_folder=True,
        )
        chosen = [Contestant(version, self._job("start")), Contestant(both, self._job("restore"))]
        return self._run_rounds(chosen)

    def _rivals(self, candidates: list[Tool]) -> list[Tool]:
        if not self.case.compared:
            return []
        return [tool for tool in candidates if self.setting.rivals is None or tool.name in self.setting.rivals]

    def _default_rivals(self, suite: str) -> list[str]:
        """Whoever must take part before it can be said who is the fastest."""
        candidates = {
            "export": tools.exports(self.setting.installed, with_slow=False),
            "restore": tools.restores(self.setting.installed),
        }
        return [tool.name for tool in candidates.get(suite, []) if self.case.compared]

    def _rounds(self) -> int:
        return max(1, round(self.setting.rounds * self.case.rounds_factor))

    def _job(self, verb: str, source: Path | None = None) -> Job:
        folder = source or self.folder / "output"
        target = self.folder / "target.db"
        schema = (self.tables, self.table_sql, self.index_sql)
        return Job(verb, self.database, folder, target, *schema, sqlite_sorts=self.case.has_fast_index)

    def _snapshot(self) -> tuple[Path, str | None]:
        """parklite's snapshot for restores, or why there is none: then whatever needs it has failed."""
        tool = tools.ours(self.setting.program, "export", "parklite", "--no-verify")
        try:
            return self._source(tool), None
        except Failure as failure:
            return self._source_folder(tool), f"has no snapshot to read: {failure}"

    def _source_folder(self, tool: Tool) -> Path:
        return self.folder / "sources" / tool.name

    def _source(self, tool: Tool) -> Path:
        """The output of an export, made and judged once, outside all times."""
        folder = self._source_folder(tool)
        if folder.exists():
            return folder
        contestant = Contestant(tool, self._job("export", folder))
        self._run_once(contestant, keep=True)
        if contestant.problem is not None:
            shutil.rmtree(folder, ignore_errors=True)
            raise Failure(f"{tool.name} cannot export {self.database}: {contestant.problem}")
        return folder

    def _run_rounds(
        self, contestants: list[Contestant], warm_ups: int = 1, rounds: int | None = None
    ) -> list[dict[str, Any]]:
        counted = self._rounds() if rounds is None else rounds
        for number in range(warm_ups + counted):
            for contestant in contestants:
                if contestant.problem is not None:
                    continue
                run = self._run_once(contestant)
                counts = number >= warm_ups
                if run is not None and counts:
                    contestant.runs.append(run)
                self._tell(contestant, run, counts)
        return [contestant.result() for contestant in contestants]

    def _run_once(self, contestant: Contestant, keep: bool = False) -> Run | None:
        job, tool = contestant.job, contestant.tool
        temporary = list(self._temporary(job))
        for path in temporary:
            _remove(path)
        if job.verb == "export" and not tool.makes_folder:
            job.folder.mkdir(parents=True)
        else:
            job.folder.parent.mkdir(parents=True, exist_ok=True)
        # What is still on its way to the disk from earlier would slow this run down.
        os.sync()
        run = measured.run(tool.command(job), self.folder / "said.txt", self._environment())
        wrong = run.failure
        if wrong is None:
            why = self.judge.judge(tool, job)
            wrong = None if why is None else f"wrong: {why}"
        output = job.output()
        if wrong is None and output is not None:
            contestant.output_bytes = size_bytes(output)
        contestant.problem = wrong
        if not keep:
            for path in temporary:
                _remove(path)
        return run if wrong is None else None

    def _temporary(self, job: Job) -> Iterator[Path]:
        # The folder that a restore reads stays for the other runs, unless the command itself makes it.
        if job.verb == "export" or job.folder == self.folder / "output":
            yield job.folder
        for ending in ["", "-journal", "-wal", "-shm"]:
            yield job.target.with_name(job.target.name + ending)

    def _environment(self) -> dict[str, str]:
        # No configuration of the user's, no variable that makes one tool faster or slower.
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder / "temporary"),
            "LANG": "C.UTF-8",
        }

    def _tell(self, contestant: Contestant, run: Run | None, counts: bool) -> None:
        what = f"{self.case.name}: {contestant.job.verb}: {contestant.tool.name}"
        if run is None:
            print(f"{what}: {contestant.problem}", file=sys.stderr)
            return
        kind = "" if counts else " (warming up)"
        print(f"{what}: {run.wall:.3f} s, {run.peak_bytes >> 20} MiB{kind}", file=sys.stderr)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
