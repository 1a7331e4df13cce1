"""Checkpoints of a run are whole or not there: damaged ones are passed over, and it is said."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from damaging import DAMAGES, change
from interrupting import interrupted
from safetensors.torch import load_file
from scripted import scripted

from nlp_transfer import finetune, load_recipe
from nlp_transfer.manifest import MANIFEST
from nlp_transfer.runs.run_folder import RunFolder


@pytest.fixture(scope="module")
def runs(tmp_path_factory, data_folder, checkpoint):
    """Return a recipe, a run of it, and one that was stopped after two of its three epochs."""
    from tiny import write_recipe

    folder = tmp_path_factory.mktemp("runs")
    recipe = write_recipe(
        folder / "tiny.yaml", task="ner", data=data_folder("ner"), checkpoint=checkpoint("bert"),
        strategy="full", training={"epochs": 3, "tokens_per_batch": 400},
    )  # fmt: skip
    loaded = load_recipe(str(recipe))
    whole, cut = folder / "whole", folder / "cut"
    steps = finetune(loaded, output=whole).training["steps"]
    with interrupted(at_step=steps - 1), pytest.raises(KeyboardInterrupt):
        finetune(loaded, output=cut)
    assert len(list((cut / "checkpoints").glob("checkpoint-*"))) == 2
    return loaded, whole, cut


def copied(run: Path, folder: Path) -> RunFolder:
    return RunFolder(shutil.copytree(run, folder / "copied"))


def oldest_and_newest(run: RunFolder) -> tuple[Path, Path]:
    oldest, newest = sorted(
        run.checkpoints.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2])
    )
    return oldest, newest


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damage_of_every_file_is_seen_and_said(runs, tmp_path, caplog, damage):
    run = copied(runs[2], tmp_path)
    oldest, newest = oldest_and_newest(run)
    assert run.last_checkpoint() == newest
    for file in sorted(newest.iterdir()):
        content = file.read_bytes()
        change(file, DAMAGES[damage])
        caplog.clear()
        assert run.last_checkpoint() == oldest, file.name
        # One bit of the manifest may make it say something else of another file.
        named = "" if file.name == MANIFEST else f"{file.name} "
        assert f"{newest} is damaged ({named}" in caplog.text
        file.write_bytes(content)
    assert run.last_checkpoint() == newest


def test_a_run_goes_on_from_the_one_before_to_the_same_weights(runs, tmp_path, caplog):
    recipe, whole, cut = runs
    run = copied(cut, tmp_path)
    _, newest = oldest_and_newest(run)
    change(newest / "optimizer.pt", DAMAGES["one bit"])
    finetune(recipe, output=run.path)
    assert f"{newest} is damaged (optimizer.pt holds other bytes than were written)" in caplog.text
    same = load_file(whole / "model" / "model.safetensors")
    found = load_file(run.path / "model" / "model.safetensors")
    assert all(found[name].equal(tensor) for name, tensor in same.items())


def test_a_copy_under_a_name_of_ones_own_ends_no_run(runs, tmp_path):
    recipe, _, cut = runs
    run = copied(cut, tmp_path)
    _, newest = oldest_and_newest(run)
    shutil.copytree(newest, run.checkpoints / "checkpoint-mine")
    assert run.last_checkpoint() == newest
    finetune(recipe, output=run.path)
    assert run.state() == "finished"


def test_a_moved_run_ends_with_its_best_weights(runs, tmp_path, monkeypatch):
    recipe, whole, cut = runs
    monkeypatch.chdir(tmp_path)
    run = copied(cut, tmp_path)
    shutil.move(run.path, "elsewhere")
    finetune(recipe, output="elsewhere")
    same = load_file(whole / "model" / "model.safetensors")
    found = load_file(Path("elsewhere", "model", "model.safetensors"))
    assert all(found[name].equal(tensor) for name, tensor in same.items())


def test_a_checkpoint_counts_only_with_the_best_one_until_then(tmp_path, tiny_recipe, caplog):
    run = RunFolder(tmp_path / "run")
    path = tiny_recipe(training={"epochs": 3, "tokens_per_batch": 5000})  # a step an epoch
    with interrupted(at_step=2), pytest.raises(KeyboardInterrupt):
        finetune(scripted(path, [0.9, 0.2, 0.5]), output=run.path)
    oldest, newest = oldest_and_newest(run)
    assert run.last_checkpoint() == newest
    change(oldest / "model.safetensors", DAMAGES["one bit"])
    assert run.last_checkpoint() is None
    assert f"{newest} is damaged (of {oldest.name}, the best until then: model" in caplog.text


def test_what_was_being_written_is_no_checkpoint(runs, tmp_path):
    run = copied(runs[2], tmp_path)
    oldest, newest = oldest_and_newest(run)
    (run.checkpoints / ".saving").mkdir()
    newest.rename(run.checkpoints / ".saving" / newest.name)
    assert run.last_checkpoint() == oldest


def test_no_checkpoint_is_left_half_written(tmp_path, tiny_recipe, monkeypatch):
    """The disk is full at the last file of the second one."""
    import torch

    saved, kept = [], torch.save

    def full(value, path, *rest, **more):
        if Path(path).name.startswith("rng_state"):
            saved.append(path)
            if len(saved) == 2:
                raise OSError(28, "No space left on device")
        kept(value, path, *rest, **more)

    monkeypatch.setattr(torch, "save", full)
    recipe = load_recipe(str(tiny_recipe(training={"epochs": 3})))
    with pytest.raises(Exception, match="full"):
        finetune(recipe, output=tmp_path / "run")
    run = RunFolder(tmp_path / "run")
    (only,) = run.checkpoints.glob("checkpoint-*")
    assert run.last_checkpoint() == only
    assert (only / MANIFEST).is_file()
