"""Damaged files of runs and caches: an equal result, or one line that names them; no other weights.

What a finished run keeps is read by every command; the caches and the files of a run that is not
finished by the next run.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from damaging import DAMAGES, change, made_by_hand, refused
from interrupting import interrupted
from safetensors.torch import load_file
from tiny import write_data, write_recipe

from nlp_transfer import UserError, export, finetune, load_recipe, merge, pretrain
from nlp_transfer.data.arrow_tables import cache_folder
from nlp_transfer.recipe.recipe import Recipe

Nlpt = Callable[..., tuple[int, str, str]]


class Run(NamedTuple):
    """A recipe and what has come of it."""

    recipe: Path
    folder: Path


@pytest.fixture(scope="module")
def finished(tmp_path_factory, data_folder, checkpoint, trained) -> Run:
    """A finished run; tests change copies of it."""
    folder = tmp_path_factory.mktemp("finished")
    recipe = write_recipe(
        folder / "tiny.yaml", task="ner", data=data_folder("ner"), checkpoint=checkpoint("bert"),
        strategy="full", training={"epochs": 1},
    )  # fmt: skip
    (folder / "texts.txt").write_text("Ada Lovelace visited Paris .\n", "utf-8")
    return Run(recipe, trained(recipe))


def commands(run: Run, folder: Path) -> dict[str, list[object]]:
    """List every command that reads a finished run."""
    texts = run.recipe.with_name("texts.txt")
    return {
        "report": ["report", folder],
        "page": ["report", folder, "--html", "page.html"],
        "predict": ["predict", folder, texts],
        "compare": ["compare", folder, run.folder, "--json"],
        "evaluate": ["evaluate", folder, "--recipe", run.recipe, "--json"],
        "finetune": ["finetune", "--recipe", run.recipe, "--output", folder],
        "again": ["finetune", "--recipe", folder, "--output", folder],
        "publish": ["publish", folder, "me/it"],
    }


READS = {
    "metrics.json": {"report", "page", "compare", "finetune", "again", "publish"},
    "model/model.safetensors": {"predict", "evaluate", "publish"},
    "model/config.json": {"predict", "evaluate", "publish"},
    "model/tokenizer.json": {"predict", "evaluate", "publish"},
    "predictions.jsonl": {"page", "compare"},
    "recipe.yaml": {"finetune", "again", "publish"},
    "data.json": {"finetune", "again"},
    "log.jsonl": {"page"},
}  # fmt: skip
"""Which commands read a file, and so are to notice."""


def damaged(run: Run, tmp_path: Path, file: str, damage: str) -> Path:
    """Copy a run, and damage a file of the copy."""
    copy = shutil.copytree(run.folder, tmp_path / "copy")
    change(copy / file, DAMAGES[damage])
    return copy


def answers(nlpt: Nlpt, run: Run, folder: Path, names: set[str]) -> dict[str, Any]:
    """Give the commands of these names; what differs by the folder's name alone is alike."""
    given = {name: nlpt(*command) for name, command in commands(run, folder).items()
             if name in names}  # fmt: skip
    return {
        name: (code, out.replace(str(folder), "RUN"), err.replace(str(folder), "RUN"))
        for name, (code, out, err) in given.items()
    }


@pytest.fixture(scope="module")
def whole_answers() -> dict[str, Any]:
    """What every command says of a whole run, as soon as a test has asked."""
    return {}


FINISHED = [
    ("model/model.safetensors", "one bit", {"predict"}),
    ("model/tokenizer.json", "garbage", {"evaluate"}),
    ("model/config.json", "half of it", {"publish"}),
    ("metrics.json", "one bit", {"report"}),
    ("predictions.jsonl", "one bit", {"compare"}),
    ("recipe.yaml", "zeros", {"finetune"}),
    ("data.json", "nothing", {"again"}),
    ("log.jsonl", "garbage", {"page"}),
]


