"""What the adapters of peft share: the head that learns with them, merging, and their mistakes."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from nlp_transfer.errors import UserError
from nlp_transfer.strategies.base import WEIGHTS, Outcome, Strategy, head_parameters

if TYPE_CHECKING:
    from peft import PeftConfig
    from transformers import PreTrainedModel


class Adapter(Strategy):
    """A strategy that leaves the checkpoint's weights as they are and learns others beside them."""

    exclusive: ClassVar[tuple[str, ...]] = (WEIGHTS,)

    name: str
    merge: bool = Field(
        True,
        description="true: model/ is the merged model; adapter/ lies beside it in any case",
    )

    @abstractmethod
    def config(self, **shared: Any) -> PeftConfig:
        """Return peft's configuration.

        shared: what is the same for all adapters: the task, and the modules of the head
        """

    def prepare_model(self, model: PreTrainedModel, new_parameters: frozenset[str]) -> Any:
        """Wrap the model with the adapter; the whole head is trained and saved with it."""
        from peft import TaskType, get_peft_model

        is_ner = type(model).__name__.endswith("ForTokenClassification")
        config = self.config(
            task_type=TaskType.TOKEN_CLS if is_ner else TaskType.SEQ_CLS,
            modules_to_save=_head_modules(model, new_parameters),
        )
        try:
            return get_peft_model(model, config)
        except ValueError as error:
            raise UserError(
                f"strategies {self.name}: target_modules does not fit: {error}"
            ) from None

    def finish(self, model: Any, outcome: Outcome) -> Any:
        """Merge the adapter into the weights, if wanted."""
        return model.merge_and_unload() if self.merge else model


def _head_modules(model: PreTrainedModel, new_parameters: frozenset[str]) -> list[str]:
    """Name the modules of the head: children outside the encoder, and a pooler that is new."""
    encoder = model.base_model_prefix
    names = set()
    for parameter in head_parameters(model, new_parameters):
        parts = parameter.split(".")
        names.add(parts[0] if parts[0] != encoder else parts[1])
    return sorted(names)
