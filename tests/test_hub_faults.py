"""What goes wrong with the Hub while a data set or a checkpoint is fetched is said in one message,
soon; what may pass is tried again; and nothing is kept that a later run would trip on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hub_server.data_sets import Hosted, repository, texts

DATA_INFO, MODEL_INFO = "/api/datasets/me/[^/]+$", "/api/models/me/[^/]+(/revision/main)?$"
DATA_TREE, MODEL_TREE = "/api/datasets/.*/tree/", "/api/models/.*/tree/"
README, ROWS, WEIGHTS = "README", "GET .*train-0", "GET .*model.safetensors"

TOKEN = "does not accept the access token (HTTP 401). Log in with `hf auth login`"
RIGHT = "does not let this access token read it (HTTP 403). Ask for access on its page"
REFUSED = "the Hub refuses the request (HTTP {})"
BUSY = "the Hub cannot serve it just now (HTTP {})"
OFTEN = "the Hub is asked too often (HTTP 429). Try again in {} s"
BROKEN = "the connection to the Hub breaks off"
GATED = "it is gated. Ask for access on its page"
SILENT = "the Hub does not answer within 1 s"

LASTING = [
    ("data", DATA_INFO, 401, TOKEN),
    ("data", DATA_INFO, 403, RIGHT),
    ("data", DATA_INFO, 404, REFUSED.format(404)),
    ("data", DATA_INFO, 416, REFUSED.format(416)),
    ("data", DATA_INFO, 429, "the Hub is asked too often (HTTP 429)"),
    ("data", DATA_INFO, 500, BUSY.format(500)),
    ("data", DATA_INFO, 502, BUSY.format(502)),
    ("data", DATA_INFO, 503, BUSY.format(503)),
    ("data", DATA_INFO, "reset", BROKEN),
    ("data", README, 403, RIGHT),
    ("data", README, "gated", GATED),
    ("data", README, "reset", BROKEN),
    ("data", DATA_TREE, 401, TOKEN),
    ("data", DATA_TREE, 500, BUSY.format(500)),
    ("data", ROWS, 416, REFUSED.format(416)),
    ("data", ROWS, "often", OFTEN.format(1)),
    ("data", ROWS, "reset", BROKEN),
    ("model", MODEL_INFO, 401, TOKEN),
    ("model", MODEL_INFO, 503, BUSY.format(503)),
    ("model", MODEL_TREE, 403, RIGHT),
    ("model", MODEL_TREE, "limited", "the Hub is asked too often (HTTP 429)"),
    ("model", MODEL_TREE, "reset", BROKEN),
    ("model", MODEL_TREE, "hang", SILENT),
    ("model", WEIGHTS, "gated", GATED),
    ("model", WEIGHTS, 404, REFUSED.format(404)),
    ("model", WEIGHTS, 502, BUSY.format(502)),
    ("model", WEIGHTS, "reset", BROKEN),
    ("predicted", MODEL_INFO, 503, BUSY.format(503)),
    ("predicted", WEIGHTS, 403, RIGHT),
]
SILENCES = [
    ("data", DATA_INFO, "hang", SILENT),
    ("data", DATA_TREE, "hang", SILENT),
    ("data", ROWS, "hang", SILENT),
    ("model", MODEL_INFO, "hang", SILENT),
    ("model", WEIGHTS, "hang", SILENT),
]
"""Each takes three tries of a second."""
PASSING = [
    ("data", DATA_INFO, 503),
    ("data", README, "reset"),
    ("data", DATA_TREE, "limited"),
    ("data", ROWS, "cut"),
    ("model", MODEL_INFO, "hang"),
    ("model", MODEL_TREE, 500),
    ("model", WEIGHTS, "cut"),
    ("model", WEIGHTS, "reset"),
]
"""Once, or at two requests; the next one is answered."""

Question = tuple[str, str, int | str, int | None]
CACHED: list[Question] = [("cached", DATA_INFO, 503, None), ("cached", DATA_INFO, "reset", None)]


Ask = Callable[[Sequence[Question]], dict[Question, dict[str, Any]]]


@pytest.fixture(scope="module")
def answers(ask: Ask) -> dict[Question, dict[str, Any]]:
    lasting = [(what, where, how, None) for what, where, how, _ in LASTING]
    return ask([*lasting, *((what, where, how, 1) for what, where, how in PASSING), *CACHED])


@pytest.fixture(scope="module")
def silences(ask: Ask) -> dict[Question, dict[str, Any]]:
    return ask([(what, where, how, None) for what, where, how, _ in SILENCES])


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory, checkpoint: Callable[..., Path]) -> Ask:
    """Ask what a command says to each fault, and whether the next one without it goes well."""
    return lambda asked: _asked(asked, tmp_path_factory.mktemp("faults"), checkpoint("bert"))


def _asked(asked: Sequence[Question], folder: Path, model: Path) -> dict[Question, dict[str, Any]]:
    hosted = Hosted(texts(("bad", "good")), {"label": ("bad", "good")})
    for name, content in repository(hosted).files.items():
        path = folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    recipe = folder / "recipe.yaml"
    recipe.write_text(
        "name: r\ntask: {name: classification}\ndata: {source: me/data}\n"
        "model: {checkpoint: me/model}\n"
    )
    (folder / "work").mkdir()
    again = {("data", ROWS), ("model", WEIGHTS)}
    lines = [json.dumps([*q, q[:2] in again and q[3] is None]) for q in asked]
    script = Path(__file__).with_name("faulty_hub.py")
    done = subprocess.run(
        [sys.executable, script, folder / "data", model, recipe],
        input="\n".join(lines),
        env={**os.environ, "NLPT_CACHE": str(folder / "nlpt")},
        cwd=folder / "work",
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, *rest = map(json.loads, done.stdout.splitlines())
    assert first["code"] == 0, first["err"]
    return dict(zip(asked, rest, strict=True))


@pytest.mark.parametrize(("what", "where", "how", "said"), LASTING)
def test_a_fault_that_lasts_is_said_in_one_message(
    answers: dict[Question, dict[str, Any]], what: str, where: str, how: int | str, said: str
) -> None:
    check_message(answers[what, where, how, None], what, said)


@pytest.mark.slow
@pytest.mark.parametrize(("what", "where", "how", "said"), SILENCES)
def test_a_silence_is_not_waited_for(
    silences: dict[Question, dict[str, Any]], what: str, where: str, how: int | str, said: str
) -> None:
    check_message(silences[what, where, how, None], what, said)


def check_message(answer: dict[str, Any], what: str, said: str) -> None:
    assert answer["met"]
    assert answer["code"] == 2, answer["err"]
    setting = {"data": "data.source: ", "model": "model.checkpoint: ", "predicted": "MODEL: "}
    lines = answer["err"].splitlines()
    (message,) = [line for line in lines if "; trying again in" not in line]
    assert said in message
    assert message.startswith(f"error: {setting[what]}")
    assert answer["seconds"] < 60
    assert answer["left"] == ["home"]
    if answer["again"] is not None:
        assert answer["again"]["code"] == 0, answer["again"]["err"]


@pytest.mark.parametrize(("what", "where", "how"), PASSING)
def test_a_fault_that_passes_is_overcome(
    answers: dict[Question, dict[str, Any]], what: str, where: str, how: int | str
) -> None:
    answer = answers[what, where, how, 1]
    assert answer["met"] == 1
    assert answer["code"] == 0, answer["err"]
    assert "Traceback" not in answer["err"]


@pytest.mark.parametrize("question", CACHED, ids=lambda question: str(question[2]))
def test_what_is_in_the_cache_is_used_while_the_hub_is_away(
    answers: dict[Question, dict[str, Any]], question: Question
) -> None:
    answer = answers[question]
    assert answer["met"] > 1
    assert answer["code"] == 0, answer["err"]
