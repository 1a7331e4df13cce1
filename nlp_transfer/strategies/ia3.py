"""IA3: learned vectors rescale keys, values and feed-forward activations (Liu et al. 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from nlp_transfer.strategies.adapters import adapted
from nlp_transfer.strategies.base import WEIGHTS, Outcome, Strategy

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Ia3(Strategy):
    """Train rescaling vectors and the head."""

    exclusive: ClassVar[tuple[str, ...]] = (WEIGHTS,)

    name: Literal["ia3"] = "ia3"
    target_modules: list[str] | None = Field(
        None, description="names of the modules to rescale; null: those peft knows for the family"
    )
    feedforward_modules: list[str] | None = Field(
        None, description="those of target_modules whose input is rescaled, not their output"
    )
    merge: bool = Field(True, description="true: model/ is the merged model")

    @model_validator(mode="after")
    def _both_or_none(self) -> Ia3:
        if (self.target_modules is None) != (self.feedforward_modules is None):
            raise ValueError("target_modules and feedforward_modules go together; give both")
        if set(self.feedforward_modules or ()) - set(self.target_modules or ()):
            raise ValueError("feedforward_modules must be among target_modules")
        return self

    def prepare_model(self, model: PreTrainedModel, new_parameters: frozenset[str]) -> Any:
        """Wrap the model with rescaling vectors."""
        return adapted(
            model,
            new_parameters,
            "IA3Config",
            self.name,
            target_modules=self.target_modules,
            feedforward_modules=self.feedforward_modules,
        )

    def finish(self, model: Any, outcome: Outcome) -> Any:
        """Multiply the vectors into the weights, if wanted."""
        return model.merge_and_unload() if self.merge else model
