"""A third task of one folder and its line in tasks/__init__.py goes all the ways of a command, and
nothing outside tasks/ asks which task it is."""

from __future__ import annotations

import ast
import csv
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands import run_commands
from hub_server import USER, Hub, running_hub
from tiny import texts_with_classes, write_recipe

from nlp_transfer.tasks import TASK_NAMES, TASKS

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "nlp_transfer"
IMPORT = "from nlp_transfer.tasks.ner.task import NerTask\n"
WAYS = ("inspect", "prepare", "dry_run", "finetune", "evaluate", "predict", "report", "publish",
        "export")  # fmt: skip


def with_third_task(folder: Path) -> None:
    """Copy the package, the folder of a third task in it, imported and named in one place."""
    package = folder / "nlp_transfer"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(Path(__file__).parent / "toy_regression", package / "tasks" / "regression")
    registration = package / "tasks" / "__init__.py"
    text = registration.read_text("utf-8")
    imported = f"{IMPORT}from nlp_transfer.tasks.regression.task import RegressionTask\n"
    named = text.replace(IMPORT, imported).replace(
        "(NerTask, ClassificationTask)", "(NerTask, ClassificationTask, RegressionTask)"
    )
    assert named.count("RegressionTask") == 2
    registration.write_text(named, "utf-8")


def write_numbers(folder: Path) -> Path:
    """Write texts whose number is how many words they have."""
    folder.mkdir()
    for seed, (split, count) in enumerate({"train": 48, "validation": 12, "test": 12}.items()):
        rows = [(t, len(t.split()) / 4) for t, _ in texts_with_classes(count, seed=seed) if t]
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "length"), *rows])
    return folder


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with running_hub(tmp_path_factory.mktemp("client")) as hub:
        yield hub


@pytest.fixture(scope="module")
def commands(
    tmp_path_factory: pytest.TempPathFactory, hub: Hub, checkpoint: Callable[..., Path]
) -> dict[str, tuple[int, str, str]]:
    """Run all commands for a text regression, one after the other in one process."""
    folder = tmp_path_factory.mktemp("third")
    with_third_task(folder)
    recipe = write_recipe(
        folder / "recipe.yaml",
        task="regression",
        data=write_numbers(folder / "data"),
        checkpoint=checkpoint("bert", num_hidden_layers=1),
        strategy="full",
    )
    said = yaml_with_columns(recipe)
    (folder / "texts.txt").write_text("good film\nwhere is my parcel please\n", "utf-8")
    run, out = folder / "run", folder / "out.jsonl"
    both = [run, run]
    argv: dict[str, list[object]] = {
        "inspect": ["inspect", "--recipe", said],
        "prepare": ["prepare", "--recipe", said],
        "dry_run": ["finetune", "--recipe", said, "--dry-run"],
        "finetune": ["finetune", "--recipe", said, "--output", run],
        "evaluate": ["evaluate", *both, "--recipe", said, "--json"],
        "predict": ["predict", run, folder / "texts.txt", "-o", out],
        "csv": ["predict", run, folder / "texts.txt", "--to", "csv"],
        "report": ["report", run],
        "publish": ["publish", run, f"{USER}/toy"],
        "export": ["export", run, "--format", "onnx"],
        "augmentation": ["finetune", "--recipe", said, "strategies=full,augmentation,r_drop"],
        "compare": ["compare", *both],
        "weights": ["finetune", "--recipe", said, "training.class_weights=balanced", "--dry-run"],
        "auto": ["finetune", "--recipe", said, "strategies=auto", "--dry-run"],
    }
    online = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    environment = {
        **online, **hub.environment(), "HF_TOKEN": hub.token, "PYTHONPATH": str(folder)
    }  # fmt: skip
    done = run_commands(list(argv.values()), folder, environment)
    return {**dict(zip(argv, done, strict=True)), "folder": (0, str(folder), "")}


def yaml_with_columns(recipe: Path) -> Path:
    """Name the column of the numbers."""
    text = recipe.read_text("utf-8")
    recipe.write_text(text.replace("data:\n", "data:\n  columns: {label: length}\n"), "utf-8")
    return recipe


@pytest.mark.parametrize("command", WAYS)
def test_a_third_task_goes_the_way_of_every_command(commands, command):
    code, out, err = commands[command]
    assert code == 0, out + err


def test_what_is_chosen_for_it_goes_with_it(commands):
    code, out, err = commands["auto"]
    assert code == 0, out + err
    assert "auto: 48 " in err
    assert "head fitted" not in err


