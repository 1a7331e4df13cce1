"""What a person sees while a model learns: a bar on a terminal, lines alone elsewhere."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import struct
import sys
import termios
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from nlp_transfer.training.live_bar import Standing, _layout

pytestmark = pytest.mark.usefixtures("one_thread")

Recipes = Callable[..., Path]
LINES = [
    r"training: \d+ steps, 2 epochs",
    r"epoch 1/2  (loss \d\.\d{3}  )?validation entity F1 \d\.\d{4}  \d+ s",
    r"epoch 2/2  (loss \d\.\d{3}  )?validation entity F1 \d\.\d{4}  \d+ s",
]


@pytest.fixture
def terminal(monkeypatch, nlpt):
    """Return a function that runs a command with a terminal for stderr, and what was written."""

    def run(columns: int, *arguments: object) -> str:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        written: list[bytes] = []

        def read() -> None:
            with contextlib.suppress(OSError):  # the other end is closed
                while True:
                    written.append(os.read(ours, 65536))

        reader = threading.Thread(target=read)
        reader.start()
        with os.fdopen(theirs, "w", encoding="utf-8") as stream, monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", stream)
            code = nlpt(*arguments)[0]
        reader.join()
        os.close(ours)
        text = b"".join(written).decode("utf-8")
        assert code == 0, text
        return text

    return run


def screen(text: str) -> list[str]:
    """Show what stays on a terminal: a return goes back to the line's start."""
    lines = []
    for line in text.replace("\r\n", "\n").split("\n"):
        shown = ""
        for part in line.split("\r"):
            shown = part + shown[len(part) :]
        lines.append(shown.rstrip())
    return lines


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_a_terminal_shows_a_bar_while_a_model_learns_and_lines_for_good(
    columns: int, terminal, tiny_recipe: Recipes
) -> None:
    recipe = tiny_recipe(training={"epochs": 2})
    text = terminal(columns, "finetune", "-r", recipe)
    drawn = re.findall(r"\r((?:training)? *\d+ %[^\r\n]*)", text)
    assert max(map(len, drawn)) < columns
    assert "not evaluated yet" in drawn[0] or columns == 40
    best = [line for line in drawn if re.search(r"best .*\d\.\d{4}", line)]
    assert best
    assert all(re.search(r"\d+ s left, best", line) for line in best)
    if columns >= 80:
        assert any(re.search(r"\| [\d,]+ pieces/s, \d+ s left, (not|best)", d) for d in drawn)
        assert "evaluating" in text
        assert all(line.endswith(("(epoch 1)", "(epoch 2)")) for line in best)
    if columns >= 120:
        assert all("best entity F1 0." in line for line in best)
    left = screen(text)
    assert not [line for line in left if " %" in line]
    for wanted in LINES:
        assert len([line for line in left if re.fullmatch(wanted, line)]) == 1


def test_the_time_left_is_told_where_evaluations_come_after_a_share_of_the_steps(
    terminal, tiny_recipe: Recipes
) -> None:
    by_steps = {"eval_strategy": "steps", "save_strategy": "steps"}
    shares = {**by_steps, "eval_steps": 0.25, "save_steps": 0.25}
    recipe = tiny_recipe(training={"epochs": 2, "arguments": shares})
    text = terminal(120, "finetune", "-r", recipe)
    assert re.search(r"\d+ s left, best", text)


def test_elsewhere_there_are_lines_only(nlpt, tiny_recipe: Recipes) -> None:
    code, _, err = nlpt("finetune", "-r", tiny_recipe(training={"epochs": 2}))
    assert code == 0, err
    assert "\r" not in err
    for wanted in LINES:
        assert len([line for line in err.split("\n") if re.fullmatch(wanted, line)]) == 1


@pytest.mark.parametrize("columns", [10, 20, 40, 60, 80, 100, 200])
@pytest.mark.parametrize(
    "standing",
    [
        Standing(),
        Standing(1234.5, 35.2),
        Standing(123456.0, 123456.0, (0.71234, 12.34)),
        Standing(5.0, 99.0, (0.7, 1.0), evaluating=True),
    ],
)
def test_the_bar_fits(columns: int, standing: Standing) -> None:
    said = _layout(standing, "entity F1", columns).format(percentage=100, bar="#" * 10)
    assert len(said) < columns
    assert "100 %" in said
    if standing.best and columns >= 40:
        assert f"best {standing.best[0]:.4f}" in said.replace("entity F1 ", "")
