"""What every strategy promises: for each of its tasks, two steps, saved, read again, the same
predictions; and what does not go together is refused with both names."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import combinations, product
from pathlib import Path
from typing import Any, get_args

import pytest
from tiny import write_recipe

from nlp_transfer import Predictor, finetune, load_recipe
from nlp_transfer.errors import UserError
from nlp_transfer.strategies import AnyStrategy
from nlp_transfer.strategies.base import Strategy

pytestmark = pytest.mark.usefixtures("one_thread")

CLASSES: dict[str, type[Strategy]] = {
    section.model_fields["name"].default: section for section in get_args(get_args(AnyStrategy)[0])
}
TASKS = ("ner", "classification")

# The least of a recipe section that makes each strategy do something in two steps; `{teacher}`,
# `{texts}`... are filled in by the fixture below.
SECTIONS: dict[str, dict[str, Any]] = {
    "augmentation": {"typos": 0.5},
    "average_checkpoints": {"count": 2},
    "distillation": {"teacher": "{teacher}", "hidden": 0.1},
    "frozen": {"layers": 1},
    "intermediate_task": {"head": "matched"},
    "layerwise_lr": {"decay": 0.5},
    "gazetteer": {"dictionary": "{dictionary}", "texts": "{texts}"},
    "lora": {"rank": 2},
    "multi_task": {
        "side_tasks": {"side": {"task": {"name": "{other}"}, "data": {"source": "{data}"}}}
    },
    "penalty": {"l2": 0.01},
    "prompt": {"tokens": 5},
    "pseudo_labels": {"teacher": "{teacher}", "texts": "{texts}", "threshold": 0},
}
PLACES = {"teacher": "x", "texts": "x", "dictionary": "x", "other": "ner", "data": "x"}
PAIRS = [(name, task) for name, task in product(CLASSES, TASKS) if task in CLASSES[name].tasks]
STRANGERS = [(name, task) for name, task in product(CLASSES, TASKS) if (name, task) not in PAIRS]


def section(name: str, places: dict[str, str]) -> dict[str, Any]:
    text = json.dumps(SECTIONS.get(name, {}))
    for place, value in places.items():
        text = text.replace(f"{{{place}}}", value)
    return {"name": name, **json.loads(text)}


def disagree(one: str, other: str) -> bool:
    """Tell whether two strategies say that they do not go together."""
    left, right = CLASSES[one], CLASSES[other]
    return bool(
        set(left.exclusive) & set(right.exclusive)
        or other in left.excludes
        or one in right.excludes
    )


@pytest.fixture(scope="module")
def places(
    tmp_path_factory: pytest.TempPathFactory,
    data_folder: Callable[[str], Path],
    checkpoint: Callable[..., Path],
) -> Callable[[str], dict[str, str]]:
    """Return a function that trains a teacher for a task, once, and writes what strategies read."""
    known: dict[str, dict[str, str]] = {}

    def build(task: str) -> dict[str, str]:
        if task not in known:
            known[task] = _places(tmp_path_factory.mktemp(task), task, data_folder, checkpoint)
        return known[task]

    return build


def _places(
    folder: Path,
    task: str,
    data_folder: Callable[[str], Path],
    checkpoint: Callable[..., Path],
) -> dict[str, str]:
    teacher = folder / "teacher"
    _train(folder / "teacher.yaml", teacher, task, data_folder(task), checkpoint("bert"), [])
    texts, dictionary = folder / "texts.txt", folder / "dictionary.tsv"
    texts.write_text("Ada Lovelace left Rome .\nI want my money back\n", "utf-8")
    dictionary.write_text("Ada Lovelace\tPER\nRome\tLOC\n", "utf-8")
    other = next(name for name in TASKS if name != task)
    return {
        "teacher": str(teacher),
        "texts": str(texts),
        "dictionary": str(dictionary),
        "other": other,
        "data": str(data_folder(other)),
    }


def _start(names: tuple[str, ...], places: dict[str, str], checkpoint: Any) -> Path:
    """Choose the checkpoint: one of the strategies needs a fine-tuned one."""
    return Path(places["teacher"]) if "intermediate_task" in names else checkpoint("bert")


def _train(
    path: Path, run: Path, task: str, data: Path, start: Path, sections: list[dict[str, Any]]
) -> None:
    """Run two steps, with an evaluation after each."""
    each_step = {"eval_strategy": "steps", "save_strategy": "steps"}
    arguments = {"max_steps": 2, **each_step, "eval_steps": 1, "save_steps": 1}
    write_recipe(
        path,
        task=task,
        data=data,
        checkpoint=start,
        strategy=sections or "full",
        training={"epochs": 1, "arguments": arguments},
    )
    finetune(load_recipe(str(path)), output=run)


def _written(run: Path) -> list[dict[str, Any]]:
    lines = (run / "predictions.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _assert_reloads(run: Path) -> None:
    """Predict with the saved model what the run has written."""
    written = _written(run)
    items = [
        {"tokens": row["tokens"]} if "tokens" in row else {"text": row["text"]} for row in written
    ]
    found = list(Predictor.from_run(run, precision="fp32")(items))
    for ours, theirs in zip(found, written, strict=True):
        if "tags" in theirs:
            assert ours["tags"] == theirs["tags"]
        else:
            assert ours["scores"] == pytest.approx(theirs["scores"], abs=1e-5)


def test_every_strategy_works_for_a_task() -> None:
    assert {name for name, _ in PAIRS} == set(CLASSES)
    assert set(SECTIONS) <= set(CLASSES)


@pytest.mark.parametrize(("name", "task"), PAIRS)
def test_trained_model_reloads_with_the_same_predictions(
    name: str, task: str, tmp_path: Path, places: Any, data_folder: Any, checkpoint: Any
) -> None:
    run = tmp_path / "run"
    start = _start((name,), places(task), checkpoint)
    sections = [section(name, places(task))]
    _train(tmp_path / "r.yaml", run, task, data_folder(task), start, sections)
    assert json.loads((run / "metrics.json").read_text("utf-8"))["training"]["steps"] == 2
    _assert_reloads(run)


@pytest.mark.parametrize(("name", "task"), STRANGERS)
def test_task_that_a_strategy_cannot_serve_is_refused_with_both_names(
    name: str, task: str, tiny_recipe: Callable[..., Path]
) -> None:
    places = PLACES
    with pytest.raises(UserError, match=f"'{name}' does not work with task '{task}'"):
        load_recipe(str(tiny_recipe(task, strategy=[section(name, places)])))


@pytest.mark.parametrize(("one", "other"), [p for p in combinations(CLASSES, 2) if disagree(*p)])
def test_strategies_that_disagree_are_refused_with_both_names(
    one: str, other: str, tiny_recipe: Callable[..., Path]
) -> None:
    task = next(task for task in TASKS if {(one, task), (other, task)} <= set(PAIRS))
    places = PLACES
    for pair in ((one, other), (other, one)):
        strategies = [section(name, places) for name in pair]
        with pytest.raises(UserError, match=f"'{one}'.*'{other}'|'{other}'.*'{one}'"):
            load_recipe(str(tiny_recipe(task, strategy=strategies)))


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    ("one", "other"), [p for p in combinations(CLASSES, 2) if not disagree(*p)]
)
def test_strategies_that_agree_run_together(
    one: str,
    other: str,
    task: str,
    tmp_path: Path,
    places: Any,
    data_folder: Any,
    checkpoint: Any,
) -> None:
    if not {(one, task), (other, task)} <= set(PAIRS):
        pytest.skip("not for this task")
    run = tmp_path / "run"
    start = _start((one, other), places(task), checkpoint)
    sections = [section(name, places(task)) for name in (one, other)]
    _train(tmp_path / "r.yaml", run, task, data_folder(task), start, sections)
    _assert_reloads(run)
