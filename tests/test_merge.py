"""`nlpt merge`: adapters put into their base, and soups of several runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny import write_recipe

from nlp_transfer import Predictor, load_recipe
from nlp_transfer.flows.evaluate import evaluate

pytestmark = pytest.mark.usefixtures("one_thread")

Run = Callable[..., tuple[int, str, str]]
ROWS = [{"words": ["Ada", "Lovelace", "visited", "New", "York", "with", "Globex"]}]


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory,
    data_folder: Callable[[str], Path],
    checkpoint: Callable[..., Path],
    trained: Callable[..., Path],
) -> dict[str, Path]:
    """Train runs that go together (one, two, turned) and others that do not."""
    folder = tmp_path_factory.mktemp("runs")
    made = {}
    lora = {"name": "lora", "rank": 4, "merge": False}
    for name, task, family, size, strategy, overrides in (
        ("one", "ner", "bert", {}, "full", []),
        ("two", "ner", "bert", {}, "full", ["training.seed=7"]),
        ("turned", "ner", "bert", {}, "full", ["task.types=[PER,ORG,LOC]"]),
        ("small", "ner", "bert", {"num_hidden_layers": 1}, "full", []),
        ("texts", "classification", "bert", {}, "full", []),
        ("adapter", "ner", "bert", {}, lora, []),
        ("multilingual", "ner", "xlm-roberta", {"num_hidden_layers": 1}, "full", []),
    ):
        recipe = write_recipe(
            folder / f"{name}.yaml",
            task=task,
            data=data_folder(task),
            checkpoint=checkpoint(family, **size),
            strategy=strategy,
        )
        made[name] = trained(recipe, *overrides)
    return made


@pytest.mark.parametrize("name", ["one", "multilingual"])
def test_soup_of_a_run_with_itself_is_itself(name: str, nlpt: Run, runs: dict[str, Path]) -> None:
    run = runs[name]
    assert nlpt("merge", run, run, run, "-o", "soup")[0] == 0
    assert _same(_weights(Path("soup")), _weights(run / "model"))
    there = json.loads((run / "model" / "config.json").read_text("utf-8"))
    assert json.loads(Path("soup", "config.json").read_text("utf-8")) == there


@pytest.mark.parametrize(("options", "share"), [([], 0.5), (["--weights", "0.7,0.3"], 0.7)])
def test_soup_is_the_weighted_mean(
    options: list[str], share: float, nlpt: Run, runs: dict[str, Path]
) -> None:
    assert nlpt("merge", runs["one"], runs["two"], "-o", "soup", *options)[0] == 0
    one, two = _weights(runs["one"] / "model"), _weights(runs["two"] / "model")
    for name, tensor in _weights(Path("soup")).items():
        assert torch.allclose(tensor, share * one[name] + (1 - share) * two[name], atol=1e-7), name
    code, out, _ = nlpt("predict", "soup", "-", stdin="Ada left Rome\n")
    assert code == 0
    assert len(json.loads(out)["tags"]) == 3


def test_heads_are_matched_by_the_names_of_the_labels(nlpt: Run, runs: dict[str, Path]) -> None:
    assert nlpt("merge", runs["one"], runs["turned"], "-o", "soup", "--weights", "0,1")[0] == 0
    soup, turned = Predictor.from_run("soup"), Predictor.from_run(runs["turned"])
    assert soup.labels != turned.labels
    order = [turned.labels.index(name) for name in soup.labels]
    (found,), (expected,) = soup.distributions(ROWS), turned.distributions(ROWS)
    assert found == pytest.approx(expected[:, order], abs=1e-5)


def test_greedy_soup_scores_no_lower_than_its_best_member(nlpt: Run, runs: dict[str, Path]) -> None:
    members = [runs[name] for name in ("one", "two", "turned")]
    code, _, err = nlpt("merge", *members, "-o", "soup", "--how", "greedy", "-r", runs["one"])
    assert code == 0, err
    recipe = load_recipe(str(runs["one"]))
    scores = [
        evaluate(run, recipe=recipe, split="validation").metrics["splits"]["validation"]["entity"]
        for run in (*members, "soup")
    ]
    *alone, soup = (score["overall"]["f1"] for score in scores)
    assert soup >= max(alone)
    assert "in the soup" in err


def test_adapter_becomes_a_whole_model(nlpt: Run, runs: dict[str, Path]) -> None:
    assert not (runs["adapter"] / "model" / "model.safetensors").exists()
    assert nlpt("merge", runs["adapter"], "-o", "whole")[0] == 0
    assert not Path("whole", "adapter_config.json").exists()
    (found,) = Predictor.from_run("whole").distributions(ROWS)
    (expected,) = Predictor.from_run(runs["adapter"]).distributions(ROWS)
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["one", "small"], "are not of one architecture: 16 weights differ"),
        (["one", "texts"], "the one is a model for ner, the other for classification"),
        (["one", "missing"], "RUN: there is no model folder"),
        (["one", "two", "--weights", "0.7"], "1 weights for 2 runs"),
        (["one", "two", "--weights", "0.7,0.7"], "add up to 1, not to 1.4"),
        (["one", "two", "--weights", "a,b"], "'a,b' are not numbers"),
        (["one", "two", "--how", "best"], "'best' is unknown (uniform, greedy)"),
        (["one", "two", "--how", "greedy"], "--how greedy needs --recipe"),
    ],
)
def test_what_does_not_go_together_is_refused(
    arguments: list[str], message: str, nlpt: Run, runs: dict[str, Path]
) -> None:
    known = {**runs, "missing": Path("./no/such/run").absolute()}
    code, _, err = nlpt("merge", *(known.get(name, name) for name in arguments), "-o", "soup")
    assert code == 2
    assert message in err
    assert list(Path().iterdir()) == []


def test_existing_folder_is_left_alone(nlpt: Run, runs: dict[str, Path]) -> None:
    Path("mine").mkdir()
    code, _, err = nlpt("merge", runs["one"], "-o", "mine")
    assert code == 2
    assert "mine exists already" in err
    assert list(Path("mine").iterdir()) == []


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def _same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(first[name].equal(second[name]) for name in first)
