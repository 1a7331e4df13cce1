"""What the adapters of peft share: the head that learns with them, and their mistakes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from nlp_transfer.errors import UserError, nearest
from nlp_transfer.models.trained import merged
from nlp_transfer.strategies.base import ADAPTERS, WEIGHTS, Kept, Strategy
from nlp_transfer.strategies.context import Outcome, RunContext, TransferRecipe

if TYPE_CHECKING:
    from peft import PeftConfig
    from transformers import PreTrainedModel

    from nlp_transfer.models.build import LoadedModel


class Adapter(Strategy):
    """A strategy that leaves the checkpoint's weights as they are and learns others beside them."""

    group: ClassVar[str] = ADAPTERS
    exclusive: ClassVar[tuple[str, ...]] = (WEIGHTS,)

    @property
    def keeps_adapter(self) -> bool:
        """It does, unless it can be merged."""
        return True

    def misfits(self, recipe: TransferRecipe) -> Iterator[str]:
        """Refuse a part of a checkpoint: an adapter fits the weights it learned on only."""
        if recipe.model.layers is not None:
            yield f"{self.name}: an adapter needs its base model whole; leave model.layers out"

    @abstractmethod
    def config(self, loaded: LoadedModel, task_type: str) -> PeftConfig:
        """Return peft's configuration.

        task_type: TOKEN_CLS or SEQ_CLS
        raises:    UserError when it does not fit the model
        """

    def choose_weights(self, loaded: LoadedModel, run: RunContext) -> LoadedModel:
        """Wrap the model with the adapter; the whole head is trained and saved with it."""
        from peft import get_peft_model

        is_tagger = type(loaded.model).__name__.endswith("ForTokenClassification")
        config = self.config(loaded, "TOKEN_CLS" if is_tagger else "SEQ_CLS")
        config.revision = run.recipe.model.revision  # it fits the weights it learned on only
        try:
            return replace(loaded, model=get_peft_model(loaded.model, config))
        except ValueError as error:
            raise UserError(f"strategies {self.name}: it does not fit: {error}") from None


class ModuleAdapter(Adapter):
    """An adapter that changes modules of the encoder, so that it can be merged into them."""

    merge: bool = Field(
        True, description="true: model/ is the merged model; adapter/ lies beside it in any case"
    )

    @property
    def keeps_adapter(self) -> bool:
        """Not where it is merged."""
        return not self.merge

    def finish(self, model: PreTrainedModel, outcome: Outcome) -> Kept:
        """Merge the adapter into the weights, if wanted."""
        return Kept(merged(model) if self.merge else model)


def check_modules(model: PreTrainedModel, names: Iterable[str], setting: str) -> None:
    """Refuse names that end the name of no module.

    setting: the recipe key that gives them
    """
    modules = [module for module, _ in model.named_modules() if module]
    for name in names:
        if not any(module == name or module.endswith(f".{name}") for module in modules):
            ends = sorted({module.rsplit(".", 1)[-1] for module in modules} - set("0123456789"))
            raise UserError(
                f"strategies {setting}: the model has no module {name!r}.{nearest(name, ends)} "
                f"Modules are called for instance {', '.join(modules[-3:])}."
            )