def test_its_figures_predictions_and_card_are_its_own(commands, hub):
    folder = Path(commands["folder"][1])
    metrics = json.loads((folder / "run" / "metrics.json").read_text("utf-8"))
    figures = metrics["splits"]["test"]["number"]
    assert metrics["task"] == "regression"
    assert set(figures) == {"pearson", "mae", "pearson_ci95"}
    assert json.loads(commands["evaluate"][1])["splits"]["test"]["number"] == figures
    rows = [json.loads(line) for line in (folder / "out.jsonl").read_text("utf-8").splitlines()]
    assert [set(row) for row in rows] == [{"text", "number"}] * 2
    assert "Pearson r" in commands["report"][1]
    card = hub.repos[f"{USER}/toy"].files["README.md"].decode()
    assert "This model gives a text a number." in card


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("augmentation", "strategy 'augmentation' does not work with task 'regression', only with"),
        ("augmentation", "strategy 'r_drop' does not work with task 'regression', only with"),
        ("weights", "training.class_weights: the task regression has no classes"),
        ("csv", "csv cannot hold the results of regression"),
        ("compare", "predictions of task regression cannot be compared: its Pearson r is not"),
    ],
)
def test_what_does_not_go_with_it_is_refused_in_one_message(commands, command, says):
    code, _, err = commands[command]
    assert code == 2
    assert says in err
    assert "Traceback" not in err


# What no room outside tasks/ says, and the one place where it is not about a task of ours.
WORDS_OF_OTHERS = {
    "recipe/familiar.py": "what other tools call tasks, for errors that say what we call them",
    "data/grouping.py": "names of a column, among them ner",
}


def own_names() -> set[str]:
    """List the names of all tasks, and of the classes that stand for one or its predictions."""
    names = set(TASK_NAMES)
    for module in (PACKAGE / "tasks").glob("*/*.py"):
        tree = ast.parse(module.read_text("utf-8"))
        names |= {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    return names


def flags() -> set[str]:
    """List the fields of the recipe sections of all tasks."""
    return {field for task in TASKS for field in task.model_fields} - {"name"}


def asks_of_a_task(module: Path, names: set[str], fields: set[str]) -> Iterator[str]:
    """Yield what of a module names a task, imports one, or reads a flag that only some have."""
    tree = ast.parse(module.read_text("utf-8"))
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if text in TASK_NAMES:
                yield f"{node.lineno}: {text!r}"
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in names - {*TASK_NAMES}:
                yield f"{node.lineno}: {name}"
            case ast.ImportFrom(module=str(source)) if (
                source.startswith("nlp_transfer.tasks.")
                and (PACKAGE / "tasks" / source.split(".")[2]).is_dir()
            ):
                yield f"{node.lineno}: imports {source}"
            case ast.Attribute(value=ast.Name(id="task") | ast.Attribute(attr="task"), attr=field):
                if field in fields:
                    yield f"{node.lineno}: task.{field}"
            case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=field), *_]):
                if field in fields:
                    yield f"{node.lineno}: getattr {field}"


def test_no_room_outside_tasks_asks_which_task_it_is():
    names, fields = own_names(), flags()
    found = {}
    for module in sorted(PACKAGE.rglob("*.py")):
        place = module.relative_to(PACKAGE).as_posix()
        if not place.startswith("tasks/") and place not in WORDS_OF_OTHERS:
            found[place] = list(asks_of_a_task(module, names, fields))
    assert {place: asked for place, asked in found.items() if asked} == {}


@pytest.mark.parametrize(
    "line",
    [
        'if task.name == "ner": pass',
        "from nlp_transfer.tasks.ner.task import NerTask",
        "isinstance(prediction, Tagging)",
        "recipe.task.multi_label",
        'getattr(task, "multi_label", False)',
    ],
)
def test_a_room_that_asks_is_found(line, tmp_path):
    module = tmp_path / "sly.py"
    module.write_text(line, "utf-8")
    assert list(asks_of_a_task(module, own_names(), flags()))


FACES = ("rows", "checks", "windows", "head", "decoding", "scores", "results")


@pytest.mark.parametrize(
    "folder",
    [*(PACKAGE / "tasks" / name for name in TASK_NAMES), Path(__file__).parent / "toy_regression"],
    ids=lambda folder: folder.name,
)
def test_a_task_consists_of_the_modules_that_contributing_lists(folder):
    listed = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("- **A task**")[2]
    modules = {"__init__", "task", *FACES}
    assert {*re.findall(r"`(\w+)\.py`", listed.partition("- **")[0])} == modules
    assert {module.stem for module in folder.glob("*.py")} >= modules