@pytest.mark.parametrize(("file", "damage", "by"), FINISHED)
def test_a_damaged_file_of_a_finished_run_is_named(file, damage, by, finished, tmp_path, nlpt):
    copy = damaged(finished, tmp_path, file, damage)
    (answer,) = answers(nlpt, finished, copy, by).values()
    assert refused(*answer, Path(file).name, "not as it was written"), answer
    code, out, _ = nlpt("report", "--verify", copy, "--json")
    found = json.loads(out)["files"]
    assert (code, [name for name in found if found[name]["status"] == "damaged"]) == (2, [file])


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(
    "file",
    [*READS, "report.md", "report.html", "README.md", "environment.json", "manifest.json",
     "model/manifest.json", "model/tokenizer_config.json"],
)  # fmt: skip
def test_every_command_answers_as_before_or_names_the_damage(
    file, damage, finished, whole_answers, tmp_path, nlpt
):
    every = set(commands(finished, tmp_path))
    if not whole_answers:
        whole = shutil.copytree(finished.folder, tmp_path / "whole")
        whole_answers |= answers(nlpt, finished, whole, every)
    copy = damaged(finished, tmp_path, file, damage)
    for name, (code, out, err) in answers(nlpt, finished, copy, every).items():
        alike = (code, out) == whole_answers[name][:2]
        # Without its metrics.json a run is not finished, without its config.json no model is there.
        told = refused(code, out, err, "RUN" if damage == "gone" else Path(file).name)
        assert alike or told, (name, code, out, err)
        if name in READS.get(file, ()) and damage != "gone":
            assert refused(code, out, err, Path(file).name), (name, err)


def test_a_manifest_that_is_none_verifies_nothing_and_is_said(finished, tmp_path, nlpt):
    whole = nlpt(*commands(finished, finished.folder)["predict"])
    copy = damaged(finished, tmp_path, "model/manifest.json", "garbage")
    code, out, err = nlpt(*commands(finished, copy)["predict"])
    assert (code, out) == whole[:2]
    assert err.count("model/manifest.json is damaged, or not ours: nothing is verified by it") == 1


def test_a_model_that_its_owner_changes_is_used_without_its_manifest(finished, tmp_path, nlpt):
    copy = shutil.copytree(finished.folder, tmp_path / "copy")
    config = copy / "model" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "mine": 1}), "utf-8")
    predict = commands(finished, copy)["predict"]
    code, out, err = nlpt(*predict)
    hint = f"If you changed it yourself, delete {copy / 'model' / 'manifest.json'}."
    assert refused(code, out, err, hint), err
    (copy / "model" / "manifest.json").unlink()
    assert nlpt(*predict)[0] == 0


def test_a_model_is_read_for_verification_once_a_process(finished, tmp_path, nlpt, opened):
    copy = shutil.copytree(finished.folder, tmp_path / "copy")
    weights = str(copy / "model" / "model.safetensors")
    opened.clear()
    predict = commands(finished, copy)["predict"]
    assert nlpt(*predict)[0] == 0
    first = opened[weights]
    assert nlpt(*predict)[0] == 0
    assert opened[weights] - first == first - 1


# What `nlpt report --verify` says


def found_by_verify(nlpt: Nlpt, folder: Path) -> tuple[int, dict[str, str]]:
    """Return the exit code and what is found of each file."""
    code, out, _ = nlpt("report", "--verify", folder, "--json")
    found = json.loads(out)
    assert found["as_written"] == (code == 0)
    return code, {name: file["status"] for name, file in found["files"].items()}


def test_every_file_of_a_whole_run_is_as_written(finished, nlpt):
    code, found = found_by_verify(nlpt, finished.folder)
    files = (path for path in finished.folder.rglob("*") if path.is_file())
    there = {path.relative_to(finished.folder).as_posix() for path in files}
    assert (code, found.keys(), set(found.values())) == (0, there, {"as written"})
    code, out, _ = nlpt("report", "--verify", finished.folder)
    assert (code, out.count("as written")) == (0, len(there) + 1)
    assert f"{finished.folder}: {len(there)} as written." in out


def test_what_is_put_beside_a_run_is_no_damage_and_an_edited_card_is_told(finished, tmp_path, nlpt):
    copy = shutil.copytree(finished.folder, tmp_path / "copy")
    (copy / "notes.txt").write_text("mine")
    (copy / "model" / "LICENSE").write_text("mine")
    code, found = found_by_verify(nlpt, copy)
    assert (code, found["notes.txt"], found["model/LICENSE"]) == (0, "not listed", "not listed")
    (copy / "README.md").write_text("# Mine")
    assert nlpt("report", copy)[0] == 0
    code, found = found_by_verify(nlpt, copy)
    assert (code, found["README.md"]) == (2, "damaged")


def test_of_a_run_of_an_earlier_version_it_is_said_what_cannot_be_verified(
    finished, tmp_path, nlpt
):
    copy = made_by_hand(shutil.copytree(finished.folder, tmp_path / "copy"))
    code, found = found_by_verify(nlpt, copy)
    assert (code, set(found.values())) == (2, {"not verifiable"})
    assert "an earlier version wrote them" in nlpt("report", "--verify", copy)[2]
    code, out, err = nlpt("report", "--verify", copy / "model")
    assert refused(code, out, err, "no manifest.json of nlpt is in it"), err


