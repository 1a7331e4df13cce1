"""`strategies: auto`, the default: what is chosen from data and checkpoint, by commands."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from interrupting import interrupted

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


def resolved(nlpt: Run, recipe: str, *overrides: str) -> dict[str, Any]:
    """Return what `nlpt recipes show --resolved` prints."""
    out, err = done(nlpt("recipes", "show", recipe, "--resolved", *overrides))
    assert said(err)
    return dict(yaml.safe_load(out))


def test_a_key_that_is_given_is_not_overruled_wherever_it_stands(nlpt: Run, mine: Run) -> None:
    chosen = resolved(nlpt, mine())["training"]
    assert chosen["learning_rate"] != 5e-5
    in_file = mine(training={"learning_rate": 5e-5, "arguments": {"max_grad_norm": 0.5}})
    shown = resolved(nlpt, in_file, "training.tokens_per_batch=2048")
    given = {"learning_rate": 5e-5, "tokens_per_batch": 2048, "arguments": {"max_grad_norm": 0.5}}
    assert shown["training"] == {**chosen, **given}, "defaults that are said are said"
    assert resolved(nlpt, mine(), "training.head_learning_rate=null")["training"] == {
        **chosen,
        "head_learning_rate": None,
    }


def test_strategies_beside_it_stay_and_take_the_place_of_what_it_chooses(
    nlpt: Run, mine: Run
) -> None:
    mean = {"name": "average_checkpoints", "count": 2}
    both = resolved(nlpt, mine(strategies=[mean, "auto"]))["strategies"]
    alone = resolved(nlpt, mine())["strategies"]
    assert [one for one in both if one["name"] != "average_checkpoints"] == alone
    # Layers that start anew must learn: what keeps them from it is left out.
    anew = resolved(nlpt, mine(strategies="auto,reinit"))["strategies"]
    assert "frozen" not in [one["name"] for one in anew]
    assert {"name": "reinit", "layers": 1} in anew


def test_a_large_validation_split_is_scored_less_often(
    nlpt: Run, mine: Run, ner_data: Path
) -> None:
    swapped = {"train": "validation.conll", "validation": "train.conll"}
    recipe = mine(data={"source": str(ner_data), "splits": swapped})
    often = resolved(nlpt, recipe, "training.epochs=100")["training"]["arguments"]
    assert often["eval_strategy"] == often["save_strategy"] == "steps"
    assert 5 <= 1 / often["eval_steps"] <= 10
    mixed = resolved(nlpt, recipe, "training.arguments.max_grad_norm=2")["training"]["arguments"]
    assert mixed == {"max_grad_norm": 2, **often}
    own = resolved(nlpt, recipe, "training.arguments.max_steps=30")["training"]["arguments"]
    assert own == {"max_steps": 30}
    assert not resolved(nlpt, recipe, "training.epochs=1")["training"]["arguments"]
    done(nlpt("finetune", "--recipe", recipe, "training.epochs=9", "--output", "run"))
    lines = map(json.loads, Path("run/log.jsonl").read_text("utf-8").splitlines())
    assert 5 <= sum("eval_score" in line for line in lines) <= 10


def test_a_small_and_a_large_checkpoint_learn_at_other_rates(
    nlpt: Run, mine: Run, tiny_bert: Path, tmp_path: Path
) -> None:
    """Its size is told from its configuration: no weights are there."""
    base = tmp_path / "base"
    shutil.copytree(tiny_bert, base, ignore=shutil.ignore_patterns("*.safetensors"))
    config = json.loads((base / "config.json").read_text("utf-8"))
    sizes = {"hidden_size": 768, "num_hidden_layers": 12, "intermediate_size": 3072}
    (base / "config.json").write_text(json.dumps({**config, **sizes}), "utf-8")
    large = f"model.checkpoint={base}"
    out, err = done(nlpt("recipes", "show", mine(), "--resolved", large))
    assert "48 sentences, 85 M parameters: " in said(err)
    small = resolved(nlpt, mine())["training"]["learning_rate"]
    assert yaml.safe_load(out)["training"]["learning_rate"] < small
    _, err = done(nlpt("recipes", "show", mine(), "--resolved", large, "model.layers=6"))
    assert "43 M parameters" in said(err)


def test_a_run_goes_on_as_it_began(nlpt: Run, mine: Run, tmp_path: Path, ner_data: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(ner_data, data)
    recipe = mine(data={"source": str(data)}, training={"arguments": {"max_steps": 3}})
    with interrupted(at_step=1):
        code, _, err = nlpt("finetune", "--recipe", recipe, "--output", "run")
    assert code != 0
    kept = Path("run/recipe.yaml").read_text("utf-8")
    _, err = done(nlpt("finetune", "--recipe", recipe, "--output", "run"))
    assert said(err)
    assert Path("run/recipe.yaml").read_text("utf-8") == kept
    # Other data would be chosen for otherwise; what is wrong is the data, not the recipe.
    train = data / "train.conll"
    text = train.read_text("utf-8")
    train.write_text(text * 60, "utf-8")
    code, _, err = nlpt("finetune", "--recipe", recipe, "--output", "run")
    assert code == 2
    assert "train split: 48 examples then, 2,880 now" in err
    assert "different recipe" not in err
    train.unlink()
    _, err = done(nlpt("finetune", "--recipe", recipe, "--output", "run"))
    assert "run is finished; not compared with its data, which cannot be read now" in err
    train.write_text(text * 60, "utf-8")
    _, err = done(nlpt("finetune", "--recipe", recipe, "--output", "run", "--dry-run", "--json"))


def test_a_folder_that_cannot_be_used_is_told_before_the_data_is_read(nlpt: Run, mine: Run) -> None:
    Path("mine").mkdir()
    Path("mine/notes.txt").write_text("of my own", "utf-8")
    code, _, err = nlpt("finetune", "--recipe", mine(), "--output", "mine")
    assert code == 2
    assert "mine holds other things (notes.txt) and no run" in err
    assert "reading the data" not in err
