"""`strategies: auto`, the default: what is chosen from data and checkpoint, by commands."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from interrupting import interrupted

from nlp_transfer import load_recipe, resolve
from nlp_transfer.recipe import TrainingSection
from nlp_transfer.strategies.auto_rules import Case, Facts
from nlp_transfer.strategies.auto_table import RULES, choose

pytestmark = pytest.mark.usefixtures("one_thread")

Run = Callable[..., tuple[int, str, str]]


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


def test_a_run_says_and_keeps_what_was_chosen_and_is_shown_again(
    nlpt: Run, mine: Run, ner_data: Path, opened: Counter[str]
) -> None:
    recipe = mine()
    shown = yaml.safe_load(done(nlpt("recipes", "show", recipe, "--resolved"))[0])
    opened.clear()
    _, err = done(nlpt("finetune", "--recipe", recipe, "training.epochs=1", "--output", "run"))
    files = [str(path) for path in ner_data.iterdir() if path.is_file()]
    assert [opened[file] for file in files] == [1, 1, 1], "the data is read once"
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


def test_nothing_that_waits_for_evaluations_is_chosen_where_there_are_none(
    nlpt: Run, mine: Run
) -> None:
    recipe = mine("classification")
    shown = resolved(nlpt, recipe)
    assert shown["training"]["early_stopping"]
    assert "average_checkpoints" in [one["name"] for one in shown["strategies"]]
    none = "training.arguments={eval_strategy: no, save_strategy: no}"
    shown = resolved(nlpt, recipe, none)
    assert shown["training"]["early_stopping"] is None
    assert "average_checkpoints" not in [one["name"] for one in shown["strategies"]]
    done(nlpt("finetune", "--recipe", recipe, none, "training.epochs=1", "--output", "run"))


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


def test_a_folder_that_cannot_be_used_is_told_before_the_data_is_read(nlpt: Run, mine: Run) -> None:
    Path("mine").mkdir()
    Path("mine/notes.txt").write_text("of my own", "utf-8")
    code, _, err = nlpt("finetune", "--recipe", mine(), "--output", "mine")
    assert code == 2
    assert "mine holds other things (notes.txt) and no run" in err
    assert "reading the data" not in err


# --- every command takes a recipe that leaves things to auto --------------------------------------


def test_a_dry_run_has_the_plan_of_the_run(nlpt: Run, mine: Run) -> None:
    out, err = done(nlpt("finetune", "--recipe", mine(), "--dry-run", "--json"))
    assert said(err)
    shown = resolved(nlpt, mine())
    assert json.loads(out)["strategies"] == [one["name"] for one in shown["strategies"]]
    assert not Path("runs").exists()


def test_other_tasks_learn_along_as_is_chosen_for_the_recipes_own(
    nlpt: Run, mine: Run, classification_data: Path
) -> None:
    side = {"task": "classification", "data": {"source": str(classification_data)}}
    beside = {"name": "multi_task", "side_tasks": {"topics": side}}
    recipe = mine(strategies=["auto", beside], training={"epochs": 1})
    done(nlpt("finetune", "--recipe", recipe, "--output", "run"))
    data = json.loads(Path("run/data.json").read_text("utf-8"))
    assert data["facts"]["labelled"] == "words"
    assert "facts" not in data["tasks"]["topics"]
    own = {**beside, "side_tasks": {"topics": {**side, "strategies": "auto"}}}
    code, _, err = nlpt("recipes", "validate", mine(strategies=["auto", own]))
    assert code == 2
    assert "side_tasks.topics.strategies: unknown key" in err


@pytest.mark.slow
def test_unlabelled_texts_are_labelled_by_the_round_before(nlpt: Run, mine: Run) -> None:
    Path("texts.txt").write_text("Ada Lovelace left Rome .\nAlan Turing praised Paris .\n" * 5)
    recipe = mine(training={"epochs": 10, "learning_rate": 1e-2, "early_stopping": None})
    texts = f"data.unlabelled={Path('texts.txt').absolute()}"
    surest = "strategies=[auto, {name: pseudo_labels, top_share: 0.5}]"
    assert resolved(nlpt, recipe, texts)["strategies"][0]["name"] == "pseudo_labels"
    _, err = done(nlpt("finetune", "--recipe", recipe, texts, surest, "--output", "run"))
    assert "first the round before this one" in err
    assert len(re.findall("^auto: ", err, re.MULTILINE)) == 1, "the round before is resolved"
    assert json.loads(Path("run/data.json").read_text("utf-8"))["facts"]["unlabelled"] is True


@pytest.mark.slow
def test_each_run_of_a_study_is_chosen_for_by_itself(nlpt: Run, mine: Run) -> None:
    pytest.importorskip("optuna")
    recipe = mine(training={"epochs": 1})
    done(nlpt("study", "--recipe", recipe, "--train-sizes", "12,24", "--output", "study"))
    runs = {path.name: path for path in Path("study/runs").iterdir()}
    facts = [json.loads((run / "data.json").read_text("utf-8"))["facts"] for run in runs.values()]
    assert sorted(fact["examples"] for fact in facts) == [12, 24]
    assert all("name: auto" not in (run / "recipe.yaml").read_text() for run in runs.values())
    _, err = done(nlpt("study", "--recipe", recipe, "--output", "study"))  # is shown again
    code, _, err = nlpt("study", "--recipe", recipe, "--output", "study", "strategies=full")
    assert code == 2
    assert "strategies: [{'name': 'auto'}] in the folder, [{'name': 'full'}] now" in err


@pytest.mark.slow
def test_what_a_model_of_the_same_types_knows_is_taken_over(nlpt: Run, mine: Run) -> None:
    recipe = mine(training={"epochs": 1})
    done(nlpt("finetune", "--recipe", recipe, "--output", "first"))
    start = f"model.checkpoint={Path('first').absolute()}"
    _, err = done(nlpt("finetune", "--recipe", recipe, start, "--output", "second"))
    assert "head carried over by label" in said(err)
    assert "head carried over for the labels" in err
    others = "task.types=[PER, LOC, ORG, AGE]"
    assert "carried over" in said(done(nlpt("prepare", "--recipe", recipe, start, others))[1])


@pytest.mark.slow
def test_what_pretraining_keeps_leaves_to_auto_what_it_was_left(
    nlpt: Run, mine: Run, checkpoint: Callable[..., Path]
) -> None:
    recipe = mine(pretraining={"epochs": 1}, training={"seed": 7})
    start = f"model.checkpoint={checkpoint('bert', masked_lm=True)}"
    _, err = done(nlpt("pretrain", "--recipe", recipe, start, "--output", "read"))
    assert "auto: " not in err
    kept = yaml.safe_load(Path("read/recipe.yaml").read_text("utf-8"))
    assert kept["strategies"] == [{"name": "auto"}]
    assert kept["training"] == {"seed": 7}
    _, err = done(nlpt("pretrain", "--recipe", recipe, start, "--output", "read"))
    assert "is finished" in err
    own = {**resolved(nlpt, "read"), "name": "mine"}
    assert own["training"] == resolved(nlpt, mine(training={"seed": 7}))["training"]


@pytest.mark.slow
def test_a_model_is_scored_and_data_inspected_by_a_recipe_that_is_open(
    nlpt: Run, mine: Run
) -> None:
    done(nlpt("finetune", "--recipe", mine(), "training.epochs=1", "--output", "run"))
    out, _ = done(nlpt("evaluate", "run", "--recipe", mine(), "--json"))
    known = json.loads(Path("run/metrics.json").read_text("utf-8"))["splits"]["test"]["entity"]
    assert json.loads(out)["splits"]["test"]["entity"]["overall"] == known["overall"]
    done(nlpt("inspect", "--recipe", mine()))
    old = yaml.safe_load(Path("run/recipe.yaml").read_text("utf-8"))["training"]
    _, err = done(nlpt("finetune", "--recipe", mine(), "training.epochs=2", "--output", "run",
                       "--fresh"))  # fmt: skip
    assert said(err)
    new = yaml.safe_load(Path("run/recipe.yaml").read_text("utf-8"))["training"]
    assert new == {**old, "epochs": 2}


# --- what cannot be learned -----------------------------------------------------------------------


def test_data_and_checkpoints_that_cannot_be_used_are_told_by_their_own_message(
    nlpt: Run, mine: Run, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    few = tmp_path / "few"
    few.mkdir()
    (few / "train.csv").write_text("text,label\ngood,a\nbad,b\n")
    for split in ("validation", "test"):
        (few / f"{split}.csv").write_text("text,label\n" + "".join(f"x{i},{i}\n" for i in range(9)))
    alike = tmp_path / "alike"
    shutil.copytree(few, alike)
    (alike / "train.csv").write_text("text,label\ngood,a\ngood,b\ngood,c\n")
    for key, found, says in (
        ("data.source", alike, "3 classes for 1 different texts"),
        ("data.source", tmp_path / "none", "there is no file or folder"),
        ("model.checkpoint", tmp_path / "empty", "holds neither a model (config.json) nor a run"),
        ("model.checkpoint", "some/model", "the Hub cannot be reached"),
    ):
        recipe = mine("classification", data={"source": str(few)})
        for command in ("finetune", "prepare"):
            code, _, err = nlpt(command, "--recipe", recipe, f"{key}={found}")
            assert code == 2, err
            assert says in err
        code, out, err = nlpt("recipes", "show", recipe, "--resolved", f"{key}={found}")
        assert (code, out) == (2, "")
        assert says in err
    assert not Path("runs").exists()
    # Fewer examples than classes: it is no fault of what is chosen.
    assert resolved(nlpt, mine("classification", data={"source": str(few)}))


def test_a_hub_recipe_needs_the_network(nlpt: Run) -> None:
    code, out, err = nlpt("recipes", "show", "conll2003-ner", "--resolved", "strategies=auto")
    assert (code, out) == (2, "")
    assert err.count("the Hub cannot be reached") == 1


# --- the table ------------------------------------------------------------------------------------

FACTS = st.builds(
    Facts,
    labelled=st.sampled_from(("texts", "words")),
    examples=st.integers(1, 10**6),
    labels=st.integers(0, 500),
    pieces=st.integers(0, 10**9),
    validation=st.integers(0, 10**6),
    parameters=st.integers(0, 10**9),
    layers=st.integers(0, 50),
    fine_tuned=st.booleans(),
    shared_labels=st.booleans(),
    unlabelled=st.booleans(),
)
GIVEN = st.fixed_dictionaries(
    {},
    optional={
        "epochs": st.floats(0.01, 10_000),
        "tokens_per_batch": st.integers(1, 10**9),
        "early_stopping": st.none() | st.integers(1, 9),
        "arguments": st.sampled_from([{}, {"max_grad_norm": 2}, {"max_steps": 3}]),
    },
)


@given(FACTS, GIVEN)
def test_what_is_chosen_is_valid_whatever_the_facts_and_what_is_given_stays(
    facts: Facts, said: dict[str, Any]
) -> None:
    choice = choose(facts, said)
    settings = {**choice.training, **said}
    training = TrainingSection.model_validate(settings)
    assert training.head_learning_rate is not None
    assert training.head_learning_rate > training.learning_rate
    names = [strategy.name for strategy in choice.strategies]
    assert len(names) == len(set(names))
    assert names
    arguments = choice.training.get("arguments", {})
    assert isinstance(arguments, dict)
    assert said.get("arguments", {}).items() <= arguments.items() or not arguments
    assert Facts.read(json.loads(json.dumps(facts.as_dict()))) == facts


@given(FACTS)
def test_epochs_are_raised_where_there_are_few_steps_and_only_there(facts: Facts) -> None:
    fewer, more = (choose(replace(facts, pieces=pieces), {}).training for pieces in (10**3, 10**9))
    assert float(str(fewer["epochs"])) >= float(str(more["epochs"]))


def test_no_fact_is_found_out_that_no_rule_is_for() -> None:
    wanted = {name for rule in RULES for name, _ in rule.case.wanted()}
    assert wanted == {fact.name for fact in fields(Case)}
    counts = {"labels", "pieces", "validation"}  # shares and steps are counted with them
    assert {fact.name for fact in fields(Facts)} - wanted == counts


@pytest.mark.parametrize("change", [{"labelled": "x"}, {"examples": 0}, {"pieces": 10**400},
                                    {"layers": "2"}, {"new": 1}, {"fine_tuned": 1}])  # fmt: skip
def test_facts_of_another_version_are_none(change: dict[str, object]) -> None:
    known = Facts("words", 9, 2, 99, 9, 99, 2, True, True, False).as_dict()
    assert Facts.read(known)
    assert Facts.read({**known, **change}) is None
    assert Facts.read(None) is None
