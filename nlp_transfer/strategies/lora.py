"""LoRA: small low-rank matrices learn beside the frozen weights (Hu et al. 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from nlp_transfer.strategies.adapters import adapted
from nlp_transfer.strategies.base import WEIGHTS, Outcome, Strategy

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Lora(Strategy):
    """Train low-rank adapters and the head."""

    exclusive: ClassVar[tuple[str, ...]] = (WEIGHTS,)

    name: Literal["lora"] = "lora"
    rank: int = Field(16, ge=1)
    alpha: int = Field(32, ge=1, description="usually twice the rank")
    dropout: float = Field(0.05, ge=0, lt=1)
    target_modules: str | list[str] = Field(
        "all-linear", description="names of the modules to adapt, or all-linear"
    )
    dora: bool = Field(
        False, description="learn the length of each weight's columns apart (Liu et al. 2024)"
    )
    rslora: bool = Field(
        False, description="scale by alpha over the root of the rank (Kalajdzievski 2023)"
    )
    merge: bool = Field(
        True,
        description="true: model/ is the merged model; adapter/ lies beside it in any case",
    )

    def prepare_model(self, model: PreTrainedModel, new_parameters: frozenset[str]) -> Any:
        """Wrap the model with low-rank matrices."""
        return adapted(
            model,
            new_parameters,
            "LoraConfig",
            self.name,
            r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            target_modules=self.target_modules,
            use_dora=self.dora,
            use_rslora=self.rslora,
        )

    def finish(self, model: Any, outcome: Outcome) -> Any:
        """Merge the adapters into the weights, if wanted."""
        return model.merge_and_unload() if self.merge else model
