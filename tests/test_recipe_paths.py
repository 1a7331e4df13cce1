"""A run works from any folder; a path that leads nowhere is called that, never asked of the Hub."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from damaging import made_by_hand

from nlp_transfer import UserError, finetune, load_recipe
from nlp_transfer.recipe.yaml_reader import read_yaml
from nlp_transfer.strategies.any_recipe import AnyRecipe

Run = Callable[..., tuple[int, str, str]]

RECIPE = """\
name: mine
task: ner
data: {source: mydata}
model: {checkpoint: start, max_pieces: 64}
strategies: full
training: {epochs: 1, arguments: {max_steps: 2}}
evaluation: {splits: test, bootstrap: 100}
"""


@pytest.fixture
def project(tmp_path: Path, ner_data: Path, tiny_bert: Path) -> Path:
    """Return a folder with data, a checkpoint and a recipe that names them as its neighbours."""
    folder = tmp_path / "project"
    shutil.copytree(ner_data, folder / "mydata")
    shutil.copytree(tiny_bert, folder / "start")
    (folder / "mine.yaml").write_text(RECIPE)
    return folder


def _refusal(*overrides: str, name: str = "mine.yaml") -> str:
    with pytest.raises(UserError) as caught:
        finetune(load_recipe(name, overrides), output="never")
    assert not Path("never").exists()
    return str(caught.value)


# --- runs from any folder -------------------------------------------------------------------------


def test_a_run_works_from_any_folder(nlpt: Run, project: Path, monkeypatch, tmp_path: Path) -> None:
    elsewhere = Path.cwd()
    monkeypatch.chdir(project)
    code, out, err = nlpt("finetune", "-r", "mine.yaml", "-o", "runs/mine", "--json")
    assert code == 0, err
    stored, _ = read_yaml(Path("runs/mine/recipe.yaml").read_text(), "recipe.yaml")
    assert stored["data"]["source"] == str(project / "mydata")
    assert stored["model"]["checkpoint"] == str(project / "start")
    monkeypatch.chdir(elsewhere)
    run = project / "runs" / "mine"
    code, again, err = nlpt("evaluate", run, "-r", run, "--json")
    assert code == 0, err
    splits = [json.loads(text)["splits"]["test"]["entity"] for text in (out, again)]
    assert splits[0] == splits[1]
    code, _, err = nlpt("finetune", "-r", run, "-o", run)
    assert "is finished" in err
    code, third, err = nlpt("finetune", "-r", run, "-o", "anew", "--json")
    assert code == 0, err
    assert json.loads(third)["splits"]["test"]["entity"] == splits[0]


def test_a_recipe_finds_its_neighbours_from_any_folder(project: Path, monkeypatch) -> None:
    monkeypatch.chdir(project.parent)
    recipe = load_recipe("project/mine.yaml")
    assert recipe.data.source == str(project / "mydata")
    assert recipe.model.checkpoint == str(project / "start")


def test_the_working_folder_goes_before_the_recipes(project: Path, monkeypatch) -> None:
    (project.parent / "mydata").mkdir()
    monkeypatch.chdir(project.parent)
    assert load_recipe("project/mine.yaml").data.source == str(project.parent / "mydata")


@pytest.mark.parametrize("how", [shutil.move, shutil.copytree])
def test_a_moved_project_goes_on_with_its_own_run(project: Path, monkeypatch, how) -> None:
    monkeypatch.chdir(project)
    finetune(load_recipe("mine.yaml"), output="runs/mine")
    monkeypatch.chdir(project.parent)
    how(project, project.parent / "other")
    monkeypatch.chdir(project.parent / "other")
    finetune(load_recipe("mine.yaml"), output="runs/mine")  # finished; not another recipe
    again = load_recipe("runs/mine")
    assert again.data.source == str(project.parent / "other" / "mydata")
    assert again.model.checkpoint == str(project.parent / "other" / "start")
    with pytest.raises(UserError, match="different recipe"):
        finetune(load_recipe("mine.yaml", ["training.epochs=2"]), output="runs/mine")


def test_a_run_folder_that_moves_alone_finds_its_data(project: Path, monkeypatch) -> None:
    monkeypatch.chdir(project)
    finetune(load_recipe("mine.yaml"), output="runs/mine")
    away = project.parent / "away" / "from" / "home"
    shutil.move(project / "runs" / "mine", away)
    assert load_recipe(str(away)).data.source == str(project / "mydata")


def test_a_run_of_an_earlier_version_goes_on(project: Path, monkeypatch) -> None:
    monkeypatch.chdir(project)
    finetune(load_recipe("mine.yaml"), output="runs/mine")
    stored = made_by_hand(Path("runs/mine")) / "recipe.yaml"
    text = stored.read_text().replace(f"{project}/", "")  # as they were kept once
    stored.write_text(text.replace("  allow_random: false\n", ""))  # a key that is new
    environment = json.loads(Path("runs/mine/environment.json").read_text())
    del environment["folder"]
    Path("runs/mine/environment.json").write_text(json.dumps(environment))
    finetune(load_recipe("mine.yaml"), output="runs/mine")


def test_every_path_of_a_recipe_is_kept_absolute(project: Path, monkeypatch) -> None:
    monkeypatch.chdir(project)
    for name in ("texts.txt", "names.tsv", "extra.conll"):
        Path(name).write_text("x\n")
    Path("teacher").mkdir()
    recipe = load_recipe(
        "mine.yaml",
        [
            "pretraining.texts=texts.txt",
            "data.splits={train: train.conll, test: extra.conll+test.conll, validation: dev}",
            "strategies=[{name: pseudo_labels, teacher: teacher, texts: texts.txt}, "
            "{name: gazetteer, dictionary: names.tsv, texts: ./texts.txt}, "
            "{name: interpolate, source: teacher}, {name: multi_task, side_tasks: {a: "
            "{task: ner, data: {source: mydata}}}}]",
        ],
    )
    by_name = {strategy.name: strategy for strategy in recipe.strategies}
    pseudo, gazetteer = by_name["pseudo_labels"], by_name["gazetteer"]
    interpolate, multi_task = by_name["interpolate"], by_name["multi_task"]
    assert recipe.pretraining.texts == pseudo.texts == gazetteer.texts == str(project / "texts.txt")
    assert pseudo.teacher == interpolate.source == str(project / "teacher")
    assert gazetteer.dictionary == str(project / "names.tsv")
    assert multi_task.side_tasks["a"].data.source == str(project / "mydata")
    assert recipe.data.splits == {
        "train": "train.conll",
        "test": f"{project / 'extra.conll'}+test.conll",
        "validation": "dev",
    }


def test_what_is_no_path_stays_as_it_is(project: Path, monkeypatch) -> None:
    monkeypatch.chdir(project)
    for source in ("owner/data", "imdb", "samples/newsroom", "my_module:load"):
        changed = load_recipe("mine.yaml", [f"data.source={source}", "model.checkpoint=a/b-c_d.e"])
        assert changed.data.source == source
        assert changed.model.checkpoint == "a/b-c_d.e"


def test_a_recipe_made_in_python_is_kept_rerunnable(project: Path, monkeypatch) -> None:
    monkeypatch.chdir(project)
    value, _ = read_yaml(RECIPE, "here")
    finetune(AnyRecipe.model_validate(value), output="runs/mine")
    monkeypatch.chdir(project.parent)
    assert load_recipe("project/runs/mine").data.source == str(project / "mydata")


# --- paths that lead nowhere ----------------------------------------------------------------------


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail whoever asks the Hub."""
    import huggingface_hub

    def asked(*_: Any, **__: Any) -> None:
        raise AssertionError("the Hub was asked")

    monkeypatch.setattr(huggingface_hub.HfApi, "repo_info", asked)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("data.source=mydta/train.conll", "Did you mean 'mydata/train.conll'?"),
        ("data.source=mydata/trian.conll", "Did you mean 'mydata/train.conll' or"),
        ("data.source=./mydat", "Did you mean 'mydata'?"),
        ("data.source=MYDATA/", "Did you mean 'mydata'?"),
        ("data.source=mydata/trian", "there is no file or folder 'mydata/trian'"),
        ("data.source=train.csv", "there is no file or folder 'train.csv'"),
        ("data.source=texts.zip", "there is no file or folder 'texts.zip'"),
        ("data.source=/nowhere/at/all", "there is no file or folder '/nowhere/at/all'"),
        ("data.source=~/nowhere/x", "there is no file or folder '~/nowhere/x'"),
        ("data.source=~nobody/x", "there is no file or folder '~nobody/x'"),
        ("data.source=a/b/c", "there is no file or folder 'a/b/c'"),
        ("data.source=my data", "there is no file or folder 'my data'"),
        ("data.source=mydata\\train.conll", "Did you mean 'mydata/train.conll'?"),
        ("data.source=C:\\data\\train.conll", "no file or folder 'C:\\data\\train.conll' in"),
        ("data.source='C:/data/train.conll'", "It is written as on Windows"),
        ("data.source=\\\\server\\share\\x.csv", "here / separates folders"),
        ("model.checkpoint=./strat", "Did you mean 'start'?"),
        ("model.checkpoint=start/modell", "there is no model folder 'start/modell'"),
        ("model.checkpoint=runs/nothing", "there is no model folder 'runs/nothing'"),
        ("model.checkpoint=C:\\models\\bert", "It is written as on Windows"),
        ("strategies=[{name: distillation, teacher: ./nowhere}]", "teacher: there is no model"),
        (
            "strategies=[{name: pseudo_labels, teacher: start, texts: owner/texts}]",
            "texts: there is",
        ),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="is about other systems")
