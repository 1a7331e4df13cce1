"""Several models as one: the mean of their probabilities at predict time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from damaging import made_by_hand
from tiny import write_recipe

from nlp_transfer import Predictor, UserError
from nlp_transfer.inference.ensemble import Ensemble

pytestmark = pytest.mark.usefixtures("one_thread")

Run = Callable[..., tuple[int, str, str]]
SENTENCES = ["Ada Lovelace visited São Paulo today .", "", "Globex sued Alan Turing yesterday ."]
ROWS: dict[str, list[Any]] = {
    "ner": [{"words": text.split()} for text in SENTENCES],
    "classification": [{"text": "where is my parcel"}, {"text": "i want a refund"}],
}
TYPES = {"ner": ["ORG", "PER", "LOC"], "classification": ["praise", "order", "refund"]}


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory,
    data_folder: Callable[[str], Path],
    checkpoint: Callable[..., Path],
    trained: Callable[..., Path],
) -> dict[str, list[Path]]:
    """Train two models a task: of other families, so other tokenizers, and other label orders."""
    folder = tmp_path_factory.mktemp("members")
    made: dict[str, list[Path]] = {}
    for task, key in (("ner", "types"), ("classification", "classes")):
        for family in ("bert", "electra"):
            overrides = [f"task.{key}={TYPES[task]}"] if family == "electra" else []
            recipe = write_recipe(
                folder / f"{task}-{family}.yaml",
                task=task,
                data=data_folder(task),
                checkpoint=checkpoint(family),
                strategy="full",
            )
            made.setdefault(task, []).append(trained(recipe, *overrides))
    return made


@pytest.mark.parametrize("task", ROWS)
def test_one_model_is_itself(task: str, runs: dict[str, list[Path]]) -> None:
    run = runs[task][0]
    alone = list(Predictor.from_run(run).predict(ROWS[task]))
    assert list(Ensemble.from_runs([run]).predict(ROWS[task])) == alone


@pytest.mark.parametrize("task", ROWS)
def test_two_models_answer_by_the_mean_of_their_probabilities(
    task: str, runs: dict[str, list[Path]]
) -> None:
    first, second = (Predictor.from_run(run, precision="fp32") for run in runs[task])
    assert first.labels != second.labels
    order = [second.labels.index(name) for name in first.labels]
    ensemble = Ensemble.from_runs(runs[task], precision="fp32")
    answers = zip(
        first.distributions(ROWS[task]),
        second.distributions(ROWS[task]),
        ensemble.distributions(ROWS[task]),
        strict=True,
    )
    for ours, theirs, mean in answers:
        assert np.allclose(np.exp(mean), (np.exp(ours) + np.exp(theirs[:, order])) / 2, atol=1e-6)
        assert np.allclose(np.exp(mean).sum(axis=1), 1, atol=1e-5)


def test_command_answers_as_the_ensemble_does(
    nlpt: Run, runs: dict[str, list[Path]], tmp_path: Path
) -> None:
    code, out, _ = nlpt("predict", *runs["ner"], "-", stdin="\n".join(SENTENCES) + "\n")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert rows == list(Ensemble.from_runs(runs["ner"])(SENTENCES))
    target = tmp_path / "found.conll"
    code, _, _ = nlpt(
        "predict", *runs["ner"], "-", "--to", "conll", "-o", target, stdin="Ada left Rome\n"
    )
    assert code == 0
    assert target.read_text("utf-8").split()[0] == "Ada"


def test_evaluate_scores_the_ensemble(nlpt: Run, runs: dict[str, list[Path]]) -> None:
    one, two = runs["ner"]
    code, out, err = nlpt("evaluate", one, two, "evaluation.bootstrap=100", "-r", one, "--json")
    assert code == 0, err
    split = json.loads(out)["splits"]["test"]
    alone = json.loads((one / "metrics.json").read_text("utf-8"))["splits"]["test"]
    assert split["ledger"] == alone["ledger"]
    assert split["token"]["accuracy"] > 0


def test_models_that_answer_differently_are_refused(nlpt: Run, runs: dict[str, list[Path]]) -> None:
    with pytest.raises(UserError, match="one is a model for ner, the other for classification"):
        Ensemble.from_runs([runs["ner"][0], runs["classification"][0]])
    code, _, err = nlpt("predict", runs["ner"][0], "no/such/run", "-", stdin="Ada\n")
    assert code == 2
    assert "no/such/run" in err
    code, _, err = nlpt("predict", runs["ner"][0])
    assert code == 2
    assert "Name a model and an input" in err
    code, _, err = nlpt("evaluate", "training.seed=1", "-r", runs["ner"][0])
    assert code == 2
    assert "Name a model" in err


def test_other_labels_are_named(runs: dict[str, list[Path]], tmp_path: Path) -> None:

    other = made_by_hand(shutil.copytree(runs["classification"][0], tmp_path / "other"))
    config = other / "model" / "config.json"
    config.write_text(config.read_text("utf-8").replace('"refund"', '"return"'), "utf-8")
    with pytest.raises(UserError, match=r"first knows: refund\. Only the second: return\."):
        Ensemble.from_runs([runs["classification"][0], other])
