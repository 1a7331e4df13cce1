"""Long predictions: what an interrupted job keeps, and that it ends with the same file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from interrupting import interrupted_forward

from nlp_transfer import finetune, load_recipe

pytestmark = pytest.mark.usefixtures("one_thread")

Run = Callable[..., tuple[int, str, str]]
FP32 = ("--precision", "fp32")  # no other is tried out before
TEXTS = [f"Ada Lovelace wrote {number} letters to Rome" for number in range(4200)]  # over a block


@pytest.fixture(scope="module")
def model(
    tmp_path_factory: pytest.TempPathFactory,
    data_folder: Callable[[str], Path],
    checkpoint: Callable[..., Path],
) -> Path:
    """Train a tiny model for NER."""
    from tiny import write_recipe

    folder = tmp_path_factory.mktemp("model")
    path = write_recipe(
        folder / "r.yaml",
        task="ner",
        data=data_folder("ner"),
        checkpoint=checkpoint("bert"),
        strategy="full",
        training={"epochs": 1},
    )
    finetune(load_recipe(str(path)), output=folder / "run")
    return folder / "run"


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Write the texts, one a line."""
    path = tmp_path / "texts.txt"
    path.write_text("".join(f"{text}\n" for text in TEXTS), "utf-8")
    return path


def test_interrupted_job_goes_on_to_the_same_file(
    nlpt: Run, model: Path, texts: Path, tmp_path: Path
) -> None:
    whole, output = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    with interrupted_forward(at_call=None) as calls:
        assert nlpt("predict", model, texts, *FP32, "-o", whole)[0] == 0
    with interrupted_forward(at_call=len(calls) - 1):
        assert nlpt("predict", model, texts, *FP32, "-o", output)[0] == 130
    (growing,) = (tmp_path / "out.jsonl.parts").glob("*.growing")
    kept = len(growing.read_text("utf-8").splitlines())
    assert 0 < kept < len(TEXTS)
    growing_file = growing.stat().st_ino
    with growing.open("a", encoding="utf-8") as file:
        file.write('{"text": "torn by the cra')
    assert not output.exists()
    code, _, said = nlpt("predict", model, texts, *FP32, "-o", output, "--resume")
    assert code == 0
    assert f"going on after {kept:,} results" in said
    assert output.read_text("utf-8") == whole.read_text("utf-8")
    assert [json.loads(line)["text"] for line in output.read_text("utf-8").splitlines()] == TEXTS
    assert not (tmp_path / "out.jsonl.parts").exists()
    assert output.stat().st_ino == growing_file, "results are written once"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_is_said_and_what_is_predicted_kept(nlpt: Run, model: Path) -> None:
    Path("texts.txt").write_text("Ada left Rome\n", "utf-8")
    command = ("predict", model, "texts.txt", *FP32, "-o", "out")
    with interrupted_forward(at_call=0):
        assert nlpt(*command)[0] == 130
    growing = Path("out.parts", "0.growing")
    growing.unlink()
    growing.symlink_to("/dev/full")
    code, _, said = nlpt(*command, "--resume")
    assert (code, "The disk is full" in said, "--resume goes on" in said) == (2, True, True)
    growing.unlink()
    assert nlpt(*command, "--resume")[0] == 0
    assert len(Path("out").read_text("utf-8").splitlines()) == 1


def test_resume_without_anything_to_go_on_with_is_a_plain_job(
    nlpt: Run, model: Path, texts: Path, tmp_path: Path
) -> None:
    texts.write_text("Ada\nAlan\n", "utf-8")
    assert nlpt("predict", model, texts, "-o", tmp_path / "out", "--resume")[0] == 0
    assert (tmp_path / "out").read_text("utf-8") == nlpt("predict", model, texts)[1]


def test_another_job_does_not_go_on_and_a_new_one_starts_over(
    nlpt: Run, model: Path, texts: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.conll"
    command = (model, texts, *FP32, "--to", "conll", "-o", output)
    with interrupted_forward():
        assert nlpt("predict", *command)[0] == 130
    texts.write_text("Grace Hopper left\n", "utf-8")
    code, _, said = nlpt("predict", *command, "--resume")
    assert code == 2
    assert "another job" in said
    code, _, said = nlpt("predict", *command)
    assert code == 0
    assert "are dropped" in said
    assert output.read_text("utf-8").startswith("Grace")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-", "-o", "out", "--resume"], "read again"),
        (["texts.txt", "--resume"], "--output"),
        (["texts.txt", "--to", "csv", "-o", "out", "--resume"], "cannot hold"),
        (["texts.txt", "-o", "taken", "--resume"], "holds other things"),
    ],
)
def test_a_job_that_cannot_be_resumed_is_refused_before_it_starts(
    arguments: list[str], message: str, nlpt: Run, model: Path
) -> None:
    Path("texts.txt").write_text("Ada\n", "utf-8")
    Path("taken.parts").mkdir()
    Path("taken.parts", "mine.txt").write_text("precious", "utf-8")
    code, out, error = nlpt("predict", model, *arguments)
    assert (code, out) == (2, "")
    assert message in error
    assert not Path("out").exists()
    assert Path("taken.parts", "mine.txt").read_text("utf-8") == "precious"
