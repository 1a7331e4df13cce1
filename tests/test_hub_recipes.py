"""Shipped recipes run from end to end as they stand, on data sets and checkpoints under their own
names, which real clients fetch from a Hub of this machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import run_commands
from hub_server import running_hub
from hub_server.sources import CONLL, HOSTED, WNUT, add_sources

RECIPES = Path(__file__).parent.parent / "recipes"


def _types(tags: tuple[str, ...]) -> set[str]:
    return {tag[2:] for tag in tags if tag != "O"}


LABELS = {
    "conll2003-ner": _types(CONLL),
    "wnut17-ner": _types(WNUT),
    "sst2": {"negative", "positive"},
    "imdb": {"neg", "pos"},
    "financial-phrasebank": {"negative", "neutral", "positive"},
}
OTHERS = sorted(
    path.stem
    for path in RECIPES.glob("*.yaml")
    if yaml.safe_load(path.read_text())["data"]["source"] in HOSTED and path.stem not in LABELS
)
TEXTS = ["See PER here", "about positive , number 3", "See location here ."]

Runs = dict[str, dict[str, Any]]


def _run(folder: Path, checkpoint: Callable[..., Path], names: list[str]) -> Runs:
    """Train, evaluate, predict and report each recipe, in a process with no cache."""
    (folder / "texts.txt").write_text("\n".join(TEXTS) + "\n")
    commands = {
        (name, command[0]): command
        for name in names
        for command in (
            ["finetune", "--recipe", name, "--output", f"runs/{name}"],
            ["evaluate", f"runs/{name}", "--recipe", name, "--json"],
            ["predict", f"runs/{name}", "texts.txt", "-o", f"{name}.jsonl"],
            ["report", f"runs/{name}"],
        )
    }
    with running_hub(folder / "hf") as hub:
        add_sources(hub, checkpoint)
        environment = {**hub.environment(), "NLPT_CACHE": str(folder / "nlpt")}
        done = run_commands(list(commands.values()), folder, environment)
        requests = list(hub.requests)
    runs: Runs = {name: {"folder": folder, "requests": requests} for name in names}
    for (name, command), answer in zip(commands, done, strict=True):
        runs[name][command] = answer
    return runs


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, checkpoint: Callable[..., Path]) -> Runs:
    return _run(tmp_path_factory.mktemp("hub"), checkpoint, list(LABELS))


def _check(name: str, run: dict[str, Any]) -> dict[str, Any]:
    """Look at all that a recipe's commands left behind; return the figures of the test split."""
    for command in ("finetune", "evaluate", "predict", "report"):
        code, _, err = run[command]
        assert code == 0, err
        assert "Traceback" not in err
    recipe = yaml.safe_load((RECIPES / f"{name}.yaml").read_text())
    folder = run["folder"] / "runs" / name
    resolved = yaml.safe_load((folder / "recipe.yaml").read_text())
    assert resolved["model"]["checkpoint"] == recipe["model"]["checkpoint"]
    assert resolved["data"]["source"] == recipe["data"]["source"]
    metrics = json.loads((folder / "metrics.json").read_text())
    figures: dict[str, Any] = metrics["splits"]["test"]
    evaluated = json.loads(run["evaluate"][1])
    kind = "entity" if recipe["task"]["name"] == "ner" else "class"
    assert evaluated["splits"]["test"][kind] == figures[kind]
    hosted = HOSTED[recipe["data"]["source"]]
    theirs = (recipe["data"].get("splits") or {}).get("test", "test")
    rows = hosted.sizes[theirs if theirs in hosted.sizes else "test"]
    assert figures["ledger"]["sentences"] == rows
    predicted = (folder / "predictions.jsonl").read_text().splitlines()
    assert len(predicted) == rows
    answers = (run["folder"] / f"{name}.jsonl").read_text().splitlines()
    assert len(answers) == len(TEXTS)
    assert f"test: {'Entities' if kind == 'entity' else 'Classes'}" in run["report"][1]
    return figures


@pytest.mark.parametrize("name", LABELS)
def test_a_recipe_runs_end_to_end_from_the_hub(runs: Runs, name: str) -> None:
    figures = _check(name, runs[name])
    rows = figures["entity"]["per_type"] if "entity" in figures else figures["class"]["per_label"]
    assert set(rows) <= LABELS[name]
    config = json.loads((runs[name]["folder"] / "runs" / name / "model/config.json").read_text())
    learned = {label.removeprefix("B-").removeprefix("I-") for label in config["label2id"]}
    assert learned - {"O"} == LABELS[name]


def test_every_file_of_a_repository_came_from_one_commit(runs: Runs) -> None:
    named = [yaml.safe_load((RECIPES / f"{name}.yaml").read_text()) for name in LABELS]
    commits: dict[str, set[str]] = {}
    for line in runs["sst2"]["requests"]:
        if "/resolve/" in line:
            repo, _, rest = line.partition(" /")[2].partition("/resolve/")
            commits.setdefault(repo, set()).add(rest.partition("/")[0])
    assert set(commits) == {
        *(recipe["model"]["checkpoint"] for recipe in named),
        *(f"datasets/{recipe['data']['source']}" for recipe in named),
    }
    assert all([len(commit) for commit in found] == [40] for found in commits.values())


@pytest.mark.slow
def test_every_other_recipe_of_a_hub_data_set_runs_end_to_end(
    tmp_path: Path, checkpoint: Callable[..., Path]
) -> None:
    runs = _run(tmp_path, checkpoint, OTHERS)
    for name in OTHERS:
        _check(name, runs[name])
