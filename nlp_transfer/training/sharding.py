"""A model that FSDP2 or DeepSpeed has sharded over processes in, the whole model out.

Layers are sharded while they learn only. Evaluations, and all that comes after training, compute by
the whole model, which every process gathers: 4 bytes a parameter for that time, and no process has
to wait for another's forward pass.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from torch import nn
from torch.distributed.tensor import DTensor
from transformers import PreTrainedModel, Trainer

from nlp_transfer.errors import UserError
from nlp_transfer.models.architecture import layers_of
from nlp_transfer.strategies.context import Wrapper
from nlp_transfer.training.wrapping import asks_for_fsdp, forget_zero3, wrapper_of


class ShardedTrainer(Trainer):
    """A Trainer that has the whole model where it is needed, however the model learns."""

    optimizer: torch.optim.Optimizer | None
    lr_scheduler: Any
    deepspeed: Any

    _structure: PreTrainedModel | None = None
    """The model as it was before it was sharded: its learning weights without values."""
    _whole: PreTrainedModel | None = None
    """The model gathered, for a while."""

    @property
    def wrapper(self) -> Wrapper | None:
        """What the model learns in."""
        return wrapper_of(self.args)

    @property
    def is_sharded(self) -> bool:
        """Whether FSDP2 or DeepSpeed trains, which take the model's weights apart or copy them."""
        return self.is_fsdp_enabled or self.is_deepspeed_enabled

    def create_accelerator_and_postprocess(self) -> None:
        """Make the accelerator; let FSDP2 shard on CPUs too."""
        super().create_accelerator_and_postprocess()
        state = self.accelerator.state
        if asks_for_fsdp(vars(self.args)) and state.distributed_type == DistributedType.MULTI_CPU:
            # Accelerate leaves FSDP out on CPUs without a word; PyTorch shards there, over gloo.
            plugin = FullyShardedDataParallelPlugin(**(self.args.fsdp_plugin_args or {}))
            if state.mixed_precision != "no":
                plugin.set_mixed_precision(state.mixed_precision)
            state.distributed_type, state.fsdp_plugin = DistributedType.FSDP, plugin
            self.is_fsdp_enabled = True
        if self.is_fsdp_enabled:
            # With FULL_STATE_DICT Accelerate waits for ever where it reads a checkpoint, and one
            # process holds all of the state.
            state.fsdp_plugin.state_dict_config = None
            state.fsdp_plugin.set_state_dict_type("SHARDED_STATE_DICT")
        if self.is_deepspeed_enabled:
            forget_zero3()  # the accelerator has told transformers again

    def prepare_to_shard(self, checkpoint: Path | None) -> None:
        """Keep what a model is without its weights, before it is sharded.

        checkpoint: that training goes on from
        raises:     UserError where that is of a run that was sharded otherwise
        """
        if checkpoint is not None:
            check_shards(checkpoint, self.wrapper, self.args.world_size)
        if not self.is_sharded:
            return
        self._structure = _with_parameters(
            self.model,
            {n: p.to("meta") if p.requires_grad else p.detach() for n, p in _named(self.model)},
        )
        if self.is_fsdp_enabled:
            plugin = self.accelerator.state.fsdp_plugin
            if plugin.transformer_cls_names_to_wrap is None:
                # By itself it would take BERT's embeddings for a layer, and shard them twice.
                kinds = {type(layer).__name__ for layer in layers_of(self.model).modules}
                plugin.transformer_cls_names_to_wrap = sorted(kinds)

    def whole_model(self) -> PreTrainedModel:
        """Return the model as if it had learned in this process alone; to be called by all."""
        if self._whole is not None:
            return self._whole
        if self._structure is None:
            model: PreTrainedModel = self.accelerator.unwrap_model(self.model)
            return model
        return self._gather(self._structure)

    def _gather(self, structure: PreTrainedModel) -> PreTrainedModel:
        sharded = self.accelerator.unwrap_model(self.model)
        kept = dict(_named(structure))
        weights: dict[str, torch.Tensor] = {}
        for name, parameter in _named(sharded):
            before = kept[name]
            learned = before.device.type == "meta"
            weights[name] = _whole_tensor(parameter).to("cpu", before.dtype) if learned else before
        whole = _with_parameters(structure, weights)
        for name, buffer in sharded.named_buffers():
            whole.get_buffer(name).copy_(buffer)
        return whole.to(self.args.device)

    @contextlib.contextmanager
    def gathered(self) -> Iterator[None]:
        """Gather a sharded model once, for an evaluation and the callbacks that watch it."""
        if self._structure is None:
            yield
            return
        sharded = self.callback_handler.model
        self._whole = self.callback_handler.model = self.whole_model()
        try:
            yield
        finally:
            self._whole, self.callback_handler.model = None, sharded

    def unshard(self) -> None:
        """Put the whole model in the place of the shards: training is over."""
        if self._structure is None:
            return
        whole, self._structure = self.whole_model(), None
        self.model = self.model_wrapped = self.callback_handler.model = whole
        self.optimizer = self.lr_scheduler = self.deepspeed = None
        self.callback_handler.optimizer = self.callback_handler.lr_scheduler = None
        self.accelerator.free_memory()

    def _load_best_model(self) -> None:
        """Load the best weights, into shards where a run has ended before it made them."""
        if self.is_sharded and self.optimizer is None:
            self._prepare_for_training(self.state.max_steps, self.get_train_dataloader(), None)
        super()._load_best_model()

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Write the model into a checkpoint; one of shards has all that resuming needs already."""
        if not self.is_sharded:
            super().save_model(output_dir, _internal_call)


def check_shards(checkpoint: Path, wrapper: Wrapper | None, processes: int) -> None:
    """Refuse a checkpoint that holds shards of another kind, or of other processes."""
    has_zero = any(checkpoint.glob("global_step*"))
    has_fsdp = any(checkpoint.glob("pytorch_model_fsdp*"))
    if has_zero != str(wrapper).startswith("zero") or has_fsdp != (wrapper == "fsdp2"):
        found = "DeepSpeed" if has_zero else "FSDP2" if has_fsdp else "plain processes"
        raise UserError(
            f"{checkpoint} is of {found}, this run is under {wrapper or 'none of them'}: neither "
            "reads the other's checkpoints. Start it as before, or anew with --fresh."
        )
    parts = len([*checkpoint.glob("global_step*/*_optim_states.pt")])
    if has_zero and parts != processes:
        raise UserError(
            f"{checkpoint} is of {parts} processes, this run has {processes}: DeepSpeed reads its "
            f"checkpoints on as many only. Start {parts} processes, or anew with --fresh."
        )


def _named(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield the parameters by the names that they have without activation checkpoints."""
    for name, parameter in model.named_parameters():
        yield name.replace("_checkpoint_wrapped_module.", ""), parameter


def _with_parameters(
    model: PreTrainedModel, weights: Mapping[str, torch.Tensor]
) -> PreTrainedModel:
    """Copy a model with other tensors as its parameters; what shares one goes on to do so."""
    memo: dict[int, Any] = {}
    for name, parameter in _named(model):
        memo[id(parameter)] = nn.Parameter(weights[name].detach(), parameter.requires_grad)
    return copy.deepcopy(model, memo)


def _whole_tensor(parameter: nn.Parameter) -> torch.Tensor:
    """Gather a parameter in the precision that the optimizer has it in."""
    whole: Any = parameter.detach()
    if isinstance(whole, DTensor):
        whole = whole.full_tensor()
        return torch.as_tensor(whole)
    from deepspeed.runtime.zero import GatheredParameters
    from deepspeed.utils import safe_get_full_fp32_param

    whole = safe_get_full_fp32_param(parameter)
    if whole is not None:
        return torch.as_tensor(whole)
    with GatheredParameters([parameter]):  # no optimizer has it
        return parameter.detach().clone()
