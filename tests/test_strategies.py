"""What every strategy promises: for each of its tasks, two steps, saved, read again, the same
predictions; the same model in whatever order a recipe lists it and others; and what does not go
together is refused with both names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import combinations, product
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args

import pytest
import yaml
from damaging import made_by_hand
from interrupting import interrupted
from pydantic import Field
from safetensors.torch import load_file
from tiny import write_recipe

import nlp_transfer
from nlp_transfer import Predictor, finetune, load_recipe
from nlp_transfer.errors import UserError
from nlp_transfer.recipe.json_schema import schema_of
from nlp_transfer.recipe.reader import read_recipe
from nlp_transfer.recipe.reference import reference_page
from nlp_transfer.strategies import AnyStrategy
from nlp_transfer.strategies.any_recipe import AnyRecipe
from nlp_transfer.strategies.base import HEAD, Stage, Strategy
from nlp_transfer.strategies.context import LossFunction, TrainingData
from nlp_transfer.strategies.plan import plan_of
from nlp_transfer.tasks import names_with

pytestmark = pytest.mark.usefixtures("one_thread")

CLASSES: dict[str, type[Strategy]] = {
    section.model_fields["name"].default: section for section in get_args(get_args(AnyStrategy)[0])
}
PACKAGE = Path(nlp_transfer.__file__).parent
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
PAIRS = [
    (name, task)
    for name, task in product(CLASSES, TASKS)
    if task in names_with(CLASSES[name].needs)
]
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
        or {other, right.group} & set(left.excludes)
        or {one, left.group} & set(right.excludes)
        or ("intermediate_task" in (one, other) and HEAD in {*left.exclusive, *right.exclusive})
    )


HOOKS = {
    Stage.ROWS: ("add_rows",),
    Stage.WEIGHTS: ("carry_over", "choose_weights", "fit_head"),
    Stage.RATES: ("param_groups",),
    Stage.LOSS: ("wrap_loss",),
    Stage.KEPT: ("finish",),
}


def stages_of(name: str) -> set[Stage]:
    """List the stages in which a strategy does something."""
    own = CLASSES[name]
    return {
        stage
        for stage, hooks in HOOKS.items()
        if any(getattr(own, hook) is not getattr(Strategy, hook) for hook in hooks)
    }


LEGAL = [
    (one, other, task)
    for one, other in combinations(CLASSES, 2)
    for task in TASKS
    if {(one, task), (other, task)} <= set(PAIRS) and not disagree(one, other)
]
SAME_STAGE = {(one, other): task for one, other, task in LEGAL if stages_of(one) & stages_of(other)}
"""Pairs whose order could make a difference, each with a task of both."""
_BY_STAGE = {s: pair for pair in SAME_STAGE for s in stages_of(pair[0]) & stages_of(pair[1])}
ONE_PAIR_A_STAGE = sorted(set(_BY_STAGE.values()))


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


class Louder(Strategy):
    """Multiply the loss: all that a new strategy consists of is one file like this class..."""

    stage: ClassVar[Stage] = Stage.LOSS
    order: ClassVar[int] = 99

    name: Literal["louder"] = "louder"
    factor: float = Field(2.0, gt=0, description="of the loss")

    def wrap_loss(self, loss: LossFunction, data: TrainingData) -> LossFunction:
        return lambda forward, batch, items: self.factor * loss(forward, batch, items)


class LouderRecipe(AnyRecipe):
    """... and one line in the union of strategies/__init__.py."""

    strategies: list[Annotated[get_args(AnyStrategy)[0] | Louder, Field(discriminator="name")]]


def test_a_new_strategy_is_one_class_in_the_union(tmp_path: Path, tiny_recipe: Any) -> None:
    path = tiny_recipe(strategy=[{"name": "louder", "factor": 1000}, {"name": "full"}])
    recipe = read_recipe(LouderRecipe, str(path))
    assert [strategy.name for strategy in recipe.strategies] == ["full", "louder"]
    figures = finetune(recipe, output=tmp_path / "run")
    assert finetune(recipe, output=tmp_path / "run") == figures, "it is shown again"
    _assert_reloads(tmp_path / "run")
    finetune(load_recipe(str(tiny_recipe())), output=tmp_path / "plain")
    louder, plain = (dict(_weights(tmp_path / run)) for run in ("run", "plain"))
    assert not all(louder[name].equal(plain[name]) for name in plain)
    assert "factor" in reference_page(schema_of(LouderRecipe))
    with pytest.raises(UserError, match=r"louder\.factr.*factor"):
        read_recipe(LouderRecipe, str(tiny_recipe(strategy=[{"name": "louder", "factr": 1}])))


def test_only_the_union_knows_the_strategies_by_name() -> None:
    importers = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for name in CLASSES
        if f"strategies.{name} import" in path.read_text("utf-8")
    }
    choosing = {f"strategies/{name}.py" for name in ("auto_table", "resolving", "any_recipe")}
    side_tasks = "strategies/multi_task.py"
    assert importers == {"strategies/__init__.py", side_tasks, *choosing}


def test_plan_has_the_round_before_and_the_tasks_that_learn_together(tiny_recipe: Any) -> None:
    labelling = {**section("pseudo_labels", PLACES), "rounds": 3}
    others = {**section("multi_task", PLACES), "temperature": 2}
    recipe = load_recipe(str(tiny_recipe("classification", strategy=[labelling, others])))
    plan = plan_of(recipe)
    assert plan.recipe is recipe
    assert [task.name for task in plan.tasks] == ["", "side"]
    assert [strategy.name for strategy in plan.tasks[1].recipe.strategies] == ["full"]
    assert plan.temperature == 2
    rounds = []
    while plan.earlier:
        plan = plan_of(plan.earlier)
        rounds.append(plan.recipe.as_yaml().count("rounds: 1"))
        assert [task.name for task in plan.tasks] == ["", "side"]
    assert rounds == [0, 1], "of three rounds two come before"


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


def test_no_two_strategies_have_the_same_place() -> None:
    assert len({(s.stage, s.order) for s in CLASSES.values()}) == len(CLASSES)


@pytest.mark.parametrize("name", CLASSES)
def test_stage_is_the_first_in_which_a_strategy_acts(name: str) -> None:
    acts_in = stages_of(name)
    assert not acts_in or CLASSES[name].stage == min(acts_in)


def test_recipes_that_list_strategies_in_another_order_are_the_same(tiny_recipe: Any) -> None:
    for task in TASKS:
        recipe = yaml.safe_load(tiny_recipe(task).read_text("utf-8"))
        for one, other in ((one, other) for one, other, of in LEGAL if of == task):
            sections = [section(name, PLACES) for name in (one, other)]
            first, second = (
                AnyRecipe.model_validate({**recipe, "strategies": listed})
                for listed in (sections, sections[::-1])
            )
            assert first == second


@pytest.mark.parametrize(("one", "other"), ONE_PAIR_A_STAGE)
def test_strategies_of_one_stage_make_the_same_model_in_both_orders(
    one: str, other: str, tmp_path: Path, places: Any, data_folder: Any, checkpoint: Any
) -> None:
    task = SAME_STAGE[one, other]
    _train_both_orders(tmp_path, (one, other), task, places(task), data_folder(task), checkpoint)


@pytest.mark.slow
@pytest.mark.parametrize(("one", "other", "task"), LEGAL)
def test_strategies_that_agree_make_the_same_model_in_both_orders(
    one: str, other: str, task: str, tmp_path: Path, places: Any, data_folder: Any, checkpoint: Any
) -> None:
    _train_both_orders(tmp_path, (one, other), task, places(task), data_folder(task), checkpoint)
    _assert_reloads(tmp_path / one)


def _train_both_orders(
    folder: Path,
    pair: tuple[str, str],
    task: str,
    places: dict[str, str],
    data: Path,
    checkpoint: Any,
) -> None:
    for names in (pair, pair[::-1]):
        run = folder / names[0]
        sections = [section(name, places) for name in names]
        _train(folder / "r.yaml", run, task, data, _start(pair, places, checkpoint), sections)
    first, second = (dict(_weights(folder / name)) for name in pair)
    assert first.keys() == second.keys()
    assert all(first[name].equal(second[name]) for name in first)


def _weights(run: Path) -> Iterator[tuple[str, Any]]:
    """Read every weight that a run leaves behind: its model, adapter and those of side tasks."""
    for file in sorted(run.rglob("*.safetensors")):
        for name, tensor in load_file(file).items():
            yield f"{file.relative_to(run)}: {name}", tensor


def test_run_whose_recipe_lists_strategies_in_another_order_goes_on(
    tmp_path: Path, tiny_recipe: Any
) -> None:
    strategies = ["full", {"name": "penalty", "l2": 0.01}, "layerwise_lr", "average_checkpoints"]
    recipe, other = (
        load_recipe(str(tiny_recipe(strategy=listed, training={"epochs": 3})))
        for listed in (strategies, strategies[::-1])
    )
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    steps = finetune(recipe, output=whole).metrics["training"]["steps"]
    with interrupted(at_step=steps - 1), pytest.raises(KeyboardInterrupt):
        finetune(other, output=cut)
    made_by_hand(cut)
    stored = yaml.safe_load((cut / "recipe.yaml").read_text("utf-8"))
    stored["strategies"].reverse()  # as an earlier version wrote it
    (cut / "recipe.yaml").write_text(yaml.safe_dump(stored), "utf-8")
    finetune(recipe, output=cut)
    first, second = dict(_weights(whole)), dict(_weights(cut))
    assert first.keys() == second.keys()
    assert all(first[name].equal(second[name]) for name in first)
