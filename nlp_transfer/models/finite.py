"""A model in, the names of its weights that hold something else than numbers out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlp_transfer.errors import UserError, shortened

if TYPE_CHECKING:
    import torch
    from torch import nn


def not_finite(model: nn.Module) -> list[str]:
    """Name the parameters that hold NaN or infinity; waits for the device once.

    Of a model that is sharded, each process looks at its own part.
    """
    import torch

    own = {name: _own_part(parameter.detach()) for name, parameter in model.named_parameters()}
    parameters = {
        name: tensor
        for name, tensor in own.items()
        if tensor.is_floating_point() and tensor.numel()
    }
    if not parameters:
        return []
    # Both ends of a tensor are NaN where any of its values is.
    ends = torch.stack([torch.stack(p.aminmax()).float() for p in parameters.values()])
    are_finite = ends.isfinite().all(dim=1).tolist()
    return [name for name, finite in zip(parameters, are_finite, strict=True) if not finite]


def _own_part(tensor: torch.Tensor) -> torch.Tensor:
    part: torch.Tensor = tensor.to_local() if hasattr(tensor, "to_local") else tensor
    return part


def check_finite(
    model: nn.Module, where: str, *, advice: str = "Copy the model again, or take another one."
) -> None:
    """Refuse weights that hold NaN or infinity: all that they compute would be meaningless.

    where:  the setting that names the model, or what the model is, for the message
    advice: what to do next
    """
    if names := not_finite(model):
        count = sum(1 for _ in model.parameters())
        raise UserError(
            f"{where}: {len(names)} of {count} weights hold NaN or infinite values "
            f"({shortened(names, 3)}). {advice}"
        )
