"""Between two models: theta = lambda theta_S + (1 - lambda) theta_T (WiSE-FT).

source: Wortsman et al. 2022, Robust fine-tuning of zero-shot models
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from nlp_transfer.errors import UserError
from nlp_transfer.models.architecture import output_labels
from nlp_transfer.recipe import Checkpoint
from nlp_transfer.records import Splits
from nlp_transfer.strategies.base import ADAPTERS, Kept, Stage, Strategy
from nlp_transfer.strategies.context import Outcome, RunContext

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

log = logging.getLogger(__name__)

_KEY = "strategies interpolate: source"
_Share = Annotated[float, Field(ge=0, le=1)]


class Interpolate(Strategy):
    """Move the trained model part of the way back to where it started, or to another run."""

    stage: ClassVar[Stage] = Stage.KEPT
    # Moves what is kept so far, be it an average, towards the source.
    order: ClassVar[int] = 20

    model_config = ConfigDict(serialize_by_alias=True)

    excludes: ClassVar[tuple[str, ...]] = (ADAPTERS,)

    name: Literal["interpolate"] = "interpolate"
    share: _Share | None = Field(
        None,
        alias="lambda",
        examples=[0.3],
        description="of the source's weights, 0 to 1; null: the best of `grid` on validation",
    )
    grid: tuple[_Share, ...] = Field(
        (0.0, 0.1, 0.2, 0.3, 0.4, 0.5), min_length=1, max_length=100, description="shares to try"
    )
    source: Checkpoint | None = Field(
        None,
        description="run with the same labels; null: the checkpoint that the run starts from",
        examples=["runs/other"],
    )

    def reads(self) -> Mapping[str, str]:
        return {} if self.source is None else {"source": self.source}

    def check(self, splits: Splits, run: RunContext) -> None:
        """Refuse a source that does not fit."""
        from nlp_transfer.models.build import build_model
        from nlp_transfer.strategies.parts.weights import check_same_architecture

        if self.source is None:
            return
        source, task = run.models.open(self.source, _KEY), run.recipe.task
        head = task.head.new(splits.labels)
        if source.task.name != task.name or set(source.labels) != set(head.labels):
            raise UserError(
                f"{_KEY}: {self.source} is a model for {source.task.name} with the labels "
                f"{', '.join(source.labels)}; the run is for {task.name} with "
                f"{', '.join(head.labels)}. Choose a run of the same task and labels."
            )
        start = build_model(run.start, head, run.recipe.model)
        check_same_architecture(start, source.loaded, f"{_KEY}: the run and {self.source}")
        run.models.close(self.source)  # until the run is trained

    def finish(self, model: PreTrainedModel, outcome: Outcome) -> Kept:
        """Choose the share on validation, unless it is given, and mix."""
        from nlp_transfer.strategies.parts.weights import copy_weights, weighted_sum

        trained = copy_weights(model)
        source = {**trained, **self._source_weights(model, outcome)}
        shares = self.grid if self.share is None else (self.share,)
        scores = {}
        for share in shares:
            model.load_state_dict(weighted_sum([trained, source], [1 - share, share]))
            scores[share] = outcome.score(model)
            log.info("interpolate: lambda %g  validation %.4f", share, scores[share])
        best = max(sorted(scores), key=lambda share: scores[share])
        model.load_state_dict(weighted_sum([trained, source], [1 - best, best]))
        log.info("interpolate: lambda %g is kept", best)
        found = [{"lambda": share, "score": score} for share, score in scores.items()]
        return Kept(model, {"lambda": best, "validation": found})

    def _source_weights(self, model: PreTrainedModel, outcome: Outcome) -> dict[str, torch.Tensor]:
        """Return the weights that the trained model is mixed with; what is missing stays."""
        from nlp_transfer.models.build import build_model
        from nlp_transfer.strategies.parts.weights import copy_weights, in_label_order

        run, labels = outcome.run, output_labels(model.config)
        if self.source is None:
            head = replace(run.recipe.task.head.new(()), labels=tuple(labels))
            weights = copy_weights(build_model(run.start, head, run.recipe.model).model)
            return {name: weights[name] for name in weights if name not in outcome.new_parameters}
        source = run.models.open(self.source, _KEY)
        return in_label_order(source.loaded.model, source.labels, labels)
