"""A head that reads the names of the labels: its rows start as what the encoder makes of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from nlp_transfer.errors import UserError, nearest
from nlp_transfer.models.architecture import output_labels, output_layer
from nlp_transfer.models.features import reading
from nlp_transfer.records import Splits
from nlp_transfer.strategies.base import Stage, Strategy
from nlp_transfer.strategies.context import RunContext, TransferRecipe
from nlp_transfer.strategies.parts.label_words import in_words

if TYPE_CHECKING:
    import torch

    from nlp_transfer.models.build import LoadedModel

log = logging.getLogger(__name__)

_OWN_LOGIT = 2.0
"""The logit of a name for its own label, on average: a start that a few steps can overrule."""
_OUTSIDE = "O"


class LabelNames(Strategy):
    """Let the output layer start from the names, or descriptions, of the types or classes.

    Rows that were carried over from another head stay.

    source: after Ma et al. 2022, "Label Semantics for Few Shot Named Entity Recognition", whose
            second encoder is left out here
    """

    stage: ClassVar[Stage] = Stage.WEIGHTS
    # Before weights are chosen: it asks the checkpoint as it is.
    order: ClassVar[int] = 15

    excludes: ClassVar[tuple[str, ...]] = ("linear_probe",)
    experimental: ClassVar[bool] = True

    name: Literal["label_names"] = "label_names"
    descriptions: dict[str, Annotated[str, Field(min_length=1, max_length=1000)]] = Field(
        default_factory=dict,
        description="what to read in the place of the names of some types or classes",
        examples=[{"PER": "a person's name"}],
    )

    def misfits(self, recipe: TransferRecipe) -> Iterator[str]:
        """Refuse a start that another strategy would overwrite."""
        for other in recipe.strategies:
            if not other.takes_steps:
                yield f"label_names is lost where '{other.name}' fits the head at once; keep one"

    def check(self, splits: Splits, run: RunContext) -> None:
        """Refuse a description of what the data has not."""
        for name in self.descriptions:
            if name not in splits.labels:
                raise UserError(
                    f"strategies label_names: descriptions: the data has no {name!r} "
                    f"({', '.join(splits.labels)}).{nearest(name, splits.labels)}"
                )

    def carry_over(self, loaded: LoadedModel, run: RunContext) -> LoadedModel:
        """Set the rows of the output layer by what it reads of the names."""
        import torch

        head, model = run.recipe.task.head, loaded.model
        classes = {label: head.class_of(label) for label in output_labels(model.config)}
        names = sorted({name for name in classes.values() if name != _OUTSIDE})
        texts = [self.descriptions.get(name) or in_words(name) for name in names]
        read = _read(loaded, texts)
        middle = read.mean(dim=0)
        away = read - middle
        rows = away * (_OWN_LOGIT / away.square().sum(dim=1).mean().clamp_min(1e-6))
        of = dict(zip(names, rows, strict=True))
        layer: Any = model.get_submodule(output_layer(model))
        with torch.no_grad():
            for index, (label, name) in enumerate(classes.items()):
                if label in loaded.known_labels:
                    continue
                row = of.get(name, torch.zeros_like(middle))
                # What started at random stays, so that B- and I- of a type can part.
                layer.weight[index] += row.to(layer.weight)
                if layer.bias is not None:
                    layer.bias[index] = -float(row @ middle)
        log.info("head starts from the names of %d labels", len(names))
        return loaded


def _read(loaded: LoadedModel, texts: Sequence[str]) -> torch.Tensor:
    """Compute what the output layer reads of texts; of pieces, their mean.

    returns: (texts, width) float32
    """
    import torch

    inputs = loaded.tokenizer(
        list(texts), padding=True, truncation=True, max_length=64, return_tensors="pt",
        return_special_tokens_mask=True,
    )  # fmt: skip
    counts = (1 - inputs.pop("special_tokens_mask")).unsqueeze(-1).float()
    found: list[torch.Tensor] = []
    layer = loaded.model.get_submodule(output_layer(loaded.model))
    with torch.no_grad(), reading(layer, found):
        loaded.model(**inputs)
    read = found[0].float()
    if read.dim() == 2:
        return read
    mean: torch.Tensor = (read * counts).sum(dim=1) / counts.sum(dim=1).clamp_min(1)
    return mean