def test_a_lost_manifest_is_seen_wherever_it_was(finished, tmp_path, nlpt):
    copy = shutil.copytree(finished.folder, tmp_path / "copy")
    (copy / "model" / "manifest.json").unlink()
    code, found = found_by_verify(nlpt, copy)
    assert (code, found["model/manifest.json"]) == (2, "damaged")
    (copy / "manifest.json").write_text("{}")
    code, found = found_by_verify(nlpt, copy)
    assert (code, found["manifest.json"], found["metrics.json"]) == (2, "damaged", "not verifiable")


def test_a_page_that_is_written_anew_is_the_runs_own(finished, tmp_path, nlpt):
    copy = shutil.copytree(finished.folder, tmp_path / "copy")
    (copy / "report.html").write_text("<!doctype html> of an earlier version")
    assert nlpt("report", copy, "--html", copy / "report.html")[0] == 0
    assert found_by_verify(nlpt, copy)[0] == 0


def test_a_run_that_is_not_finished_is_verified_as_far_as_it_has_come(cut, tmp_path, nlpt):
    run = shutil.copytree(cut.folder, tmp_path / "run")
    code, found = found_by_verify(nlpt, run)
    assert (code, found["recipe.yaml"], found["log.jsonl"]) == (0, "as written", "not listed")
    weights = next(name for name in found if name.endswith("/model.safetensors"))
    change(run / weights, DAMAGES["one bit"])
    code, found = found_by_verify(nlpt, run)
    assert (code, found[weights]) == (2, "damaged")


@pytest.mark.parametrize(
    "manifest",
    ["", "[]", "{}", '{"files": [1]}', '{"files": {"a": {"bytes": 1e999, "sha256": ""}}}',
     '{"files": {"/etc/passwd": {"bytes": 1, "sha256": ""}}}',
     '{"files": {"../a": {"bytes": 1, "sha256": ""}}}', "[" * 100_000,
     '{"files": {"a": {"bytes": "1", "sha256": ""}}}',
     '{"files": {"\\u001b[2J": {"bytes": 1, "sha256": ""}}}'],
)  # fmt: skip
def test_a_strangers_manifest_leads_nowhere(manifest, finished, tmp_path, nlpt):
    copy = shutil.copytree(finished.folder, tmp_path / "copy")
    (copy / "manifest.json").write_text(manifest)
    assert found_by_verify(nlpt, copy)[1]["manifest.json"] == "damaged"
    assert nlpt("report", copy)[0] == 0


# Models that lie elsewhere


@pytest.fixture(scope="module")
def models(tmp_path_factory, finished, tiny_bert) -> dict[str, tuple[Path, list[object]]]:
    """Name the folder of a model of each kind, and a command that reads it."""
    folder, texts = tmp_path_factory.mktemp("models"), finished.recipe.with_name("texts.txt")
    side = {"task": {"name": "ner"}, "data": {"source": str(finished.recipe.parent / "side")}}
    write_data(finished.recipe.parent / "side", "ner")
    told = {"lora": {"name": "lora", "rank": 2},
            "side": {"name": "multi_task", "side_tasks": {"names": side}}}  # fmt: skip
    for name, strategy in told.items():
        recipe = load_recipe(str(finished.recipe), [f"strategies=[{json.dumps(strategy)}]"])
        finetune(recipe, output=folder / name)
    exported = shutil.copytree(finished.folder, folder / "exported")
    export(exported)
    merge([finished.folder, exported], folder / "merged")
    read = folder / "read.txt"
    read.write_text("Ada Lovelace visited Paris .\n" * 8, "utf-8")
    told_to_read = [f"pretraining.texts={read}", "pretraining.epochs=1"]
    pretrain(load_recipe(str(finished.recipe), told_to_read), output=folder / "pretrained")
    fine = ["finetune", "--recipe", finished.recipe, "--output", "out", "--dry-run"]
    return {
        "adapter": (folder / "lora" / "adapter",
                    ["predict", tiny_bert, texts, "--adapter", folder / "lora"]),
        "side": (folder / "side" / "tasks" / "names",
                 ["predict", folder / "side" / "tasks" / "names", texts]),
        "onnx": (exported / "onnx", ["predict", exported, texts, "--engine", "onnx"]),
        "merged": (folder / "merged", ["predict", folder / "merged", texts]),
        "pretrained": (folder / "pretrained" / "model",
                       [*fine, f"model.checkpoint={folder / 'pretrained'}"]),
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["adapter", "side", "onnx", "merged", "pretrained"])
def test_a_model_of_every_kind_is_verified_where_it_is_used(kind, models, nlpt):
    folder, command = models[kind]
    run = folder if kind == "merged" else folder.parents[1 if kind == "side" else 0]
    assert found_by_verify(nlpt, run)[0] == 0
    assert nlpt(*command)[0] == 0
    weights = next(path for path in folder.iterdir() if path.suffix in (".onnx", ".safetensors"))
    content = weights.read_bytes()
    change(weights, DAMAGES["one bit"])
    code, out, err = nlpt(*command)
    assert refused(code, out, err, folder, f"{weights.name} holds other bytes"), err
    code, found = found_by_verify(nlpt, run)
    assert (code, found[weights.relative_to(run).as_posix()]) == (2, "damaged")
    weights.write_bytes(content)


