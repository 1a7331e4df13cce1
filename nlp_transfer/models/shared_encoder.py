"""Models of several tasks in, one that answers for all of them by a single encoder out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MethodType
from typing import TYPE_CHECKING

from nlp_transfer.models.architecture import SIDE_TASKS, encoder, output_layer

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel
    from transformers.utils import ModelOutput

    from nlp_transfer.models.build import LoadedModel


def share_encoder(loaded: LoadedModel, sides: Sequence[LoadedModel]) -> LoadedModel:
    """Attach models to another one, whose encoder they use from now on.

    The main model then answers for them too, where it is called with `task`. Each keeps its head,
    and what else the encoder of the main model has not (a pooler).

    sides:   of the same checkpoint; their own encoders are dropped
    returns: the main model, to which their parameters that start at random now belong
    """
    from torch import nn

    main = loaded.model
    for side in sides:
        own = encoder(side.model)
        for name, child in encoder(main).named_children():
            if name in own._modules:
                delattr(own, name)
                # Not as a child: parameters must be counted, moved and saved once, by their owner.
                own.__dict__[name] = child
    setattr(
        main, SIDE_TASKS, nn.ModuleDict({str(n): side.model for n, side in enumerate(sides, 1)})
    )
    main.forward = MethodType(_forward, main)
    new = {
        f"{SIDE_TASKS}.{n}.{name}"
        for n, side in enumerate(sides, 1)
        for name in side.new_parameters
    }
    names = {name for name, _ in main.named_parameters()}
    return replace(loaded, new_parameters=loaded.new_parameters | (new & names))


def _forward(
    main: PreTrainedModel,
    *arguments: torch.Tensor,
    task: torch.Tensor | None = None,
    **inputs: torch.Tensor,
) -> ModelOutput:
    """Answer as the model of a task.

    task:   (windows,), its number, the same for all; None: the main task
    inputs: (windows, pieces) each
    """
    if task is None:
        return type(main).forward(main, *arguments, **inputs)
    return getattr(main, SIDE_TASKS)[str(int(task[0]))](*arguments, **inputs)


def output_layers(main: PreTrainedModel) -> list[str]:
    """Name the layers that give the logits, one a task, the main one first."""
    sides = getattr(main, SIDE_TASKS, {})
    return [
        output_layer(main),
        *(f"{SIDE_TASKS}.{n}.{output_layer(side)}" for n, side in sides.items()),
    ]


def release_sides(main: PreTrainedModel) -> list[PreTrainedModel]:
    """Undo `share_encoder`: every model is whole again, and they have their encoder in common."""
    if not hasattr(main, SIDE_TASKS):
        return []
    sides = list(getattr(main, SIDE_TASKS).values())
    delattr(main, SIDE_TASKS)
    del main.forward  # the method of the class again
    for side in sides:
        own = encoder(side)
        for name, child in encoder(main).named_children():
            if own.__dict__.get(name) is child:
                delattr(own, name)
                setattr(own, name, child)
    return sides


def share_weights(base: PreTrainedModel, model: PreTrainedModel) -> None:
    """Let a model use the encoder weights of another one of the same checkpoint.

    The modules stay its own, so that adapters can be put into them.
    """
    own = dict(encoder(model).named_modules())
    for name, parameter in encoder(base).named_parameters():
        module, _, last = name.rpartition(".")
        if module in own and hasattr(own[module], last):
            setattr(own[module], last, parameter)
