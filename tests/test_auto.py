"""`strategies: auto`, the default: what is chosen from data and checkpoint, by commands."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from nlp_transfer import load_recipe, resolve

pytestmark = pytest.mark.usefixtures("one_thread")

Run = Callable[..., tuple[int, str, str]]
_opened: Counter[str] | None = None


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _opened is not None:
        _opened[str(arguments[0])] += 1


sys.addaudithook(_note)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count, by path, how often this process opens files."""
    counts: Counter[str] = Counter()
    monkeypatch.setattr(sys.modules[__name__], "_opened", counts)
    return counts


@pytest.fixture
def mine(tmp_path: Path, data_folder: Callable[[str], Path], tiny_bert: Path) -> Callable[..., str]:
    """Return a function that writes a recipe of what is needed, and names its file."""

    def write(task: str = "ner", **sections: object) -> str:
        needed = {
            "name": "mine",
            "task": task,
            "data": {"source": str(data_folder(task))},
            "model": {"checkpoint": str(tiny_bert), "max_pieces": 48, "overlap": 4},
            "evaluation": {"splits": "test", "bootstrap": 100},
        }
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump({**needed, **sections}), encoding="utf-8")
        return str(path)

    return write


def done(result: tuple[int, str, str]) -> tuple[str, str]:
    code, out, err = result
    assert code == 0, err
    return out, err


def said(err: str) -> str:
    """Find the line that says what was chosen."""
    (line,) = [line for line in err.splitlines() if line.startswith("auto: ")]
    return line


def test_a_run_says_and_keeps_what_was_chosen_and_is_shown_again(nlpt: Run, mine: Run) -> None:
    recipe = mine()
    shown = yaml.safe_load(done(nlpt("recipes", "show", recipe, "--resolved"))[0])
    _, err = done(nlpt("finetune", "--recipe", recipe, "training.epochs=1", "--output", "run"))
    assert re.fullmatch(r"auto: 48 sentences, 30,560 parameters: .+, 1 epoch", said(err))
    kept = yaml.safe_load(Path("run/recipe.yaml").read_text("utf-8"))
    assert kept == {**shown, "training": {**shown["training"], "epochs": 1}}
    assert "auto" not in [strategy["name"] for strategy in kept["strategies"]]
    facts = json.loads(Path("run/data.json").read_text("utf-8"))["facts"]
    assert (facts["labelled"], facts["examples"], facts["labels"]) == ("words", 48, 3)
    # The same recipe, and the one that the run keeps, are both the run's.
    for again in (recipe, "run/recipe.yaml"):
        _, err = done(nlpt("finetune", "--recipe", again, "training.epochs=1", "--output", "run"))
        assert "is finished" in err
    code, _, err = nlpt("finetune", "--recipe", recipe, "--output", "run")
    assert code == 2
    epochs = shown["training"]["epochs"]
    assert f"recipe:\n  training.epochs: 1.0 in the folder, {epochs} now\nChoose" in err


def test_a_recipe_as_it_was_resolved_gives_the_same_weights(nlpt: Run, mine: Run) -> None:
    recipe = mine("classification", training={"epochs": 1})
    done(nlpt("finetune", "--recipe", recipe, "--output", "one"))
    out, _ = done(nlpt("recipes", "show", recipe, "--resolved"))
    Path("resolved.yaml").write_text(out, "utf-8")
    _, err = done(nlpt("finetune", "--recipe", "resolved.yaml", "--output", "two"))
    assert "auto: " not in err
    one, two = (Path(name, "model", "model.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two
    assert Path("one/recipe.yaml").read_text("utf-8") == out


def test_the_data_is_read_once(nlpt: Run, mine: Run, ner_data: Path, opened: Counter[str]) -> None:
    done(nlpt("prepare", "--recipe", mine()))
    files = [str(path) for path in ner_data.iterdir() if path.is_file()]
    assert [opened[file] for file in files] == [1, 1, 1]
    opened.clear()
    done(nlpt("finetune", "--recipe", mine(), "training.epochs=1"))
    assert [opened[file] for file in files] == [1, 1, 1]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("strategies=[auto, full]", "'auto' and 'full' both decide which weights learn"),
        ("strategies=auto,lora", "'auto' and 'lora' both decide which weights learn"),
        ("strategies=[layerwise_lr, auto]", "'auto' and 'layerwise_lr' both decide the learning"),
        ("strategies=[auto, auto]", "'auto' stands there 2 times"),
        ("strategies=[{name: auto, layers: 1}]", "auto.layers: unknown key"),
    ],
)
def test_what_decides_the_same_is_refused(nlpt: Run, mine: Run, given: str, says: str) -> None:
    code, out, err = nlpt("recipes", "validate", mine(), given)
    assert code == 2
    assert says in err
    assert not out


def test_python_resolves_a_recipe_and_leaves_one_alone_that_is(mine: Run) -> None:
    recipe = load_recipe(mine(strategies="auto"), ["training.learning_rate=1e-3"])
    resolved = resolve(recipe)
    assert "auto" not in [strategy.name for strategy in resolved.strategies]
    assert resolved.training.learning_rate == 1e-3
    assert resolve(resolved) is resolved
