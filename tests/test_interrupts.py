"""Ctrl-C: one message that says how the work goes on, exit code 130, and twice ends at once."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from interrupting import interrupted, interrupted_forward
from safetensors.torch import load_file
from tiny import tagged_sentences
from waiting import wait_for

from nlp_transfer.runs.run_folder import RunFolder

pytestmark = pytest.mark.usefixtures("one_thread")

Run = Callable[..., tuple[int, str, str]]
Recipes = Callable[..., Path]


@pytest.fixture
def nlpt(nlpt: Run) -> Run:
    """Run each command as a process of its own would: Ctrl-C was not pressed before."""

    def run(*arguments: Any, **options: Any) -> tuple[int, str, str]:
        # Who starts the tests in the background has them ignore Ctrl-C.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return nlpt(*arguments, **options)
        finally:
            signal.signal(signal.SIGINT, before)

    return run


def _press(*_: Any, **__: Any) -> None:
    """Press Ctrl-C, in place of what a command would do next."""
    _press_in_a_step()
    raise AssertionError("not interrupted")


def _press_in_a_step() -> None:
    """Press Ctrl-C while a batch is learned: the step still comes to its end."""
    os.kill(os.getpid(), signal.SIGINT)


def rows() -> dict[str, list[Any]]:
    """Load data for `data.source: test_interrupts:rows`; press Ctrl-C if a file says so."""
    if Path("press").exists():
        _press()
    if Path("press while deleting").exists():
        _PressesWhenDeleted()
        time.sleep(60)
    return {
        split: [
            {"tokens": [word for word, _ in pairs], "tags": [tag for _, tag in pairs]}
            for pairs in tagged_sentences(12, seed=seed)
        ]
        for seed, split in enumerate(("train", "validation", "test"))
    }


class _PressesWhenDeleted:
    """Python swallows what is raised while it deletes an object."""

    def __del__(self) -> None:
        _press_in_a_step()


def _last_line(err: str) -> str:
    assert "Traceback" not in err
    return err.splitlines()[-1]


def test_interrupted_training_says_where_the_same_command_goes_on(
    nlpt: Run, tiny_recipe: Recipes
) -> None:
    recipe = tiny_recipe(training={"epochs": 3, "tokens_per_batch": 128})
    with interrupted(at_step=9, by=_press_in_a_step):
        code, out, err = nlpt("finetune", "-r", recipe)
    assert (code, out) == (130, "")
    said = _last_line(err)
    found = re.fullmatch(
        r"interrupted: the same command goes on after step (\d+) of (\d+) \(epoch ([\d.]+)\)", said
    )
    assert found, said
    code, _, err = nlpt("finetune", "-r", recipe)
    assert code == 0
    assert f"resuming at step {found[1]} of {found[2]}" in err


def test_fresh_is_not_to_be_said_again(nlpt: Run, tiny_recipe: Recipes) -> None:
    recipe = tiny_recipe(source=f"{__name__}:rows", training={"tokens_per_batch": 32})
    assert nlpt("finetune", "-r", recipe)[0] == 0
    Path("press").touch()
    code, _, err = nlpt("finetune", "-r", recipe, "--fresh")
    Path("press").unlink()
    assert (code, _last_line(err)) == (130, "interrupted: nothing was changed in runs/tiny")
    assert nlpt("report", "runs/tiny")[0] == 0
    with interrupted(at_step=9, by=_press_in_a_step):
        code, _, err = nlpt("finetune", "-r", recipe, "--fresh")
    assert code == 130
    assert "the same command without --fresh goes on after step" in _last_line(err)
    assert nlpt("finetune", "-r", recipe)[0] == 0


def test_fresh_run_interrupted_in_an_earlier_round_leaves_the_finished_one(
    nlpt: Run, tiny_recipe: Recipes, trained_ner: Path
) -> None:
    shutil.copytree(trained_ner, "teacher")
    Path("texts.txt").write_text("Ada Lovelace left Rome .\n")
    strategy = {"name": "pseudo_labels", "teacher": "teacher", "texts": "texts.txt", "rounds": 2}
    recipe = tiny_recipe("ner", strategy={**strategy, "threshold": 0})
    assert nlpt("finetune", "-r", recipe)[0] == 0
    with interrupted(at_step=1, by=_press_in_a_step):
        code, _, err = nlpt("finetune", "-r", recipe, "--fresh")
    assert (code, _last_line(err)) == (
        130,
        "interrupted in the round before: nothing was changed in runs/tiny; the same command "
        "starts over",
    )
    assert nlpt("report", "runs/tiny")[0] == 0


def test_the_step_of_the_first_press_is_saved_and_the_second_press_ends_at_once(
    nlpt: Run, tiny_recipe: Recipes
) -> None:
    recipe = tiny_recipe(training={"tokens_per_batch": 64})

    def press_twice() -> None:
        _press_in_a_step()
        _press()

    with interrupted(at_step=2, by=press_twice):
        code, _, err = nlpt("finetune", "-r", recipe)
    assert code == 130
    assert "no checkpoint yet, so the same command starts over" in _last_line(err)
    with interrupted(at_step=2, by=_press_in_a_step):
        code, _, err = nlpt("finetune", "-r", recipe)
    assert code == 130
    assert "interrupted: the same command goes on after step 3 of" in _last_line(err)


def test_a_press_while_an_object_is_deleted_is_not_lost(nlpt: Run, tiny_recipe: Recipes) -> None:
    recipe = tiny_recipe(source=f"{__name__}:rows")
    Path("press while deleting").touch()
    code, _, err = nlpt("finetune", "-r", recipe)
    assert (code, "training had not begun" in _last_line(err)) == (130, True)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("finetune", "training had not begun; the same command"),
        ("prepare", "the same command goes on with the others"),
        ("pretrain", "training had not begun"),
        ("evaluate", "the same command starts over"),
        ("inspect", "the same command starts over"),
    ],
)
def test_every_command_says_what_becomes_of_it(
    command: str,
    expected: str,
    nlpt: Run,
    tiny_recipe: Recipes,
    checkpoint: Callable[..., Path],
) -> None:
    recipe = tiny_recipe(
        checkpoint=checkpoint("bert", masked_lm=True), source=f"{__name__}:rows", pretraining={}
    )
    Path("press").touch()
    more = ("runs/none",) if command == "evaluate" else ()
    code, out, err = nlpt(command, *more, "-r", recipe)
    assert (code, out) == (130, "")
    assert expected in _last_line(err)


def test_interrupted_pretraining_goes_on_to_the_same_weights(
    nlpt: Run, tiny_recipe: Recipes, checkpoint: Callable[..., Path]
) -> None:
    recipe = tiny_recipe(
        checkpoint=checkpoint("bert", masked_lm=True), pretraining={"tokens_per_batch": 256}
    )
    with interrupted(at_step=1, by=_press_in_a_step):
        code, out, err = nlpt("pretrain", "-r", recipe, "-o", "cut")
    assert (code, out) == (130, "")
    assert "the same command goes on after step 2 of" in _last_line(err)
    for name in ("cut", "whole"):
        assert nlpt("pretrain", "-r", recipe, "-o", name)[0] == 0
    cut, whole = (load_file(f"{name}/model/model.safetensors") for name in ("cut", "whole"))
    assert all(cut[name].equal(tensor) for name, tensor in whole.items())


def test_interrupted_prediction_says_what_is_kept(
    nlpt: Run, trained_ner: Path, tmp_path: Path
) -> None:
    shutil.copytree(trained_ner, "runs/tiny")
    texts = tmp_path / "texts.txt"
    texts.write_text("Ada left Rome\n" * 20, "utf-8")
    command = ("predict", "runs/tiny", texts, "--precision", "fp32")
    with interrupted_forward(by=_press):
        code, _, err = nlpt(*command, "-o", "found.jsonl")
    assert code == 130
    assert "found.jsonl.parts keeps what is predicted" in _last_line(err)
    with interrupted_forward(by=_press):
        code, _, err = nlpt(*command)
        assert (code, "goes on" in _last_line(err)) == (130, False)
    assert nlpt(*command, "-o", "found.jsonl")[0] == 0
    assert len(Path("found.jsonl").read_text("utf-8").splitlines()) == 20


def _started(*command: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "nlp_transfer", *map(str, command)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("presses", "number", "expected"),
    [
        (1, signal.SIGINT, "interrupted: the same command goes on after step"),
        (2, signal.SIGINT, ""),
        (1, signal.SIGTERM, "ended by SIGTERM: the same command goes on after step"),
        (1, signal.SIGUSR1, "ended by SIGUSR1: the same command goes on after step"),
    ],
)
def test_a_signal_in_training_ends_the_process_without_a_traceback(
    presses: int, number: signal.Signals, expected: str, tiny_recipe: Recipes, tmp_path: Path
) -> None:
    recipe = tiny_recipe(training={"epochs": 5000})
    with _started("finetune", "-r", recipe, "-o", tmp_path / "run") as process:
        wait_for("epoch 3/", process)
        for _ in range(presses):
            process.send_signal(number)
        rest = process.stderr.read()
    assert "Traceback" not in rest
    assert expected in rest
    assert process.returncode == 128 + number
    if presses == 1:
        step = int(re.search(r"after step (\d+) ", rest)[1])
        assert RunFolder(tmp_path / "run").last_checkpoint().name == f"checkpoint-{step}"


@pytest.mark.slow
def test_ctrl_c_while_libraries_are_loaded_ends_without_a_traceback(
    tiny_recipe: Recipes, tmp_path: Path
) -> None:
    with _started("finetune", "-r", tiny_recipe(), "-o", tmp_path / "run") as process:
        assert process.stderr
        process.stderr.readline()  # the first line comes at once
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 130
    assert "Traceback" not in rest
    assert "interrupted" in rest
    assert not (tmp_path / "run").exists()
