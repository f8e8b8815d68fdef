"""One process and its children, measured: wall time, CPU and the peak of their memory together."""

import os
import resource
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
# Fine enough for peaks of a process that runs for seconds, and below one per cent of a core.
_SAMPLE_SECONDS = 0.01
# A run of more is given up.
LIMIT_SECONDS = 1200


@dataclass(frozen=True)
class Run:
    """What one run took."""

    wall: float
    # User and system time of the process and all its children.
    cpu: float
    # The most that was resident at once. Pages of mapped files count, and shared pages count in each process.
    peak_bytes: int
    # What everything else on the machine used in the meantime, in cores.
    other_cores: float
    # The load average before it began.
    load: float
    # None if it did what it should, or else what it said.
    failure: str | None

    @property
    def ok(self) -> bool:
        """Whether it ended well."""
        return self.failure is None


class _Sampler(threading.Thread):
    """Adds up the resident memory of a tree of processes, again and again, and ends it when its time is over."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.peak_bytes = 0
        self.is_too_long = False
        self.ended = threading.Event()

    def run(self) -> None:
        deadline = time.monotonic() + LIMIT_SECONDS
        while True:
            self.peak_bytes = max(self.peak_bytes, sum(map(_resident_bytes, _tree(self.pid))))
            if self.ended.wait(_SAMPLE_SECONDS):
                return
            if time.monotonic() > deadline and not self.is_too_long:
                self.is_too_long = True
                end(self.pid)


def run(command: list[str], log: Path, environment: dict[str, str]) -> Run:
    """Runs a command to its end in a session of its own; what it says goes to `log`.

    Shape: the memory of children counts only while it is sampled; that of the process itself, or of its largest
    child, is exact.
    """
    load = os.getloadavg()[0]
    with log.open("wb") as said:
        busy_before = _busy_seconds()
        start = time.perf_counter()
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            return Run(0.0, 0.0, 0, 0.0, load, f"cannot start: {error}")
        sampler = _Sampler(process.pid)
        sampler.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - start
        except BaseException:
            end(process.pid)
            # Nothing happens here if the interrupt came just after it had ended.
            process.wait()
            raise
        finally:
            sampler.ended.set()
            sampler.join()
        process.returncode = os.waitstatus_to_exitcode(status)
    # Children that outlived it would disturb the next run.
    end(process.pid)
    cpu = usage.ru_utime + usage.ru_stime
    other = max(0.0, _busy_seconds() - busy_before - cpu) / max(wall, 0.01)
    failure = None
    if sampler.is_too_long:
        failure = f"took more than {LIMIT_SECONDS} s"
    elif process.returncode != 0:
        failure = _last_words(log) or f"ended with {process.returncode}"
    return Run(wall, cpu, _peak_bytes(sampler, usage), other, load, failure)


def _peak_bytes(sampler: _Sampler, usage: resource.struct_rusage) -> int:
    # Linux hands a process the peak of the one that started it: up to there the number says nothing.
    floor = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    largest = usage.ru_maxrss if usage.ru_maxrss > floor else 0
    return max(sampler.peak_bytes, largest * 1024)


def end(pid: int) -> None:
    """Kills the session of a process."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def _last_words(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if "rror" in line]
    return (errors or lines or [""])[-1][:300]


def _tree(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        try:
            threads = os.listdir(f"/proc/{parent}/task")
        except OSError:
            continue
        for thread in threads:
            try:
                with open(f"/proc/{parent}/task/{thread}/children", encoding="ascii") as children:
                    found += map(int, children.read().split())
            except OSError:
                continue
    return found


def _resident_bytes(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as sizes:
            return int(sizes.read().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0


def _busy_seconds() -> float:
    with open("/proc/stat", encoding="ascii") as counters:
        fields = [int(field) for field in counters.readline().split()[1:]]
    user, nice, system, _, _, irq, softirq, *_ = fields
    return (user + nice + system + irq + softirq) / _TICKS
