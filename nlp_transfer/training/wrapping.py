"""What several processes wrap a model in, told from a launcher or arguments; what does not fit."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import torch
from accelerate import PartialState
from accelerate.utils import DistributedType, str_to_bool
from transformers import TrainingArguments
from transformers.integrations.deepspeed import HfTrainerDeepSpeedConfig, unset_hf_deepspeed_config

from nlp_transfer.errors import UserError
from nlp_transfer.strategies.base import Strategy
from nlp_transfer.strategies.context import Wrapper

_WHOLE = "Each process reads the whole model before it is sharded"


def asks_for_deepspeed(arguments: Mapping[str, Any]) -> bool:
    """Tell whether DeepSpeed is to train, by `training.arguments` or `accelerate launch`."""
    return bool(arguments.get("deepspeed")) or _is_on("ACCELERATE_USE_DEEPSPEED")


def check_deepspeed(arguments: Mapping[str, Any]) -> None:
    """Refuse DeepSpeed where it is not installed, or its configuration cannot be read.

    raises: UserError
    """
    if not asks_for_deepspeed(arguments):
        return
    if find_spec("deepspeed") is None:
        raise UserError(
            "DeepSpeed is asked for and not installed. Run `pip install deepspeed`, or start the "
            "run without it: FSDP shards models too (docs/clusters.md)."
        )
    config = arguments.get("deepspeed")
    if not isinstance(config, str):
        return
    where = f"training.arguments.deepspeed: {config}"
    try:
        said = json.loads(Path(config).read_text("utf-8"))
    except OSError as error:
        raise UserError(f"{where} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where} is not JSON: {error}.") from None
    if not isinstance(said, dict):
        raise UserError(f"{where} is no configuration of DeepSpeed, which is a JSON object.")


def asks_for_fsdp(arguments: Mapping[str, Any]) -> bool:
    """Tell whether FSDP is to shard the model, by `training.arguments` or `accelerate launch`."""
    return bool(arguments.get("fsdp")) or _is_on("ACCELERATE_USE_FSDP")


def asks_for_shards(arguments: Mapping[str, Any]) -> bool:
    """Tell whether every process is to write a part of each checkpoint."""
    return asks_for_fsdp(arguments) or asks_for_deepspeed(arguments)


def wrapper_of(args: TrainingArguments) -> Wrapper | None:
    """Name what the model learns in; None: it is one process's own."""
    if args.deepspeed_plugin is not None:
        return cast(Wrapper, f"zero-{args.deepspeed_plugin.zero_stage}")
    if asks_for_fsdp(vars(args)):
        return "fsdp2"
    return "ddp" if args.world_size > 1 else None


def settle_wrapping(args: TrainingArguments, strategies: Sequence[Strategy]) -> None:
    """Prepare DeepSpeed or FSDP, where one is asked for.

    raises: UserError where it contradicts the recipe, or cannot save what it trains
    """
    args._n_gpu = min(1, args.n_gpu)  # never nn.DataParallel: a process a GPU is faster, and exact
    if args.deepspeed_plugin is not None and not torch.accelerator.is_available():
        _count_processes(args.distributed_state)
    wrapper = wrapper_of(args)
    if wrapper is None or wrapper == "ddp":
        return
    if wrapper == "fsdp2":
        faults = list(_faults_of_fsdp(args))
    else:
        faults = list(_faults_of_deepspeed(args))
        forget_zero3()
    faults += [
        f"strategy '{strategy.name}' does not work under {wrapper}, which takes apart the weights "
        "that it measures or changes. Leave it out, or run plain processes (DDP)."
        for strategy in strategies
        if wrapper in strategy.not_under
    ]
    if faults:
        raise UserError("\n".join(faults))


def _count_processes(state: PartialState) -> None:
    """Let Accelerate know of the processes that DeepSpeed has connected on CPUs: it counts one."""
    if torch.distributed.is_initialized():
        state.distributed_type, state.backend = DistributedType.MULTI_CPU, "gloo"
        state.num_processes = torch.distributed.get_world_size()
        state.process_index = torch.distributed.get_rank()
        state.local_process_index = int(os.environ.get("LOCAL_RANK", "0"))


def forget_zero3() -> None:
    """Let transformers read models whole, not as the shards of ZeRO-3.

    Their heads are started, their layers counted and chosen before DeepSpeed shards them.
    """
    unset_hf_deepspeed_config()


def _faults_of_fsdp(args: TrainingArguments) -> Iterator[str]:
    config = args.fsdp_config if isinstance(args.fsdp_config, dict) else {}
    if args.deepspeed_plugin is not None:
        yield "FSDP and DeepSpeed are both asked for; a model is sharded by one of them."
    if args.world_size == 1:
        yield (
            "FSDP shards a model over several processes, and this run is one. Start it with "
            "--processes N, torchrun or accelerate launch, or leave FSDP out."
        )
    version = str(config.get("version", 2) if args.fsdp else os.environ.get("FSDP_VERSION", "1"))
    if version != "2":
        yield (
            f"FSDP: fsdp_version is {version}; only 2 is supported. Write fsdp_version: 2 into "
            "fsdp_config of accelerate's file (recipes/accelerate/fsdp2.yaml is one to start from)."
        )
    loading = "cpu_ram_efficient_loading"
    if _is_true(config.get(loading)) or _is_on(f"FSDP_{loading.upper()}"):
        yield (
            f"FSDP: fsdp_cpu_ram_efficient_loading is true. {_WHOLE}: write "
            "fsdp_cpu_ram_efficient_loading: false into fsdp_config."
        )


def _faults_of_deepspeed(args: TrainingArguments) -> Iterator[str]:
    config = args.deepspeed_plugin.hf_ds_config.config
    for section in ("optimizer", "scheduler"):
        if section in config:
            yield (
                f"DeepSpeed: its configuration has {section!r}, which the recipe decides "
                f"(training.{'optimizer' if section == 'optimizer' else 'schedule'}). Leave that "
                "section out of the configuration."
            )
    zero = config.get("zero_optimization", {})
    offloads = zero.get("offload_optimizer", {}).get("device", "none") not in ("none", None)
    if offloads and config.get("zero_force_ds_cpu_optimizer", True):
        yield (
            "DeepSpeed: offload_optimizer asks for DeepSpeed's own Adam, and the optimizer is the "
            'recipe\'s. Write "zero_force_ds_cpu_optimizer": false into the configuration, or '
            "offload nothing."
        )
    told = HfTrainerDeepSpeedConfig(deepcopy(config))
    told.trainer_config_process(args)
    for mismatch in told.mismatches:
        key, _, _ = mismatch.removeprefix("- ds ").partition("=")
        yield (
            f"DeepSpeed: {mismatch.removeprefix('- ds ').replace(' vs hf ', ', the recipe has ')}. "
            f'Write "auto" for {key}: the recipe decides (batches by '
            "training.tokens_per_batch and tokens_at_once, precision by training.precision)."
        )


def _is_on(variable: str) -> bool:
    return _is_true(os.environ.get(variable))


def _is_true(value: object) -> bool:
    return bool(value) and bool(str_to_bool(str(value).lower()))
