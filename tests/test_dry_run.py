"""A dry run measures the code that will run: it is the run itself, of two steps."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import nlp_transfer
from nlp_transfer import finetune, load_recipe
from nlp_transfer.flows.dry_run import dry_run

PACKAGE = Path(nlp_transfer.__file__).parent
ROOMS = ("training", "strategies")
NOT_A_STEP = ("evaluate", "_save_checkpoint", "on_save", "_load_best_model")
"""What a Trainer does between steps and at the end, which two steps alone do not need."""


def called_in_steps(run: Callable[[], Any]) -> set[str]:
    """Name the functions of ROOMS that are called from the start of `fit` to its end."""
    called: set[str] = set()
    entered: list[FrameType] = []  # `fit`, and what is no step below it

    def note(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "return" and entered and frame is entered[-1]:
            entered.pop()
        if event != "call":
            return
        if code.co_name in ("fit", *NOT_A_STEP) and (entered or code.co_name == "fit"):
            entered.append(frame)
        elif len(entered) == 1 and code.co_filename.startswith(str(PACKAGE)):
            room, _, module = str(Path(code.co_filename).relative_to(PACKAGE)).partition("/")
            if room in ROOMS:
                called.add(f"{room}/{module}:{code.co_qualname}")

    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(None)
    return called


def test_dry_run_calls_what_the_run_calls(tmp_path: Path, tiny_recipe: Callable[..., Path]) -> None:
    two_steps = {"epochs": 1, "arguments": {"max_steps": 2}}
    recipe = load_recipe(str(tiny_recipe(strategy="r_drop", training=two_steps)))
    tried = called_in_steps(lambda: dry_run(recipe))
    done = called_in_steps(lambda: finetune(recipe, output=tmp_path / "run"))
    assert tried == done
    assert {
        "training/seen_rows.py:SeenRows.forward",
        "training/fitting.py:parameter_counts",
    } <= done
