"""Runs `nlpt ARGUMENTS` and kills it, as kill -9 does, when it is about to touch a file.

python killing.py RANK COUNT WORD ARGUMENTS...: the process of this rank ends where it opens,
renames, links, cuts or deletes for the COUNT-th time something whose path has WORD in it.
"""

from __future__ import annotations

import os
import signal
import sys

_EVENTS = ("open", "os.rename", "os.link", "os.truncate", "os.remove", "os.rmdir", "os.mkdir")


def main() -> None:
    """Count, kill, or let the command end."""
    rank, count, word, *arguments = sys.argv[1:]
    left = int(count)

    def note(event: str, details: tuple[object, ...]) -> None:
        nonlocal left
        if event in _EVENTS and word in str(details[0]):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    if os.environ.get("RANK", "0") == rank:
        sys.addaudithook(note)
    from nlp_transfer.cli.app import main as nlpt

    sys.argv = ["nlpt", *arguments]
    nlpt()


if __name__ == "__main__":
    main()