def test_a_path_that_leads_nowhere_is_called_that(
    project: Path, monkeypatch, no_hub: None, override: str, words: str
) -> None:
    monkeypatch.chdir(project)
    message = _refusal(override)
    assert words in message
    assert "Hub" not in message


def test_all_paths_that_lead_nowhere_are_told_at_once(project: Path, monkeypatch, no_hub) -> None:
    monkeypatch.chdir(project)
    message = _refusal("data.source=./a", "model.checkpoint=./b", "pretraining.texts=c")
    assert message.startswith("The recipe has 3 faults:")


@pytest.mark.parametrize(
    "model", ["runs/mien", "./nowhere", "mydata/x", "C:\\runs\\x", "a b", "~nobody/x"]
)
def test_a_wrong_model_path_is_called_that(nlpt: Run, no_hub: None, model: str) -> None:
    Path("runs/mine").mkdir(parents=True)
    Path("mydata").mkdir()
    Path("texts.txt").write_text("x\n")
    code, _, err = nlpt("predict", model, "texts.txt")
    assert code == 2
    assert f"there is no model folder '{model}'" in err
    assert ("Did you mean 'runs/mine'?" in err) == (model == "runs/mien")


def test_a_name_that_may_be_on_the_hub_is_told_with_what_lies_here(
    project: Path, monkeypatch
) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    message = _refusal("data.source=mydaat")
    assert "there is no file or folder 'mydaat' here" in message
    assert "Did you mean 'mydata'?" in message


def test_a_backslash_in_yaml_is_told_with_the_way_out(project: Path) -> None:
    (project / "mine.yaml").write_text(RECIPE.replace("mydata", '"C:\\data\\train.conll"'))
    with pytest.raises(UserError, match=r"mine\.yaml:3:.*a backslash in .* write '\.\.\.' instead"):
        load_recipe(str(project / "mine.yaml"))


def test_the_hint_to_train_a_run_leads_to_a_recipe(project: Path, monkeypatch, no_hub) -> None:
    monkeypatch.chdir(project)
    message = _refusal(name="quickstart-ner-student")
    assert "Train it with `nlpt finetune --recipe quickstart-ner`." in message
    load_recipe("quickstart-ner")
