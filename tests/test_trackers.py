"""Optional packages that a recipe asks for: missing ones are named first, their files are kept."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

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
    events = Path("runs/tiny/tracking/events.out").read_text("utf-8")
    assert "eval/score" in events or "score" in events
    assert not Path("runs/tiny/checkpoints").exists()
    assert nlpt("finetune", "-r", recipe)[0] == 0  # a run with such files is still one of ours
    assert nlpt("finetune", "-r", recipe, "--fresh")[0] == 0
