"""LoRA: small low-rank matrices learn beside the frozen weights (Hu et al. 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from nlp_transfer.errors import UserError
from nlp_transfer.strategies.base import WEIGHTS, Outcome, Strategy, head_parameters

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
    merge: bool = Field(
        True,
        description="true: model/ is the merged model; adapter/ lies beside it in any case",
    )

    def prepare_model(self, model: PreTrainedModel, new_parameters: frozenset[str]) -> Any:
        """Wrap the model with adapters; the whole head is trained and saved with them."""
        from peft import LoraConfig, TaskType, get_peft_model

        is_ner = type(model).__name__.endswith("ForTokenClassification")
        config = LoraConfig(
            task_type=TaskType.TOKEN_CLS if is_ner else TaskType.SEQ_CLS,
            r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            target_modules=self.target_modules,
            modules_to_save=_head_modules(model, new_parameters),
        )
        try:
            return get_peft_model(model, config)
        except ValueError as error:
            raise UserError(f"strategies lora: target_modules does not fit: {error}") from None

    def finish(self, model: Any, outcome: Outcome) -> Any:
        """Merge the adapters into the weights, if wanted."""
        return model.merge_and_unload() if self.merge else model


def _head_modules(model: PreTrainedModel, new_parameters: frozenset[str]) -> list[str]:
    """Name the modules of the head: children outside the encoder, and a pooler that is new."""
    encoder = model.base_model_prefix
    names = set()
    for parameter in head_parameters(model, new_parameters):
        parts = parameter.split(".")
        names.add(parts[0] if parts[0] != encoder else parts[1])
    return sorted(names)
