"""What the adapters of peft share: the head that learns with them, and how mistakes are said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nlp_transfer.errors import UserError
from nlp_transfer.strategies.base import head_parameters

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def adapted(
    model: PreTrainedModel, new_parameters: frozenset[str], kind: str, name: str, **settings: Any
) -> Any:
    """Wrap a model with an adapter; the whole head is trained and saved with it.

    kind:     name of peft's configuration class
    name:     of the strategy, for error messages
    settings: of the configuration
    """
    import peft

    is_ner = type(model).__name__.endswith("ForTokenClassification")
    config = getattr(peft, kind)(
        task_type=peft.TaskType.TOKEN_CLS if is_ner else peft.TaskType.SEQ_CLS,
        modules_to_save=_head_modules(model, new_parameters),
        **settings,
    )
    try:
        return peft.get_peft_model(model, config)
    except ValueError as error:
        raise UserError(f"strategies {name}: target_modules does not fit: {error}") from None


def _head_modules(model: PreTrainedModel, new_parameters: frozenset[str]) -> list[str]:
    """Name the modules of the head: children outside the encoder, and a pooler that is new."""
    encoder = model.base_model_prefix
    names = set()
    for parameter in head_parameters(model, new_parameters):
        parts = parameter.split(".")
        names.add(parts[0] if parts[0] != encoder else parts[1])
    return sorted(names)
