"""A signal that ends a run: what the same command will do next."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from signal import SIGINT, Signals

from nlp_transfer.errors import Interrupted, ending_signal
from nlp_transfer.runs.run_folder import RunFolder


@contextlib.contextmanager
def explaining_interrupt(folder: RunFolder, *, begun: bool, fresh: bool) -> Iterator[None]:
    """Say what the same command will do after a signal.

    begun: the run's own files are written
    fresh: the command says --fresh
    """
    try:
        yield
    except Interrupted as stop:  # in the round before this one, which knows better
        if not fresh:
            raise
        raise Interrupted.after(
            stop,
            f"interrupted in the round before: nothing was changed in {folder.path}; the same "
            "command starts over",
        ) from None
    except KeyboardInterrupt as stop:
        by = ending_signal(stop)
        said = "interrupted" if by == SIGINT else f"ended by {Signals(by).name}"
        raise Interrupted.after(stop, f"{said}: {_after_interrupt(folder, begun, fresh)}") from None


def _after_interrupt(folder: RunFolder, begun: bool, fresh: bool) -> str:
    if fresh and not begun:
        return f"nothing was changed in {folder.path}"
    command = "the same command without --fresh" if fresh else "the same command"
    checkpoint = folder.last_checkpoint()
    if checkpoint is not None:
        at = json.loads((checkpoint / "trainer_state.json").read_text("utf-8"))
        return (
            f"{command} goes on after step {at['global_step']} of {at['max_steps']} "
            f"(epoch {at['epoch']:.3g})"
        )
    if not begun:
        return f"training had not begun; {command} starts it"
    return (
        f"there was no checkpoint yet, so {command} starts over. Checkpoints are kept when the "
        "model is evaluated, every training.save_minutes, and at the end of the step of a signal"
    )
