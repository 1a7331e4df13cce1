"""The exceptions that a user is meant to read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class UserError(Exception):
    """A mistake in the user's input: where, what was found, what is allowed, what to do next.

    The command line prints the message without a traceback and exits with code 2.
    """


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, with what becomes of the work: the command line prints it and exits with code 130."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean ...?" for the closest known names, or an empty string."""
    matches = get_close_matches(name, list(known), n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(repr(match) for match in matches)}?" if matches else ""


def shortened(names: Sequence[str], limit: int = 40) -> str:
    """List names, at most `limit` of them."""
    return ", ".join(names[:limit]) + (", ..." if len(names) > limit else "")
