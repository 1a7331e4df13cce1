"""Windows in, what every layer of a model makes of their pieces out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nlp_transfer.inference.precision import autocast
from nlp_transfer.models.architecture import encoder

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel

_READ = ("input_ids", "attention_mask", "token_type_ids")
"""What of a batch an encoder reads."""


def hidden_states(
    model: PreTrainedModel | PeftModel,
    batch: Mapping[str, torch.Tensor],
    *,
    precision: str,
    fast_cpu: bool,
) -> Sequence[torch.Tensor]:
    """Compute the hidden states of windows, the embeddings' first, then one a layer.

    batch:   (windows, pieces) each, of the model's own tokenizer
    returns: (windows, pieces, hidden) each
    """
    import torch

    from nlp_transfer.models.fast_cpu import sped_up

    inputs = {name: batch[name] for name in _READ if name in batch}
    on = sped_up(model, enabled=fast_cpu)
    with on, torch.no_grad(), autocast(model.device.type, precision):
        states: Sequence[torch.Tensor] = encoder(model)(
            **inputs, output_hidden_states=True
        ).hidden_states
    return states