# What is kept for later runs


def prepared(nlpt: Nlpt, recipe: Path) -> tuple[dict[str, Any], str]:
    """Prepare the data of a recipe; return what is said of it as JSON, and the log."""
    code, out, err = nlpt("prepare", "--recipe", recipe, "--json")
    assert code == 0, err
    return json.loads(out), err


def test_a_damaged_cache_is_said_and_made_anew(finished, tmp_path, nlpt, monkeypatch):
    monkeypatch.setenv("NLPT_CACHE", str(tmp_path / "cache"))
    whole, _ = prepared(nlpt, finished.recipe)
    (folder, *_) = sorted((cache_folder() / "prepared").iterdir())
    content = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert len(content) == 3
    cases = [(name, damage) for name in ("windows-00000.arrow", "ledger.json")
             for damage in ("half of it", "one bit", "zeros", "gone")]  # fmt: skip
    for name, damage in [*cases, ("manifest.json", "garbage")]:
        change(folder / name, DAMAGES[damage])
        found, err = prepared(nlpt, finished.recipe)
        assert found == whole
        said = [line for line in err.splitlines() if "damaged" in line]
        assert len(said) == 1, err
        assert f"{folder} is damaged ({name} " in said[0]
        assert said[0].endswith("): made anew")
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == content
    assert "damaged" not in prepared(nlpt, finished.recipe)[1]


def weights(run: Path) -> dict[str, Any]:
    return load_file(run / "model" / "model.safetensors")


def same_weights(one: Path, other: Path) -> bool:
    ours, theirs = weights(one), weights(other)
    return ours.keys() == theirs.keys() and all(ours[name].equal(theirs[name]) for name in ours)


def test_a_run_learns_the_same_from_a_damaged_cache(finished, tmp_path, nlpt, monkeypatch):
    monkeypatch.setenv("NLPT_CACHE", str(tmp_path / "cache"))
    prepared(nlpt, finished.recipe)
    (file, *_) = sorted((cache_folder() / "prepared").glob("*/*.arrow"))
    change(file, DAMAGES["one bit"])
    _, err = nlpt("finetune", "--recipe", finished.recipe, "--output", "run")[1:]
    assert f"{file.parent} is damaged ({file.name} holds other bytes than were written)" in err
    assert same_weights(Path("run"), finished.folder)
    assert "damaged" not in prepared(nlpt, finished.recipe)[1]


# Runs that are not finished


class Cut(NamedTuple):
    """A recipe, its finished run, and one that was stopped in the last of its three epochs."""

    recipe: Recipe
    whole: Path
    folder: Path


@pytest.fixture(scope="module")
def cut(tmp_path_factory, data_folder, checkpoint) -> Cut:
    folder = tmp_path_factory.mktemp("cut")
    kept = {"name": "average_checkpoints", "count": 2, "only_if_better": False}
    path = write_recipe(
        folder / "tiny.yaml", task="ner", data=data_folder("ner"), checkpoint=checkpoint("bert"),
        strategy=["full", kept], training={"epochs": 3, "tokens_per_batch": 400},
    )  # fmt: skip
    recipe = load_recipe(str(path))
    steps = finetune(recipe, output=folder / "whole").training["steps"]
    with interrupted(at_step=int(steps) - 1), pytest.raises(KeyboardInterrupt):
        finetune(recipe, output=folder / "run")
    return Cut(recipe, folder / "whole", folder / "run")


def logged(run: Path) -> list[dict[str, Any]]:
    """Read log.jsonl, but for what is of the last start: times, and the mean loss since then."""
    lines = map(json.loads, (run / "log.jsonl").read_text("utf-8").splitlines())
    of_start = ("seconds", "runtime", "per_second", "flos", "train_loss")
    return [{key: value for key, value in line.items() if not any(part in key for part in of_start)}
            for line in lines]  # fmt: skip


