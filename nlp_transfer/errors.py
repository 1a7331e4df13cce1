"""The exceptions that a user is meant to read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from itertools import islice
from signal import SIGINT, Signals

_LONGEST_LINE = 2000
_LONGEST_NAME = 100
_MOST_NAMES = 5000


class UserError(Exception):
    """A mistake in the user's input: where, what was found, what is allowed, what to do next.

    The command line prints the message without a traceback and exits with code 2.
    """

    def __init__(self, message: str) -> None:
        super().__init__("\n".join(_bounded(line) for line in message.split("\n")))


class SaidByMainError(UserError):
    """A mistake that ends all processes of a run: the main one shows it."""


class LostProcessError(Exception):
    """Another process of the same run has ended, or does not answer: no mistake of the user's."""


def _bounded(line: str) -> str:
    """Cut the middle out of a line that quotes too much: where comes first, what to do last."""
    left_out = len(line) - _LONGEST_LINE
    if left_out <= 0:
        return line
    half = _LONGEST_LINE // 2
    return f"{line[:half]}... ({left_out:,} characters left out) ...{line[-half:]}"


ENDING = tuple(s for s in Signals if s.name in ("SIGINT", "SIGTERM", "SIGUSR1"))
"""Signals that ask a process to end: Ctrl-C, and what schedulers send."""


BY_SIGNAL = 128
"""Exit code, as shells have it, after signal 0; after Ctrl-C it is 130, after SIGTERM 143."""


class Stopped(KeyboardInterrupt):
    """One of the signals that ask this process to end."""

    def __init__(self, said: str = "", *, by: int = SIGINT) -> None:
        """by: number of the signal."""
        super().__init__(said)
        self.by = by


class Interrupted(Stopped):
    """A signal, with what becomes of the work: the command line prints it and exits accordingly."""

    @classmethod
    def after(cls, stop: KeyboardInterrupt, said: str) -> Interrupted:
        """Say what becomes of the work that a signal has ended."""
        return cls(said, by=ending_signal(stop))


def ending_signal(stop: KeyboardInterrupt) -> int:
    """Return the number of the signal that has ended something."""
    return stop.by if isinstance(stop, Stopped) else SIGINT


def nearest(name: str, known: Iterable[str], *, shown: Mapping[str, str] | None = None) -> str:
    """Return " Did you mean ...?" for the closest known names, or an empty string.

    shown: what to call the known names, where that is not what they are compared by
    """
    matches = closest(name, known)
    called = dict.fromkeys(shown[match] if shown else match for match in matches)
    names = " or ".join(map(repr, called))
    return f" Did you mean {names}?" if names else ""


def closest(name: str, known: Iterable[str]) -> list[str]:
    """Return up to three known names that are most like a name, whatever their case."""
    if len(name) > _LONGEST_NAME:
        return []
    # Likeness takes the product of two lengths for each name: a hostile file has many long ones.
    short = (other for other in known if len(other) <= _LONGEST_NAME)
    folded = {other.casefold(): other for other in islice(short, _MOST_NAMES)}
    return [folded[match] for match in get_close_matches(name.casefold(), folded, cutoff=0.6)]


def sentence(text: str) -> str:
    """End a text with a full stop, unless it has an end."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


def shortened(names: Sequence[str], limit: int = 40) -> str:
    """List names, at most `limit` of them."""
    return ", ".join(names[:limit]) + (", ..." if len(names) > limit else "")
