"""Items of many requests in, their results out: one thread computes, several requests at a time.

A turn takes from each request that waits, up to as much as the engine computes well together. None
waits for others to come; a long request has a part in each turn, so that short ones pass it.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from nlp_transfer.data.items import Item
from nlp_transfer.inference.engine import kept_ready, suitable_tokens
from nlp_transfer.inference.predictor import Predictor
from nlp_transfer.serving.figures import ServerFigures
from nlp_transfer.serving.reading import Question, size_of

log = logging.getLogger(__name__)

Results = list[dict[str, Any]]

_CHARACTERS_A_PIECE = 4
_BATCHES_A_TURN = 4
_PARTS_A_TURN = 4
"""Of one request at least, if it fills a turn: the others come between them."""
_SWITCH_SECONDS = 0.0001
"""After which requests that are read give way to what is computed, not the 0.005 of Python."""
_LONGEST_WAIT = 60
"""Seconds after which those who are turned away are told to come again, at most."""


class OverloadedError(Exception):
    """More waits than may."""

    def __init__(self, retry_after: int) -> None:
        """retry_after: seconds."""
        super().__init__()
        self.retry_after = retry_after


@dataclass(eq=False)
class _Asked:
    """A request that waits, or has some of its results."""

    question: Question
    future: Future[Results] = field(default_factory=Future)
    results: Results = field(default_factory=list)
    taken: int = 0

    def take(self, characters: int) -> list[Item]:
        """Take the next items, at least one; those of one document stay together."""
        items = self.question.items
        start, size = self.taken, 0
        while self.taken < len(items) and (size < characters or self._in_document()):
            size += size_of(items[self.taken]) + 1
            self.taken += 1
        return items[start : self.taken]

    def _in_document(self) -> bool:
        before, after = self.question.items[self.taken - 1 : self.taken + 1]
        return before.document is not None and before.document == after.document


_Turn = list[tuple[_Asked, list[Item]]]


@contextmanager
def cores_for_worker() -> Iterator[int]:
    """Let PyTorch compute on one core, so that a worker's thread is the only one with several.

    OpenMP keeps threads for each thread that has ever computed with them, and those of two get in
    each other's way: a worker then takes twice as long for a sentence on two cores.

    yields: how many cores a worker is to take: all but one, which reads requests; its threads wait
            for each other, and where that one is not free they wait long
    """
    import torch

    cores, seconds = torch.get_num_threads(), sys.getswitchinterval()
    torch.set_num_threads(1)
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        yield max(1, cores - 1)
    finally:
        torch.set_num_threads(cores)
        sys.setswitchinterval(seconds)


class Worker:
    """The thread that owns the models; it works within a `with` block."""

    def __init__(
        self,
        models: Mapping[str, Predictor],
        figures: ServerFigures,
        *,
        cores: int,
        most_waiting: int,
    ) -> None:
        """Take models that were loaded in `cores_for_worker`.

        cores:        that PyTorch computes on
        most_waiting: characters
        """
        self.models = models
        self._figures = figures
        self._cores = cores
        self._most_waiting = most_waiting
        self._asked: deque[_Asked] = deque()
        self._waiting = 0
        self._speed: float | None = None
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="nlpt-serve")

    def __enter__(self) -> Worker:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """End after the turn that is computed; who still waits gets no answer."""
        with self._changed:
            self._closing = True
            for asked in self._asked:
                asked.future.cancel()
            self._changed.notify()
        self._thread.join()

    @property
    def is_full(self) -> bool:
        """Whether a further request would be turned away."""
        return self._waiting >= self._most_waiting

    def ask(self, question: Question) -> Future[Results]:
        """Let a question wait for its results; cancelled in time, it costs nothing.

        raises: OverloadedError
        """
        size = _size(question.items)
        with self._changed:
            if self._closing or (self._waiting and self._waiting + size > self._most_waiting):
                raise OverloadedError(self._seconds_to_wait())
            asked = _Asked(question)
            self._asked.append(asked)
            self._count(size)
            self._changed.notify()
        return asked.future

    def _count(self, size: int) -> None:
        self._waiting += size
        self._figures.waiting.set(self._waiting)

    def _seconds_to_wait(self) -> int:
        seconds = self._waiting / self._speed if self._speed else 1
        return max(1, min(_LONGEST_WAIT, round(seconds)))

    def _work(self) -> None:
        import torch

        torch.set_num_threads(self._cores)
        with kept_ready(model.loaded.model for model in self.models.values() if model.fast_cpu):
            while (turn := self._next_turn()) is not None:
                begun = time.monotonic()
                self._answer(turn)
                size = sum(_size(items) for _, items in turn)
                self._speed = size / (time.monotonic() - begun)

    def _next_turn(self) -> _Turn | None:
        """Wait for something to do; None: it is over."""
        with self._changed:
            while not (turn := self._drawn()):
                if self._closing:
                    return None
                self._changed.wait()
            return turn

    def _drawn(self) -> _Turn:
        """Take parts of what waits for one model, in turns, until there is enough to compute."""
        turn: _Turn = []
        others: deque[_Asked] = deque()
        left = 0
        while self._asked and (left > 0 or not turn):
            asked = self._asked.popleft()
            if asked.future.done():  # nobody waits for it any more
                self._count(-_size(asked.question.items[asked.taken :]))
                continue
            if not turn:
                name = asked.question.model
                left = total = _characters_a_turn(self.models[name])
            if asked.question.model != name:
                others.append(asked)
                continue
            items = asked.take(min(left, total // _PARTS_A_TURN))
            turn.append((asked, items))
            left -= (size := _size(items))
            self._count(-size)
            if asked.taken < len(asked.question.items):
                self._asked.append(asked)
        self._asked.extendleft(reversed(others))
        return turn

    def _answer(self, turn: _Turn) -> None:
        """Compute a turn; one that fails is computed part by part, so that one fails alone."""
        model = turn[0][0].question.model
        try:
            results = iter(list(self.models[model](item for _, items in turn for item in items)))
        except Exception as error:
            if len(turn) > 1:
                for part in turn:
                    self._answer([part])
                return
            log.exception("a request could not be computed")
            future = turn[0][0].future
            if not future.done() and future.set_running_or_notify_cancel():
                future.set_exception(error)
            return
        self._figures.turn(model, sum(len(items) for _, items in turn))
        for asked, items in turn:
            asked.results += [next(results) for _ in items]
            whole = len(asked.results) == len(asked.question.items)
            if whole and asked.future.set_running_or_notify_cancel():
                asked.future.set_result(asked.results)


def _size(items: Sequence[Item]) -> int:
    return sum(size_of(item) + 1 for item in items)


def _characters_a_turn(model: Predictor) -> int:
    batch = model.tokens_per_batch or suitable_tokens(model.loaded.model)
    return _BATCHES_A_TURN * _CHARACTERS_A_PIECE * batch
