"""The package's log on stderr, a line an event: for commands, and in Python where none is set."""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from collections.abc import Iterator

from nlp_transfer.processes import is_main_process

_LOG = logging.getLogger("nlp_transfer")


class _StderrHandler(logging.Handler):
    """Writes to whatever sys.stderr is at the moment."""

    def emit(self, record: logging.LogRecord) -> None:
        with _bars_aside():
            print(self.format(record), file=sys.stderr, flush=True)


def _bars_aside() -> contextlib.AbstractContextManager[None]:
    """Take progress bars away while a line is written, and draw them again below it."""
    tqdm = sys.modules.get("tqdm")  # of whoever shows a bar; importing it here would take time
    return tqdm.tqdm.external_write_mode(file=sys.stderr) if tqdm else contextlib.nullcontext()


def show_lines() -> None:
    """Show the log on stderr, on the main process only; errors everywhere."""
    _LOG.handlers[:] = [_StderrHandler()]
    _LOG.propagate = False
    _LOG.setLevel(logging.INFO if is_main_process() else logging.ERROR)


@contextlib.contextmanager
def lines_shown() -> Iterator[None]:
    """Show the log on stderr for a while, unless a program or its user has decided otherwise."""
    if _is_set_up():
        yield
        return
    level, propagate = _LOG.level, _LOG.propagate
    show_lines()
    try:
        yield
    finally:
        _LOG.handlers.clear()
        _LOG.setLevel(level)
        _LOG.propagate = propagate


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence for a while what libraries say about their own insides."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _is_set_up() -> bool:
    """Tell whether the package's logger is set, or handlers of all loggers are there.

    Some notebooks bring such handlers, for warnings only, without the user's doing.
    """
    if _LOG.handlers or _LOG.level != logging.NOTSET:
        return True
    return _LOG.hasHandlers() and (_LOG.isEnabledFor(logging.INFO) or not in_notebook())


def in_notebook() -> bool:
    """Tell whether what is written to stderr appears below a cell."""
    return not sys.modules.keys().isdisjoint({"ipykernel", "marimo"})
