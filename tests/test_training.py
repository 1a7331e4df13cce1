"""Training: the batches, the same weights however a run is cut up, and the run folder."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from interrupting import interrupted, watched_weights
from safetensors.torch import load_file
from scripted import scripted
from steps import built
from tiny import FAMILIES, TRAINED_HEAD, tagged_sentences, write_conll, write_data
from torch import nn

from nlp_transfer import finetune, load_recipe
from nlp_transfer.errors import UserError
from nlp_transfer.runs.run_folder import RunFolder
from nlp_transfer.tasks.classification.task import ClassificationTask
from nlp_transfer.tasks.ner.task import NerTask
from nlp_transfer.tasks.objective import IGNORED, Objective
from nlp_transfer.training.batching import TokenBatchSampler
from nlp_transfer.training.trainer import TrainingWindows

pytestmark = pytest.mark.usefixtures("one_thread")

Recipes = Callable[..., Path]
Checkpoints = Callable[..., Path]

# Imports and a busy machine are not what these properties are about.
settings.register_profile("quick", deadline=None, max_examples=60)
settings.load_profile("quick")

lengths_lists = st.lists(st.integers(1, 80), min_size=1, max_size=60)
budgets = st.integers(1, 300)
seeds = st.integers(0, 2**32 - 1)


# Batches


@given(lengths_lists, budgets, seeds, st.integers(0, 5))
def test_every_window_is_read_exactly_once_an_epoch(
    lengths: list[int], budget: int, seed: int, epoch: int
) -> None:
    sampler = TokenBatchSampler(lengths, tokens_per_batch=budget, seed=seed)
    sampler.set_epoch(epoch)
    assert sorted(i for batch in sampler for i in batch) == list(range(len(lengths)))


@given(lengths_lists, budgets, seeds)
def test_padded_batch_fits_the_budget_unless_it_is_one_window(
    lengths: list[int], budget: int, seed: int
) -> None:
    sampler = TokenBatchSampler(lengths, tokens_per_batch=budget, seed=seed)
    for batch in sampler.global_batches(0):
        assert len(batch) == 1 or max(lengths[i] for i in batch) * len(batch) <= budget


def _ranks(
    lengths: list[int], budget: int, seed: int, processes: int, accumulation: int
) -> list[TokenBatchSampler]:
    return [
        TokenBatchSampler(
            lengths,
            tokens_per_batch=budget,
            seed=seed,
            processes=processes,
            rank=rank,
            accumulation=accumulation,
        )
        for rank in range(processes)
    ]


@given(lengths_lists, budgets, seeds, st.integers(0, 3), st.integers(1, 3), st.integers(1, 4))
def test_processes_and_accumulation_share_the_same_global_batches(
    lengths: list[int], budget: int, seed: int, epoch: int, processes: int, accumulation: int
) -> None:
    alone = TokenBatchSampler(lengths, tokens_per_batch=budget, seed=seed)
    ranks = _ranks(lengths, budget, seed, processes, accumulation)
    for sampler in (alone, *ranks):
        sampler.set_epoch(epoch)
    shares = [list(sampler) for sampler in ranks]
    steps = len(alone)
    assert [len(share) for share in shares] == [steps * accumulation] * processes
    assert [len(sampler) for sampler in ranks] == [steps * accumulation] * processes
    for step, whole in enumerate(alone):
        parts = [s for share in shares for s in share[step * accumulation :][:accumulation]]
        real = [i for part in parts for i in part if i >= 0]
        assert sorted(real) == sorted(whole)
        fillers = [part for part in parts if any(i < 0 for i in part)]
        assert all(part == [~whole[0]] for part in fillers)
        assert len(fillers) == max(0, len(parts) - len(whole))


@given(lengths_lists, budgets, seeds, st.integers(1, 3), budgets)
def test_shares_fit_what_a_process_computes_at_a_time(
    lengths: list[int], budget: int, seed: int, processes: int, at_once: int
) -> None:
    whole = TokenBatchSampler(lengths, tokens_per_batch=budget, seed=seed)
    accumulation = whole.accumulation_for(at_once, processes)
    for sampler in _ranks(lengths, budget, seed, processes, accumulation):
        for share in sampler:
            real = [i if i >= 0 else ~i for i in share]
            assert len(real) == 1 or max(lengths[i] for i in real) * len(real) <= at_once


def test_padding_is_at_most_a_twentieth() -> None:
    # As many sentences as CoNLL-2003 has for training, and as long: 17 pieces in the middle.
    lengths = np.random.default_rng(1).lognormal(np.log(17), 0.7, 14_041).astype(int).clip(3, 256)
    batches = TokenBatchSampler(lengths.tolist(), tokens_per_batch=2048, seed=1).global_batches(0)
    padded = sum(int(lengths[batch].max()) * len(batch) for batch in batches)
    assert 1 - lengths.sum() / padded <= 0.05


@given(lengths_lists, budgets, seeds)
def test_batches_depend_on_seed_and_epoch_alone(lengths: list[int], budget: int, seed: int) -> None:
    first = TokenBatchSampler(lengths, tokens_per_batch=budget, seed=seed)
    second = TokenBatchSampler(lengths, tokens_per_batch=budget, seed=seed)
    list(first)  # what was drawn before does not matter
    epochs = [first.global_batches(epoch) for epoch in range(3)]
    assert epochs == [second.global_batches(epoch) for epoch in range(3)]
    assert len({len(batches) for batches in epochs}) == 1


def test_epochs_and_seeds_shuffle_differently() -> None:
    lengths = [5 + i % 7 for i in range(200)]
    sampler = TokenBatchSampler(lengths, tokens_per_batch=64, seed=1)
    other = TokenBatchSampler(lengths, tokens_per_batch=64, seed=2)
    assert sampler.global_batches(0) != sampler.global_batches(1)
    assert sampler.global_batches(0) != other.global_batches(0)
    as_sets = [{frozenset(b) for b in sampler.global_batches(epoch)} for epoch in (0, 1)]
    assert as_sets[0] != as_sets[1], "the make-up of batches changes, not only their order"


# The loss


@pytest.mark.parametrize(
    "task",
    [
        NerTask(name="ner"),
        ClassificationTask(name="classification"),
        ClassificationTask(name="classification", multi_label=True),
    ],
    ids=["ner", "classification", "multi_label"],
)
def test_filler_changes_neither_loss_nor_count(task: Any) -> None:
    if isinstance(task, NerTask):
        window = {"input_ids": [2, 5, 6, 7, 3], "positions": [1, 3], "labels": [0, 2]}
    else:
        window = {"input_ids": [2, 5, 6, 7, 3], "labels": [1, 0, 1] if task.multi_label else [1]}
    import datasets

    windows = TrainingWindows([datasets.Dataset.from_list([{**window, "example": 0}])])
    plain = task.windows.collate([windows[0]], 0)
    filled = task.windows.collate([windows[0], windows[~0]], 0)
    assert filled["labels"].ne(IGNORED).sum() == plain["labels"].ne(IGNORED).sum()
    shape = (2, 5, 3) if isinstance(task, NerTask) else (2, 3)
    logits = torch.randn(shape, generator=torch.Generator().manual_seed(0), requires_grad=True)
    alone, both = (
        task.head.loss_sum(
            logits[: len(batch["labels"])], batch["labels"], Objective(smoothing=0.1)
        )
        for batch in (plain, filled)
    )
    assert alone.item() == pytest.approx(both.item(), abs=1e-7)
    (gradient,) = torch.autograd.grad(both, logits)
    assert not gradient[1].any()


@pytest.mark.parametrize(
    ("accumulation", "strategy"),
    [
        (2, "full"),
        (7, "full"),
        (4, "r_drop"),
        (4, "fgm"),
        (4, {"name": "l2_sp", "alpha": 0.2, "beta": 0.1}),
        (4, {"name": "penalty", "l1": 0.01, "l2": 0.1}),
    ],
    ids=str,
)
def test_gradient_accumulation_gives_the_same_step(
    accumulation: int,
    strategy: Any,
    checkpoint: Checkpoints,
    tiny_recipe: Recipes,
    trained: Recipes,
) -> None:
    def weights(steps: int) -> dict[str, torch.Tensor]:
        # Plain gradient descent: Adam's first step is the gradient's sign, noise included.
        arguments = {"max_steps": 2, "optim": "sgd"}
        recipe = tiny_recipe(
            checkpoint=checkpoint("bert"),
            strategy=strategy,
            training={
                "epochs": 1,
                "learning_rate": 0.5,
                "warmup": 0,
                "tokens_per_batch": 64,  # under 7 windows a batch, so that fillers are needed
                "tokens_at_once": 64 // steps,
                "arguments": arguments,
            },
        )
        return _weights(trained(recipe))

    once, split = weights(1), weights(accumulation)
    for name, tensor in once.items():
        torch.testing.assert_close(split[name], tensor, rtol=0, atol=1e-6)
    before = load_file(checkpoint("bert") / "model.safetensors")
    name = "encoder.layer.0.output.dense.weight"
    assert (once[f"bert.{name}"] - before[name]).abs().max() > 1e-4


@pytest.mark.parametrize(
    "changes",
    [
        {"tokens_at_once": 30},
        {"arguments": {"gradient_checkpointing": True}},
        {"arguments": {"dataloader_num_workers": 2}},
    ],
    ids=["tokens at once", "gradient checkpointing", "batches made ahead"],
)
def test_what_saves_memory_or_time_gives_the_same_step(
    changes: dict[str, Any], checkpoint: Checkpoints, tiny_recipe: Recipes, trained: Recipes
) -> None:
    def weights(more: dict[str, Any]) -> dict[str, torch.Tensor]:
        arguments = {"max_steps": 2, "optim": "sgd", **more.get("arguments", {})}
        training = {"epochs": 1, "learning_rate": 0.5, "warmup": 0, "tokens_per_batch": 96}
        recipe = tiny_recipe(
            checkpoint=checkpoint("bert"),
            training={**training, **more, "arguments": arguments},
        )
        return _weights(trained(recipe))

    roomy, tight = weights({}), weights(changes)
    for name, tensor in roomy.items():
        torch.testing.assert_close(tight[name], tensor, rtol=0, atol=1e-6)


@pytest.mark.parametrize("key", ["tokens_per_batch", "tokens_at_once"])
def test_budget_below_the_longest_window_is_raised_and_said(
    key: str, tiny_recipe: Recipes, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    training = {"epochs": 1, "arguments": {"max_steps": 1}, key: 10}
    with caplog.at_level("WARNING", "nlp_transfer"):
        _run(tiny_recipe(training=training), tmp_path / "run")
    assert f"training.{key} is 10, raised for the longest windows, which have 48" in caplog.text


@pytest.mark.parametrize("strategy", ["full", "layerwise_lr", "lora"])
@pytest.mark.parametrize("family", FAMILIES)
def test_biases_and_norms_do_not_decay(
    family: str, strategy: str, tmp_path: Path, checkpoint: Checkpoints, tiny_recipe: Recipes
) -> None:
    path = tiny_recipe(checkpoint=checkpoint(family), strategy=strategy)
    recipe = load_recipe(str(path), ["training.weight_decay=0.1"])
    parts = built(recipe)
    loaded = parts.loaded
    trainer = parts.trainer(tmp_path / "run" / "checkpoints")
    groups = trainer.create_optimizer().param_groups
    decay = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    norms = [module for module in loaded.model.modules() if isinstance(module, nn.LayerNorm)]
    in_norms = {id(p) for norm in norms for p in norm.parameters()}
    for name, parameter in loaded.model.named_parameters():
        if not parameter.requires_grad:
            assert id(parameter) not in decay
        elif id(parameter) in in_norms or name.endswith(".bias"):
            assert decay[id(parameter)] == 0, name
        elif "relative_attention_bias" not in name:  # MPNet's table is a bias in all but shape
            assert decay[id(parameter)] == 0.1, name


@pytest.mark.parametrize("strategy", ["full", TRAINED_HEAD, "lora"])
def test_parameters_new_at_random_learn_at_their_own_rate(
    strategy: str, tmp_path: Path, tiny_recipe: Recipes
) -> None:
    path = tiny_recipe(strategy=strategy, training={"learning_rate": 1e-4})
    recipe = load_recipe(str(path), ["training.head_learning_rate=1e-2"])
    parts = built(recipe)
    trainer = parts.trainer(tmp_path / "run" / "checkpoints")
    groups = trainer.create_optimizer().param_groups
    rate = {id(p): group["lr"] for group in groups for p in group["params"]}
    learning = {n: p for n, p in parts.loaded.model.named_parameters() if p.requires_grad}
    assert len(rate) == len(learning)  # each in exactly one group
    for name, parameter in learning.items():
        assert rate[id(parameter)] == (1e-2 if "classifier" in name else 1e-4), name


# The same weights, however the run is cut up


def test_same_recipe_gives_the_same_weights(
    tmp_path: Path, tiny_recipe: Recipes, trained: Recipes
) -> None:
    recipe = tiny_recipe()
    first, second = (_weights(run) for run in (trained(recipe), _run(recipe, tmp_path / "two")))
    assert all(first[name].equal(second[name]) for name in first)
    other = trained(tiny_recipe(training={"seed": 7}))
    assert not all(tensor.equal(first[name]) for name, tensor in _weights(other).items())


BY_STEPS = {"eval_strategy": "steps", "eval_steps": 3, "save_strategy": "steps", "save_steps": 3}


def _cuts() -> Iterator[Any]:
    """Yield strategies and where their runs are cut; the slow ones are told by two others.

    Where in an epoch a run goes on is the sampler's, whatever the strategy; what of a strategy a
    checkpoint has to bring back is the same at an epoch's end.
    """
    for strategy in ("full", TRAINED_HEAD, "l2_sp", "lora", "r_drop"):
        name = strategy if isinstance(strategy, str) else "trained head"
        marks = () if name in ("full", "lora") else (pytest.mark.slow,)
        yield pytest.param(strategy, {}, id=f"{name}-at an epoch")
        yield pytest.param(strategy, BY_STEPS, marks=marks, id=f"{name}-in mid-epoch")


@pytest.mark.parametrize(("strategy", "arguments"), _cuts())
def test_interrupted_run_goes_on_to_the_same_weights(
    strategy: Any,
    arguments: dict[str, Any],
    tmp_path: Path,
    tiny_recipe: Recipes,
) -> None:
    training = {"tokens_per_batch": 200, "arguments": {**arguments, "logging_steps": 1}}
    recipe = tiny_recipe(strategy=strategy, training=training)
    whole = _run(recipe, tmp_path / "whole")
    steps = _metrics(whole)["training"]["steps"]
    cut = tmp_path / "cut"
    with interrupted(at_step=steps - 1), pytest.raises(KeyboardInterrupt):
        _run(recipe, cut)
    assert RunFolder(cut).state() == "unfinished"
    checkpoint = RunFolder(cut).last_checkpoint()
    assert checkpoint is not None
    in_mid_epoch = int(checkpoint.name.rpartition("-")[2]) * 2 != steps
    assert in_mid_epoch == bool(arguments)
    _run(recipe, cut)
    _assert_same_run(cut, whole)
    assert _logged_steps(cut) == _logged_steps(whole) == list(range(1, steps + 1))


def test_run_that_broke_off_after_training_is_only_reported(
    tmp_path: Path, tiny_recipe: Recipes, trained: Recipes
) -> None:
    recipe = tiny_recipe()
    whole = trained(recipe)
    cut = tmp_path / "cut"
    _train_only(load_recipe(str(recipe)), cut)
    assert RunFolder(cut).state() == "unfinished"
    with interrupted():  # by the first step, if there is one
        _run(recipe, cut)
    _assert_same_run(cut, whole)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "[" * 100_000])
def test_a_damaged_file_of_a_run_is_the_users_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(UserError, match=r"metrics\.json: this file is damaged"):
        RunFolder(tmp_path).read_json("metrics.json")


SCRIPT = """
import sys, torch
torch.set_num_threads(1)
from nlp_transfer import finetune, load_recipe
finetune(load_recipe(sys.argv[1]), output=sys.argv[2])
"""


@pytest.mark.slow
def test_killed_process_goes_on_to_the_same_weights(tmp_path: Path, tiny_recipe: Recipes) -> None:
    recipe = tiny_recipe(training={"epochs": 12, "tokens_per_batch": 100})
    whole = _run(recipe, tmp_path / "whole")
    cut = tmp_path / "cut"
    with subprocess.Popen([sys.executable, "-c", SCRIPT, str(recipe), str(cut)]) as process:
        while RunFolder(cut).last_checkpoint() is None and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert RunFolder(cut).state() == "unfinished"
    _run(recipe, cut)
    _assert_same_run(cut, whole)


# Which checkpoint is kept


@pytest.mark.parametrize("strategy", ["full", "lora"])
def test_best_checkpoint_is_kept(strategy: str, tmp_path: Path, tiny_recipe: Recipes) -> None:
    recipe = scripted(tiny_recipe(strategy=strategy, training={"epochs": 4}), [0.2, 0.9, 0.9, 0.1])
    run = tmp_path / "run"
    with watched_weights() as seen:
        finetune(recipe, output=run)
    figures = _metrics(run)["training"]
    assert figures["best_validation"] == 0.9
    assert figures["best_step"] * 2 == figures["steps"], "the earlier one of equals"
    name = "adapter/adapter_model.safetensors" if strategy == "lora" else "model/model.safetensors"
    kept = load_file(run / name)
    best, last = (
        {
            name.replace(".modules_to_save.default", "").replace(".default", ""): tensor
            for name, tensor in seen[step].items()
        }
        for step in (figures["best_step"], figures["steps"])
    )
    assert all(best[name].equal(tensor) for name, tensor in kept.items())
    assert not all(last[name].equal(tensor) for name, tensor in kept.items())


def test_early_stopping_stops(tmp_path: Path, tiny_recipe: Recipes) -> None:
    path = tiny_recipe(training={"epochs": 5, "early_stopping": 2})
    finetune(scripted(path, [0.2, 0.5, 0.5, 0.4, 0.9]), output=tmp_path / "run")
    assert _metrics(tmp_path / "run")["training"]["epochs"] == 4


def test_early_stopped_run_learns_no_more_when_it_is_resumed(
    tmp_path: Path, tiny_recipe: Recipes
) -> None:
    path = tiny_recipe(training={"epochs": 5, "early_stopping": 1})
    recipe, run = scripted(path, [0.2, 0.5, 0.4, 0.9, 0.9]), tmp_path / "run"
    _train_only(recipe, run)
    evaluated = {
        int(checkpoint.name.rpartition("-")[2]): load_file(checkpoint / "model.safetensors")
        for checkpoint in (run / "checkpoints").glob("checkpoint-*")
    }
    with interrupted():
        finetune(recipe, output=run)
    figures = _metrics(run)["training"]
    assert (figures["epochs"], figures["best_validation"]) == (3, 0.5)
    best = evaluated[figures["best_step"]]
    assert all(best[name].equal(tensor) for name, tensor in _weights(run).items())


def test_time_alone_saves_too_and_changes_nothing(tmp_path: Path, tiny_recipe: Recipes) -> None:
    training = {"epochs": 2, "tokens_per_batch": 200}
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    _run(tiny_recipe(training=training), whole)
    steps = _metrics(whole)["training"]["steps"]
    recipe = tiny_recipe(training={**training, "save_minutes": 1e-6})
    with interrupted(at_step=steps // 2 - 1), pytest.raises(KeyboardInterrupt):
        _run(recipe, cut)
    checkpoint = RunFolder(cut).last_checkpoint()
    assert checkpoint is not None
    assert checkpoint.name == f"checkpoint-{steps // 2 - 1}", "in the first epoch"
    _run(recipe, cut)
    assert all(_weights(cut)[name].equal(tensor) for name, tensor in _weights(whole).items())
    assert _metrics(cut)["splits"] == _metrics(whole)["splits"]


def test_run_that_a_signal_ended_is_not_finished(
    tmp_path: Path, tiny_recipe: Recipes, trained: Recipes
) -> None:
    whole, cut = trained(tiny_recipe()), tmp_path / "cut"
    recipe = tiny_recipe()
    said = "ended by SIGTERM: the same command goes on after step 1 of"

    def end() -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    with interrupted(by=end), pytest.raises(KeyboardInterrupt, match=said):
        _run(recipe, cut)
    assert RunFolder(cut).state() == "unfinished"
    _run(recipe, cut)
    assert all(_weights(cut)[name].equal(tensor) for name, tensor in _weights(whole).items())


def test_patience_goes_on_where_it_was(tmp_path: Path, tiny_recipe: Recipes) -> None:
    path = tiny_recipe(training={"epochs": 4, "early_stopping": 2, "tokens_per_batch": 1000})
    recipe, run = scripted(path, [0.5, 0.4, 0.4, 0.9]), tmp_path / "run"
    with interrupted(at_step=3), pytest.raises(KeyboardInterrupt):
        finetune(recipe, output=run)
    finetune(recipe, output=run)
    assert _metrics(run)["training"]["epochs"] == 3


# The run folder


@pytest.fixture
def finished(tmp_path: Path, tiny_recipe: Recipes, trained: Recipes) -> tuple[Path, Path]:
    """Return the recipe and the folder of a finished run."""
    recipe = tiny_recipe(strategy=TRAINED_HEAD, training={"epochs": 1})
    return recipe, shutil.copytree(trained(recipe), tmp_path / "run")


def test_finished_run_is_not_trained_again(
    finished: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    recipe, run = finished
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with caplog.at_level(logging.INFO), interrupted():
        report = finetune(load_recipe(str(recipe)), output=run)
    assert "is finished" in caplog.text
    assert report.metrics == _metrics(run)
    assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


def test_what_a_crash_has_left_after_the_end_is_deleted(finished: tuple[Path, Path]) -> None:
    recipe, run = finished
    before = set(run.rglob("*"))
    left = run / "checkpoints" / "checkpoint-7" / "optimizer.pt"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"moments")
    finetune(load_recipe(str(recipe)), output=run)
    assert set(run.rglob("*")) == before


def test_folder_of_another_recipe_says_what_differs(finished: tuple[Path, Path]) -> None:
    recipe, run = finished
    other = load_recipe(str(recipe), ["training.epochs=3", "task.decoding=greedy"])
    with pytest.raises(UserError) as caught:
        finetune(other, output=run)
    message = str(caught.value)
    assert "training.epochs: 1.0 in the folder, 3.0 now" in message
    assert "task.decoding: 'viterbi' in the folder, 'greedy' now" in message
    assert "learning_rate" not in message


def test_fresh_starts_over_and_leaves_foreign_files(
    finished: tuple[Path, Path], tmp_path: Path
) -> None:
    recipe, run = finished
    (run / "notes.txt").write_text("mine")
    (run / "figures").mkdir()
    other = load_recipe(str(recipe), ["training.epochs=2"])
    finetune(other, output=run, fresh=True)
    assert _metrics(run)["training"]["epochs"] == 2
    assert (run / "notes.txt").read_text() == "mine"
    assert (run / "figures").is_dir()
    assert all(json.loads(line)["step"] > 0 for line in (run / "log.jsonl").open())


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("name", ["thesis.tex", "model/weights.bin", "README.md", "recipe.yaml"])
def test_folder_with_other_things_is_refused(
    name: str, fresh: bool, tmp_path: Path, tiny_recipe: Recipes
) -> None:
    folder = tmp_path / "mine"
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_text("precious")
    with pytest.raises(UserError, match=r"holds other things .* and no run"):
        finetune(load_recipe(str(tiny_recipe())), output=folder, fresh=fresh)
    assert [path for path in folder.rglob("*") if path.is_file()] == [folder / name]


def test_output_that_is_a_file_is_refused(tmp_path: Path, tiny_recipe: Recipes) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is a file; name a folder"):
        _run(tiny_recipe(), tmp_path / "file")


def test_folder_that_was_killed_before_its_recipe_was_written_is_used(
    tmp_path: Path, tiny_recipe: Recipes
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for name in ("environment.json", ".data.json.0123abcd.tmp"):
        (run / name).write_text("{")
    _run(tiny_recipe(strategy=TRAINED_HEAD, training={"epochs": 1}), run)
    assert RunFolder(run).state() == "finished"
    assert not list(run.glob(".*")), "what the crash left is gone"


def test_changed_data_is_refused_on_resume(tmp_path: Path, tiny_recipe: Recipes) -> None:
    data = write_data(tmp_path / "data", "ner")
    recipe, run = tiny_recipe(source=data), tmp_path / "run"
    with interrupted(at_step=0), pytest.raises(KeyboardInterrupt):
        _run(recipe, run)
    write_conll(data / "train.conll", tagged_sentences(47, seed=0))
    with pytest.raises(
        UserError, match=r"(?s)since it began.*train split: 48 examples then, 47 now.*--fresh"
    ):
        _run(recipe, run)
    finetune(load_recipe(str(recipe)), output=run, fresh=True)
    assert RunFolder(run).read_json("data.json")["splits"]["train"]["examples"] == 47


@pytest.mark.parametrize("fresh", [False, True])
def test_nothing_is_written_when_the_data_is_bad(
    fresh: bool, tmp_path: Path, tiny_recipe: Recipes
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for split in ("train", "validation", "test"):
        write_conll(data / f"{split}.conll", [[("Ada", "O"), ("slept", "O")]] * 3)
    with pytest.raises(UserError, match="no entity"):
        finetune(load_recipe(str(tiny_recipe(source=data))), output=tmp_path / "run", fresh=fresh)
    assert not (tmp_path / "run").exists()


def test_bad_data_leaves_the_earlier_run_alone(finished: tuple[Path, Path], tmp_path: Path) -> None:
    recipe, run = finished
    (tmp_path / "empty").mkdir()
    other = load_recipe(str(recipe), [f"data.source={tmp_path / 'empty'}"])
    with pytest.raises(UserError):
        finetune(other, output=run, fresh=True)
    assert RunFolder(run).state() == "finished"


def _run(recipe: Path, run: Path) -> Path:
    finetune(load_recipe(str(recipe)), output=run)
    return run


def _weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model" / "model.safetensors")


def _metrics(run: Path) -> Any:
    return json.loads((run / "metrics.json").read_text("utf-8"))


def _logged_steps(run: Path) -> list[int]:
    lines = [json.loads(line) for line in (run / "log.jsonl").open(encoding="utf-8")]
    return [line["step"] for line in lines if "loss" in line]


def _train_only(recipe: Any, run: Path) -> None:
    """Leave a run that broke off between its training and its report."""
    with interrupted(), pytest.raises(KeyboardInterrupt):
        finetune(recipe, output=run)
    (run / "predictions.jsonl").mkdir()  # in the way of the file
    with pytest.raises(OSError, match=r"predictions\.jsonl"):
        finetune(recipe, output=run)
    (run / "predictions.jsonl").rmdir()


def _assert_same_run(run: Path, expected: Path) -> None:
    """Compare weights bit by bit, predictions and figures."""
    weights = _weights(run)
    assert all(weights[name].equal(tensor) for name, tensor in _weights(expected).items())
    for name in ("predictions.jsonl", "data.json", "recipe.yaml"):
        assert (run / name).read_bytes() == (expected / name).read_bytes()
    ours, theirs = _metrics(run), _metrics(expected)
    assert ours["splits"] == theirs["splits"]
    for name in ("steps", "epochs", "best_step", "best_validation", "trainable_parameters"):
        assert ours["training"][name] == theirs["training"][name]
