"""What a check hands back: a finding, with its count, a few places and a way out."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
MOST_EXAMPLES = 5
_LONGEST_TEXT = 80


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


def shown(text: str) -> str:
    """Quote a text for people: shortened, with a visible escape for what cannot be seen."""
    short = text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"
    return f'"{"".join(map(_visible, short))}"'


def _visible(character: str) -> str:
    if character.isprintable() and not is_hidden(character):
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def is_hidden(character: str) -> bool:
    """Tell whether a character leaves no mark: control, format, or variation selector."""
    if character.isascii():
        return not character.isprintable()
    if "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef":
        return True
    return unicodedata.category(character) in ("Cf", "Cc")
