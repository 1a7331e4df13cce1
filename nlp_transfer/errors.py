"""The exceptions that a user is meant to read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from itertools import islice

_LONGEST_LINE = 2000
_LONGEST_NAME = 100
_MOST_NAMES = 5000


class UserError(Exception):
    """A mistake in the user's input: where, what was found, what is allowed, what to do next.

    The command line prints the message without a traceback and exits with code 2.
    """

    def __init__(self, message: str) -> None:
        super().__init__("\n".join(_bounded(line) for line in message.split("\n")))


def _bounded(line: str) -> str:
    """Cut the middle out of a line that quotes too much: where comes first, what to do last."""
    left_out = len(line) - _LONGEST_LINE
    if left_out <= 0:
        return line
    half = _LONGEST_LINE // 2
    return f"{line[:half]}... ({left_out:,} characters left out) ...{line[-half:]}"


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, with what becomes of the work: the command line prints it and exits with code 130."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean ...?" for the closest known names, or an empty string."""
    if len(name) > _LONGEST_NAME:
        return ""
    # Likeness takes the product of two lengths for each name: a hostile file has many long ones.
    short = (other for other in known if len(other) <= _LONGEST_NAME)
    matches = get_close_matches(name, list(islice(short, _MOST_NAMES)), n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(repr(match) for match in matches)}?" if matches else ""


def shortened(names: Sequence[str], limit: int = 40) -> str:
    """List names, at most `limit` of them."""
    return ", ".join(names[:limit]) + (", ..." if len(names) > limit else "")
