"""Optional packages that a recipe asks for: missing ones are named first, their files are kept."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
from interrupting import interrupted

from nlp_transfer.errors import UserError
from nlp_transfer.metrics.flat import by_path

pytestmark = pytest.mark.usefixtures("one_thread")

Run = Callable[..., tuple[int, str, str]]
Recipes = Callable[..., Path]

# What the Trainer needs of TensorBoard; the real one is no dependency of ours.
WRITER = """
from pathlib import Path

class SummaryWriter:
    def __init__(self, log_dir):
        Path(log_dir).mkdir(parents=True, exist_ok=True)
        self.file = Path(log_dir, "events.out").open("a")
    def add_scalar(self, name, value, step):
        self.file.write(f"{step} {name}\\n")
    def add_text(self, *_): pass
    def add_hparams(self, *_, **__): pass
    def flush(self): self.file.flush()
    def close(self): self.file.close()
"""


@pytest.mark.parametrize(
    ("argument", "packages"),
    [
        ("report_to=tensorboard", ["tensorboard", "tensorboardX"]),
        ("report_to=wandb", ["wandb"]),
        ("report_to=[mlflow]", ["mlflow"]),
        ("report_to=codecarbon", ["codecarbon"]),
        ("report_to=trackio", ["trackio"]),
        ("use_liger_kernel=true", ["liger_kernel"]),
    ],
)
def test_missing_package_is_named_before_anything_is_loaded(
    argument: str, packages: list[str], nlpt: Run, tiny_recipe: Recipes, tmp_path: Path
) -> None:
    if any(map(importlib.util.find_spec, packages)):
        pytest.skip("is installed")
    recipe = tiny_recipe(checkpoint=tmp_path / "not" / "looked" / "for")
    (tmp_path / "not" / "looked" / "for").mkdir(parents=True)
    code, out, err = nlpt("finetune", "-r", recipe, f"training.arguments.{argument}")
    assert (code, out) == (2, "")
    assert f"training.arguments.{argument.partition('=')[0]}" in err
    assert "nstall" in err
    assert "Traceback" not in err
    assert "reading the data" not in err
    assert list(Path().iterdir()) == []


def test_tracker_that_does_not_exist_is_refused(nlpt: Run, tiny_recipe: Recipes) -> None:
    code, _, err = nlpt("finetune", "-r", tiny_recipe(), "training.arguments.report_to=tensorbord")
    assert code == 2
    assert "tensorbord" in err
    assert "tensorboard" in err


@pytest.mark.skipif(bool(importlib.util.find_spec("tensorboard")), reason="is installed")
def test_files_of_trackers_outlive_the_checkpoints(
    nlpt: Run, tiny_recipe: Recipes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "packages" / "tensorboardX"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(WRITER, encoding="utf-8")
    monkeypatch.syspath_prepend(package.parent)
    recipe = tiny_recipe(training={"epochs": 1, "arguments": {"report_to": "tensorboard"}})
    code, _, err = nlpt("finetune", "-r", recipe)
    assert code == 0, err
    events = Path("runs/tiny/tracking/events.out").read_text("utf-8").splitlines()
    assert "3 eval/score" in events
    assert "3 test/entity_f1" in events
    assert "3 test/entity/per_type/PER/f1" in events
    assert not Path("runs/tiny/checkpoints").exists()
    assert nlpt("finetune", "-r", recipe)[0] == 0  # a run with such files is still one of ours
    assert nlpt("finetune", "-r", recipe, "--fresh")[0] == 0


# --- W&B, MLflow and trackio ----------------------------------------------------------------------


class Tracker:
    """What a stand-in was told."""

    def __init__(self) -> None:
        self.figures: dict[str, float] = {}
        self.events: list[str] = []
        self.run: object = None

    def begin(self, *_: Any, **__: Any) -> None:
        self.run = MagicMock()
        self.events.append("begun")

    def take(self, figures: dict[str, float]) -> None:
        assert self.run is not None, "figures after the end"
        self.figures |= figures

    def end(self, how: object) -> None:
        self.run = None
        self.events.append(f"ended {how}")


class Wandb(MagicMock):
    """A stand-in of the package, with what the Trainer and we need of it."""

    @property
    def run(self) -> object:
        return self.tracker.run


Trackers = dict[str, Tracker]


@pytest.fixture
def trackers(monkeypatch: pytest.MonkeyPatch) -> Trackers:
    """Stand in for the packages; return what each was told."""
    known = {name: Tracker() for name in ("wandb", "mlflow", "trackio")}
    wandb, mlflow, trackio = known.values()
    packages: dict[str, MagicMock] = {
        "wandb": Wandb(
            tracker=wandb,
            init=wandb.begin,
            log=wandb.take,
            finish=lambda exit_code=0: wandb.end(exit_code),
        ),
        "mlflow": MagicMock(
            active_run=lambda: mlflow.run,
            start_run=mlflow.begin,
            log_metrics=lambda metrics, **_: mlflow.take(metrics),
            end_run=lambda status="FINISHED": mlflow.end(status),
            __version__="3.0.0",
        ),
        "trackio": MagicMock(
            init=trackio.begin, log=trackio.take, finish=lambda: trackio.end("so")
        ),
    }
    packages["mlflow"].utils.validation = SimpleNamespace(
        MAX_PARAM_VAL_LENGTH=6000, MAX_PARAMS_TAGS_PER_BATCH=100
    )
    packages["trackio"].context_vars.current_space_id.get.return_value = None
    for name, package in packages.items():
        package.__spec__ = ModuleSpec(name, None)
        monkeypatch.setitem(sys.modules, name, package)
    faults = SimpleNamespace(ConfigError=ValueError)
    monkeypatch.setitem(sys.modules, "wandb.sdk.lib.config_util", faults)
    return known


def tracked(tiny_recipe: Recipes, task: str = "ner") -> Path:
    to = {"report_to": ["wandb", "mlflow", "trackio"]}
    return tiny_recipe(task, training={"epochs": 1, "arguments": to})


@pytest.mark.parametrize("task", ["ner", "classification"])
def test_trackers_get_every_figure_of_the_report_and_are_closed(
    task: str, trackers: Trackers, nlpt: Run, tiny_recipe: Recipes
) -> None:
    code, out, err = nlpt("finetune", "-r", tracked(tiny_recipe, task), "--json")
    assert code == 0, err
    metrics = json.loads(out)
    wanted = {f"test/{path}": value for path, value in by_path(metrics["splits"]["test"]).items()}
    wanted |= {f"train/{path}": value for path, value in by_path(metrics["training"]).items()}
    assert any("per_" in name for name in wanted)
    for name, tracker in trackers.items():
        figures = {path: tracker.figures.get(path) for path in wanted}
        assert figures == wanted, name
        assert {"test/entity_f1", "test/macro_f1"} & {*tracker.figures}
    ends = [tracker.events for tracker in trackers.values()]
    assert ends == [["begun", "ended 0"], ["begun", "ended FINISHED"], ["begun", "ended so"]]
    assert trackers["trackio"].figures["eval/score"] == metrics["training"]["best_validation"]


@pytest.mark.parametrize(
    ("error", "wandb", "mlflow"), [(KeyboardInterrupt, 1, "KILLED"), (UserError, 1, "FAILED")]
)
def test_trackers_are_closed_where_training_ends_early(
    error: type[BaseException],
    wandb: int,
    mlflow: str,
    trackers: Trackers,
    nlpt: Run,
    tiny_recipe: Recipes,
) -> None:
    def stop() -> None:
        raise error("no more")

    with interrupted(at_step=1, by=stop):
        assert nlpt("finetune", "-r", tracked(tiny_recipe))[0] != 0
    ends = [tracker.events[-1] for tracker in trackers.values()]
    assert ends == [f"ended {wandb}", f"ended {mlflow}", "ended so"]


def test_a_run_that_was_open_before_is_left_open(
    trackers: Trackers, nlpt: Run, tiny_recipe: Recipes
) -> None:
    for tracker in trackers.values():
        tracker.begin()
    assert nlpt("finetune", "-r", tracked(tiny_recipe))[0] == 0
    assert trackers["wandb"].events == trackers["mlflow"].events == ["begun"]
    assert trackers["mlflow"].figures["test/entity_f1"] >= 0


def test_a_tracker_that_fails_at_the_end_does_not_cost_the_run(
    trackers: Trackers, nlpt: Run, tiny_recipe: Recipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take(figures: dict[str, float]) -> None:
        if "test/entity_f1" in figures:
            raise ConnectionError("no network")

    monkeypatch.setattr(sys.modules["trackio"], "log", take)
    code, out, err = nlpt("finetune", "-r", tracked(tiny_recipe), "--json")
    assert code == 0, err
    assert "TrackioCallback failed in on_log: no network" in err
    assert json.loads(out)["splits"]
    assert "test/entity_f1" in trackers["wandb"].figures
    assert trackers["trackio"].events == ["begun", "ended so"]


def test_pretraining_tells_what_it_reached(
    trackers: Trackers, nlpt: Run, tiny_recipe: Recipes
) -> None:
    code, out, err = nlpt("pretrain", "-r", tracked(tiny_recipe), "pretraining.epochs=1", "--json")
    assert code == 0, err
    wanted = json.loads(out)["held_out"]["after"]["perplexity"]
    assert {each.figures["eval/after/perplexity"] for each in trackers.values()} == {wanted}
    assert trackers["mlflow"].events == ["begun", "ended FINISHED"]
