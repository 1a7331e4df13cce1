"""What a check hands back: a finding, with its count, a few places and a way out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
MOST_EXAMPLES = 5


class Example(NamedTuple):
    """One place of a finding."""

    where: str
    """"file:line"; empty where it is nowhere in particular."""
    text: str


@dataclass(frozen=True)
class Finding:
    """One fact about the data that its owner should know."""

    code: str
    severity: Severity
    message: str
    fix: str
    count: int = 1
    split: str | None = None
    """None for what concerns the data as a whole."""
    examples: tuple[Example, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "severity": self.severity,
            "split": self.split,
            "count": self.count,
            "message": self.message,
            "examples": [example._asdict() for example in self.examples],
            "fix": self.fix,
        }


def by_severity(finding: Finding) -> int:
    """Sort errors first; notes last."""
    return SEVERITIES.index(finding.severity)


class Tally:
    """Counts what a check meets, and keeps the first few places."""

    def __init__(self) -> None:
        self.count = 0
        self.examples: list[Example] = []

    @property
    def full(self) -> bool:
        """Whether further places are counted only."""
        return len(self.examples) >= MOST_EXAMPLES

    def add(self, where: str | None, text: str) -> None:
        """Count one more; `text` is shown as it is."""
        self.count += 1
        if not self.full:
            self.examples.append(Example(where or "", text))

    def finding(
        self, code: str, severity: Severity, message: str, fix: str, *, split: str | None = None
    ) -> Finding:
        """Make the finding of what was counted."""
        return Finding(code, severity, message, fix, self.count, split, tuple(self.examples))


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Write a number before its noun.

    >>> counted(1, "text"), counted(2000, "text")
    ('1 text', '2,000 texts')
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def agree(count: int, verb: str, plural: str) -> str:
    """Choose the form of a verb: agree(1, "is", "are")."""
    return verb if count == 1 else plural
