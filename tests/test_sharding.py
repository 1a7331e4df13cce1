"""Models that FSDP2 and DeepSpeed shard are saved whole; what cannot be saved so is refused."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel
from waiting import wait_for

from nlp_transfer import Predictor, UserError
from nlp_transfer.training.sharding import check_shards

needs_deepspeed = pytest.mark.skipif(
    importlib.util.find_spec("deepspeed") is None, reason="DeepSpeed is not installed"
)
ZERO: dict[str, Any] = {
    "train_micro_batch_size_per_gpu": "auto",
    "gradient_accumulation_steps": "auto",
    "gradient_clipping": "auto",
}
SHARDED = {
    "fsdp2": {"fsdp": "full_shard"},
    # Every weight is taken apart: by default ZeRO-3 leaves small ones whole.
    "zero-2": {"deepspeed": {**ZERO, "zero_optimization": {"stage": 2}}},
    "zero-3": {
        "deepspeed": {
            **ZERO,
            "zero_optimization": {"stage": 3, "stage3_param_persistence_threshold": 0},
        }
    },
}
WRAPPERS = [
    "fsdp2",
    pytest.param("zero-2", marks=needs_deepspeed),
    pytest.param("zero-3", marks=needs_deepspeed),
]


def _start(recipe: Path, output: Path) -> subprocess.Popen[str]:
    command = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "-m", "nlp_transfer"]
    return subprocess.Popen(
        [sys.executable, *command, "finetune", "--recipe", str(recipe), "--output", str(output)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def _train(recipe: Path, output: Path) -> dict[str, torch.Tensor]:
    with _start(recipe, output) as run:
        said = run.communicate(timeout=900)[1]
    assert run.returncode == 0, said[-3000:]
    return load_file(output / "model" / "model.safetensors")


def _alike(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    assert one.keys() == two.keys()
    return all(one[name].allclose(two[name], atol=1e-5) for name in one)


@pytest.fixture
def still(checkpoint: Callable[..., Path]) -> Path:
    """Return a checkpoint without dropout, which is drawn otherwise where batches are cut."""
    return checkpoint("bert", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["full", "lora", "average_checkpoints"])
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_sharded_model_is_saved_whole_and_is_that_of_plain_processes(
    wrapper: str, strategy: str, tiny_recipe: Callable[..., Path], still: Path, tmp_path: Path
) -> None:
    settings = {"average_checkpoints": {"name": strategy, "count": 2, "only_if_better": False}}
    runs = []
    for name, arguments in (("ddp", {}), (wrapper, SHARDED[wrapper])):
        recipe = tiny_recipe(
            strategy=settings.get(strategy, strategy),
            checkpoint=still,
            training={"tokens_per_batch": 96, "fast_cpu": False, "arguments": arguments},
        )
        runs.append(_train(recipe, tmp_path / name))
        metrics = json.loads((tmp_path / name / "metrics.json").read_text())
        assert metrics["training"]["wrapped"] == name
        assert metrics["training"]["world_size"] == 2
        environment = json.loads((tmp_path / name / "environment.json").read_text())
        assert environment["wrapped"] == name
    assert all(tensor.numel() for tensor in runs[1].values())
    assert _alike(*runs)
    answers = [Predictor.from_run(tmp_path / name)(["Ada left Rome"]) for name in ("ddp", wrapper)]
    assert [word["tags"] for word in answers[0]] == [word["tags"] for word in answers[1]]


@pytest.mark.slow
@needs_deepspeed
def test_zero_3_saves_the_model_of_zero_2(tiny_recipe: Callable[..., Path], tmp_path: Path) -> None:
    saved = []
    for wrapper in ("zero-2", "zero-3"):
        recipe = tiny_recipe(
            training={"tokens_per_batch": 96, "fast_cpu": False, "arguments": SHARDED[wrapper]}
        )
        saved.append(_train(recipe, tmp_path / wrapper))
    two, three = saved
    assert all(three[name].numel() for name in three)
    assert _alike(two, three)


@pytest.mark.slow
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_sharded_run_goes_on_where_it_was_stopped(
    wrapper: str, tiny_recipe: Callable[..., Path], still: Path, tmp_path: Path
) -> None:
    training = {"epochs": 6, "tokens_per_batch": 96, "arguments": SHARDED[wrapper]}
    recipe = tiny_recipe(checkpoint=still, training=training)
    whole = _train(recipe, tmp_path / "whole")
    with _start(recipe, tmp_path / "cut") as run:
        wait_for("epoch 2/", run)
        run.send_signal(signal.SIGTERM)
        said = run.communicate(timeout=300)[1]
    assert "the same command goes on after step" in said, said[-3000:]
    assert _alike(_train(recipe, tmp_path / "cut"), whole)


Spoil = Callable[[dict[str, torch.Tensor], str], None]


def _empty(weights: dict[str, torch.Tensor], name: str) -> None:
    weights[name] = torch.empty(0)


def _drop(weights: dict[str, torch.Tensor], name: str) -> None:
    del weights[name]


def _alter(weights: dict[str, torch.Tensor], name: str) -> None:
    weights[name] = -weights[name]


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (_empty, "1 of 39 weights were saved empty (classifier.weight)"),
        (_drop, "values were saved, the model has"),
        (_alter, "answers otherwise than the one that was trained"),
    ],
)
def test_a_model_that_is_saved_wrong_costs_no_checkpoint(
    spoil: Spoil,
    fault: str,
    nlpt: Callable[..., tuple[int, str, str]],
    tiny_recipe: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe, save = tiny_recipe(training={"epochs": 1}), PreTrainedModel.save_pretrained

    def save_in_part(model: PreTrainedModel, folder: Path, **options: Any) -> None:
        save(model, folder, **options)
        file = Path(folder, "model.safetensors")
        weights = load_file(file)
        spoil(weights, "classifier.weight")
        if "checkpoints" not in file.parts:
            save_file(weights, file, metadata={"format": "pt"})

    with monkeypatch.context() as patch:
        patch.setattr(PreTrainedModel, "save_pretrained", save_in_part)
        code, _, said = nlpt("finetune", "--recipe", recipe, "-o", "run")
    assert (code, fault in said) == (2, True), said
    assert not Path("run/model").exists()
    assert list(Path("run/checkpoints").glob("checkpoint-*"))
    assert nlpt("finetune", "--recipe", recipe, "-o", "run")[0] == 0
    assert Predictor.from_run("run")(["Ada left Rome"])


ASKED = {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"}


@pytest.mark.parametrize(
    ("environment", "strategy", "fault"),
    [
        ({}, "full", "this run is one. Start it with --processes N"),
        ({"FSDP_VERSION": "1"}, "full", "fsdp_version is 1; only 2 is supported"),
        ({"FSDP_CPU_RAM_EFFICIENT_LOADING": "true"}, "full", "cpu_ram_efficient_loading: false"),
        ({}, "l2_sp", "strategy 'l2_sp' does not work under fsdp2"),
    ],
)
def test_what_cannot_be_sharded_is_refused_before_data_is_read(
    environment: dict[str, str],
    strategy: str,
    fault: str,
    nlpt: Callable[..., tuple[int, str, str]],
    tiny_recipe: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {**ASKED, **environment}.items():
        monkeypatch.setenv(name, value)
    code, _, said = nlpt("finetune", "--recipe", tiny_recipe(strategy=strategy), "-o", "run")
    assert (code, fault in said) == (2, True), said
    assert not Path("run").exists()


@pytest.mark.skipif(
    importlib.util.find_spec("deepspeed") is not None, reason="DeepSpeed is installed"
)
def test_deepspeed_that_is_not_installed_is_said(
    nlpt: Callable[..., tuple[int, str, str]], tiny_recipe: Callable[..., Path]
) -> None:
    config = "training.arguments.deepspeed=zero.json"
    code, _, said = nlpt("finetune", "--recipe", tiny_recipe(), "-o", "run", config)
    assert (code, "pip install deepspeed" in said) == (2, True), said


@needs_deepspeed
@pytest.mark.parametrize(
    ("config", "fault"),
    [
        (None, "zero.json cannot be read"),
        ("{", "zero.json is not JSON"),
        ({"train_micro_batch_size_per_gpu": 8}, 'Write "auto" for train_micro_batch_size_per_gpu'),
        ({"bf16": {"enabled": True}}, 'Write "auto" for bf16.enabled'),
        ({"optimizer": {"type": "AdamW"}}, "which the recipe decides (training.optimizer)"),
        (
            {"zero_optimization": {"stage": 2, "offload_optimizer": {"device": "cpu"}}},
            '"zero_force_ds_cpu_optimizer": false',
        ),
    ],
)
def test_configurations_of_deepspeed_that_contradict_the_recipe_are_refused(
    config: dict[str, Any] | str | None,
    fault: str,
    nlpt: Callable[..., tuple[int, str, str]],
    tiny_recipe: Callable[..., Path],
) -> None:
    whole = {**ZERO, "zero_optimization": {"stage": 2}}
    if config is not None:
        text = config if isinstance(config, str) else json.dumps({**whole, **config})
        Path("zero.json").write_text(text, "utf-8")
    told = "training.arguments.deepspeed=zero.json"
    code, _, said = nlpt("finetune", "--recipe", tiny_recipe(), "-o", "run", told)
    assert (code, fault in said) == (2, True), said
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("shards", "wrapper", "processes", "fault"),
    [
        ("global_step4/zero_pp_rank_0_mp_rank_00_optim_states.pt", "ddp", 2, "is of DeepSpeed"),
        ("pytorch_model_fsdp_0/.metadata", None, 1, "is of FSDP2"),
        ("model.safetensors", "fsdp2", 2, "is of plain processes"),
        ("global_step4/zero_pp_rank_0_mp_rank_00_optim_states.pt", "zero-2", 2, "of 1 processes"),
    ],
)
def test_a_checkpoint_of_other_shards_is_refused(
    shards: str, wrapper: Any, processes: int, fault: str, tmp_path: Path
) -> None:
    file = tmp_path / "checkpoint-4" / shards
    file.parent.mkdir(parents=True)
    file.touch()
    with pytest.raises(UserError, match=fault):
        check_shards(tmp_path / "checkpoint-4", wrapper, processes)
