"""What a judge found wrong, collected so that one finding does not hide the next."""

from collections import Counter
from dataclasses import dataclass, field

# A wrong mapping makes every cell wrong: the first few say it all.
MOST_PER_CHECK = 3


@dataclass
class Findings:
    """Findings of one snapshot, each under the name of the check that made it."""

    found: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, check: str, where: str, text: str) -> None:
        """Records that `check` found something wrong at `where`."""
        self._counts[check, where] += 1
        if self._counts[check, where] <= MOST_PER_CHECK:
            self.found.append((check, f"{where}: {text}"))

    def expect(self, check: str, where: str, what: str, expected: object, got: object) -> None:
        """Records a finding unless `got` equals `expected`."""
        if expected != got:
            self.add(check, where, f"{what}: expected {short(expected)}, got {short(got)}")

    def note(self, text: str) -> None:
        """Records something a person should know that is not wrong."""
        self.notes.append(text)

    def checks(self) -> set[str]:
        """The names of the checks that found something."""
        return {check for check, _ in self.found}


def short(value: object) -> str:
    """The value for a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:300]}... ({len(text)} characters)"
