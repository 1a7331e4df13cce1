"""Things to do in; how long each takes out, done in turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)

Seconds = tuple[float, float]
"""By the clock on the wall, and of all processors together."""


def in_turns(todo: Mapping[KeyT, Callable[[], object]], rounds: int) -> dict[KeyT, list[Seconds]]:
    """Do each thing once a round, so that whatever else the machine does slows down all alike.

    returns: how long each took, round by round; a first one, in which much is done once, is left
             out
    """
    taken: dict[KeyT, list[Seconds]] = {key: [] for key in todo}
    for number in range(rounds + 1):
        for key, do in todo.items():
            wall, processor = time.perf_counter(), time.process_time()
            do()
            if number:
                took = time.perf_counter() - wall, time.process_time() - processor
                taken[key].append(took)
    return taken
