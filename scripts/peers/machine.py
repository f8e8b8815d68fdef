"""What was measured on, and how quiet it was."""

import os
import platform
import subprocess
from pathlib import Path


def machine(folder: Path) -> dict[str, object]:
    """The machine, as far as it matters to times."""
    return {
        "cpu": _field("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": int(_field("/proc/meminfo", "MemTotal").split()[0]) // 1024,
        "kernel": platform.release(),
        "disk": _disk(folder),
        "system": _field("/etc/os-release", "PRETTY_NAME", "=").strip('"'),
        "python": platform.python_version(),
    }


def commit(repository: Path) -> str:
    """The commit of the sources beside this script, and whether they were changed."""
    head = _said(["git", "-C", str(repository), "rev-parse", "--short=12", "HEAD"])
    changed = _said(["git", "-C", str(repository), "status", "--porcelain", "--untracked-files=no"])
    return f"{head} with changes" if changed else head


def _field(path: str, name: str, separator: str = ":") -> str:
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(separator)
        if key.strip() == name:
            return value.strip()
    return "unknown"


def _disk(folder: Path) -> str:
    fields = _said(["df", "--output=source,fstype", str(folder)]).splitlines()
    return " ".join(fields[-1].split()) if fields else "unknown"


def _said(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""