def test_the_log_of_a_resumed_run_is_that_of_its_checkpoint(cut, tmp_path):
    run = shutil.copytree(cut.folder, tmp_path / "run")
    change(run / "log.jsonl", DAMAGES["garbage"])
    finetune(cut.recipe, output=run)
    assert same_weights(run, cut.whole)
    assert logged(run) == logged(cut.whole)


@pytest.mark.parametrize("damage", ["one bit", pytest.param("gone", marks=pytest.mark.slow)])
def test_a_run_goes_back_before_weights_that_are_lost(damage, cut, tmp_path, caplog):
    run = shutil.copytree(cut.folder, tmp_path / "run")
    kept = (run / "checkpoints" / "averaging").glob("step-*")
    step, newest = max((int(path.stem.removeprefix("step-")), path) for path in kept)
    change(newest, DAMAGES[damage])
    finetune(cut.recipe, output=run)
    assert f"checkpoint-{step} is damaged (averaging/{newest.name} beside it" in caplog.text
    assert same_weights(run, cut.whole)


OF_AN_UNFINISHED_RUN = [
    (file, damage)
    for file in ("recipe.yaml", "data.json", "environment.json", "log.jsonl", "manifest.json")
    for damage in DAMAGES
]
FAST = [("recipe.yaml", "one bit"), ("recipe.yaml", "gone"), ("data.json", "zeros")]


def _goes_on_or_is_named(cut: Cut, tmp_path: Path, file: str, damage: str) -> None:
    run = shutil.copytree(cut.folder, tmp_path / "run")
    change(run / file, DAMAGES[damage])
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    said = ""
    try:
        finetune(cut.recipe, output=run)
    except UserError as error:
        said = str(error)
    if said:
        place, name = (run / file).parent, Path(file).name
        assert (str(place) in said, name in said, "\n" in said) == (True, True, False), said
        assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
        assert file in ("recipe.yaml", "data.json") or file.startswith("earlier-round/")
        return
    assert same_weights(run, cut.whole)
    assert logged(run) == logged(cut.whole)


@pytest.mark.parametrize(("file", "damage"), FAST)
def test_a_damaged_file_of_an_unfinished_run(file, damage, cut, tmp_path):
    _goes_on_or_is_named(cut, tmp_path, file, damage)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "damage"), [case for case in OF_AN_UNFINISHED_RUN if case not in FAST]
)
def test_any_damaged_file_of_an_unfinished_run(file, damage, cut, tmp_path):
    _goes_on_or_is_named(cut, tmp_path, file, damage)


@pytest.fixture(scope="module")
def taught(tmp_path_factory, finished) -> Cut:
    """A run that a round before it has taught, stopped in its own last epoch."""
    folder = tmp_path_factory.mktemp("taught")
    strategy = {"name": "pseudo_labels", "teacher": str(finished.folder), "threshold": 0,
                "texts": str(finished.recipe.with_name("texts.txt")), "rounds": 2}  # fmt: skip
    told = [f"strategies=[full, {json.dumps(strategy)}]", "training.epochs=2"]
    recipe = load_recipe(str(finished.recipe), told)
    steps = int(finetune(recipe, output=folder / "whole").training["steps"])
    with interrupted(at_step=2 * steps - 1), pytest.raises(KeyboardInterrupt):
        finetune(recipe, output=folder / "run")
    assert list((folder / "run" / "checkpoints").glob("checkpoint-*"))
    return Cut(recipe, folder / "whole", folder / "run")


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["one bit", "half of it", "gone"])
@pytest.mark.parametrize(
    "file",
    ["metrics.json", "recipe.yaml", "data.json", "manifest.json", "predictions.jsonl",
     "model/model.safetensors", "model/tokenizer.json", "model/manifest.json"],
)  # fmt: skip
def test_a_damaged_file_of_the_round_before(file, damage, taught, tmp_path):
    _goes_on_or_is_named(taught, tmp_path, f"earlier-round/{file}", damage)


@pytest.mark.slow
def test_a_run_that_ended_before_its_figures_were_written_is_done_again(finished, tmp_path, nlpt):
    copy = shutil.copytree(finished.folder, tmp_path / "copy")
    (copy / "metrics.json").unlink()
    code, _, err = nlpt(*commands(finished, copy)["finetune"])
    assert code == 0, err
    assert "metrics.json is gone, so the run is done again" in err
    assert same_weights(copy, finished.folder)


@pytest.mark.slow
def test_a_run_that_has_lost_its_recipe_starts_over_when_told_to(cut, tmp_path):
    run = shutil.copytree(cut.folder, tmp_path / "run")
    (run / "recipe.yaml").unlink()
    finetune(cut.recipe, output=run, fresh=True)
    assert same_weights(run, cut.whole)
