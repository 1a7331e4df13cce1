"""Word embeddings in training: rows of pieces that no training window holds are left out of it.

Such a row gets no gradient, so AdamW's moments of it stay 0 and weight decay alone changes it.
Left out, it needs no gradient, no moments and hardly any time. Of XLM-R base's 278 million
parameters 192 million are rows of 250,002 pieces, of which one language needs a small part.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from nlp_transfer.files import write_json

_DECAYS = "seen_rows.json"
"""File of a checkpoint."""


class SeenRows(nn.Module):
    """Embeds as the module that it stands for; its parameter is the rows that training reads.

    In evaluation mode it embeds every piece. State dicts hold the whole weight, in its own order.
    """

    _places: torch.Tensor
    """The row of each piece: seen ones come first."""

    def __init__(self, embedding: nn.Embedding, seen: torch.Tensor) -> None:
        """Take over the weight of an embedding, which is of no use until `give_back`.

        seen: (rows,) the ids that training reads, each once
        """
        super().__init__()
        self._table = embedding.weight.data
        is_seen = torch.zeros(len(self._table), dtype=torch.bool, device=self._table.device)
        is_seen[seen] = True
        order = torch.cat([is_seen.nonzero(), (~is_seen).nonzero()]).squeeze(1)
        self._table.copy_(self._table[order])
        self.register_buffer("_places", order.argsort(), persistent=False)
        padding = embedding.padding_idx  # its row stays as it is
        place = len(order) if padding is None else int(self._places[padding])
        self._padding = place if place < len(seen) else None
        self.weight = nn.Parameter(self._table[: len(seen)].clone())
        self._decay = 1.0  # of the other rows, since the table was last written
        self._decays: list[float] = []  # those that it was written with
        self._has_decayed = False
        self.register_state_dict_post_hook(_save_whole)
        self.register_load_state_dict_pre_hook(_load_whole)
        self.train(embedding.training)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Embed pieces, in training mode only those that are seen."""
        rows = self.weight if self.training else self._table
        return nn.functional.embedding(self._places[ids], rows, self._padding)

    def train(self, mode: bool = True) -> SeenRows:
        """Switch between training and evaluation, which reads what was learned until then."""
        if not mode:
            self._write()
        return super().train(mode)

    def decay_others(self, optimizer: torch.optim.Optimizer, *_: object) -> None:
        """Let the other rows decay as AdamW does it; a hook for after its step."""
        if self.weight.grad is None:
            return
        for group in optimizer.param_groups:
            if any(parameter is self.weight for parameter in group["params"]):
                self._decay *= 1 - float(group["lr"]) * group["weight_decay"]

    def whole(self) -> torch.Tensor:
        """Return a copy of all rows, in the order of the ids."""
        others = self._table[len(self.weight) :]
        return torch.cat([self.weight.detach(), others * self._decay])[self._places]

    def keep_decays(self, checkpoint: Path) -> None:
        """Write into a checkpoint how the other rows have come to be what they are."""
        write_json(checkpoint / _DECAYS, [*self._decays, self._decay])

    def decay_as_before(self, checkpoint: Path) -> None:
        """Let the other rows become what they were at a checkpoint, when its weights are read.

        The same products are taken once more: from the weights themselves a run would go on with
        other roundings than one that was never stopped.
        """
        if not (checkpoint / _DECAYS).is_file():
            return
        *decays, self._decay = json.loads((checkpoint / _DECAYS).read_text("utf-8"))
        for decay in decays:
            self._table[len(self.weight) :] *= decay
        self._decays, self._has_decayed = decays, True

    def give_back(self, embedding: nn.Embedding) -> None:
        """Return its weight to the embedding that it was taken from."""
        embedding.weight.data.copy_(self.whole())

    def take(self, weight: torch.Tensor) -> torch.Tensor:
        """Overwrite all rows but the parameter; weight: in the order of the ids.

        returns: what the parameter is to be
        """
        seen, weight = len(self.weight), weight.to(self._table)
        if self._has_decayed:  # the others are there already
            self._table[:seen] = weight[self._places.argsort()[:seen]]
            self._has_decayed = False
        else:
            self._table[self._places] = weight
            self._decay = 1.0
        return self._table[:seen]

    def _write(self) -> None:
        seen, others = self._table.tensor_split([len(self.weight)])
        seen.copy_(self.weight.detach())
        if self._decay != 1:
            others *= self._decay
            self._decays.append(self._decay)
            self._decay = 1.0


def _save_whole(rows: SeenRows, state: dict[str, Any], prefix: str, _: Any) -> None:
    state[f"{prefix}weight"] = rows.whole()


def _load_whole(rows: SeenRows, state: dict[str, Any], prefix: str, *_: object) -> None:
    name = f"{prefix}weight"
    if name in state:
        state[name] = rows.take(state[name])


@contextlib.contextmanager
def seen_rows(model: PreTrainedModel, ids: torch.Tensor) -> Iterator[SeenRows | None]:
    """Let a model learn only the word embeddings of some pieces, until the end of the context.

    ids:    (rows,) of the pieces that training reads, each once
    yields: what embeds meanwhile; None where the model is left as it is: its embeddings do not
            learn, have other uses (an output layer tied to them), or are of a kind of their own
    """
    embedding = model.get_input_embeddings()
    name = _plain_embedding(model, embedding)
    if name is None:
        yield None
        return
    rows = SeenRows(embedding, ids)
    model.set_submodule(name, rows)
    try:
        yield rows
    finally:
        rows.give_back(embedding)
        model.set_submodule(name, embedding.train(rows.training))


def _plain_embedding(model: nn.Module, embedding: nn.Module) -> str | None:
    if type(embedding) is not nn.Embedding or not embedding.weight.requires_grad:
        return None
    if embedding.max_norm is not None or embedding.scale_grad_by_freq or embedding.sparse:
        return None
    parameters = model.named_parameters(remove_duplicate=False)
    if sum(parameter is embedding.weight for _, parameter in parameters) > 1:
        return None
    return str(next(name for name, module in model.named_modules() if module is embedding))
