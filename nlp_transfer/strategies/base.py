"""What a transfer strategy can hook into; every hook does nothing by default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypedDict

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from nlp_transfer.recipe import Section
from nlp_transfer.records import Splits
from nlp_transfer.strategies.context import (
    LossFunction,
    Outcome,
    OutputLayer,
    RunContext,
    TrainingData,
    TransferRecipe,
    Wrapper,
)

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel, TrainerCallback

    from nlp_transfer.models.build import LoadedModel
    from nlp_transfer.strategies.plan import Plan
    from nlp_transfer.tasks.base import Task


class ParameterGroup(TypedDict):
    """Parameters that share a learning rate."""

    params: list[nn.Parameter]
    lr: float


WEIGHTS = "which weights learn"
RATES = "the learning rate of each layer"
HEAD = "what the head starts as"
ADAPTERS = "adapters"
"""The group of strategies that leave the checkpoint's weights as they are, and learn others."""


class Stage(IntEnum):
    """When a strategy first acts, in the order of a run."""

    ROWS = 1
    """It changes what is learned from."""
    WEIGHTS = 2
    """It changes where the model starts, or which of its weights learn."""
    RATES = 3
    """It changes how fast weights learn."""
    LOSS = 4
    """It changes what is made smaller."""
    KEPT = 5
    """It changes which model is kept."""


class Kept(NamedTuple):
    """What a strategy makes of a trained model."""

    model: PreTrainedModel
    figures: Mapping[str, Any] = {}
    """What it has measured, for the training section of metrics.json."""


class Strategy(Section):
    """A way of transferring: its recipe section, whose fields are its hyper-parameters.

    The strategies of a recipe act by stage and order, however the recipe lists them.
    """

    stage: ClassVar[Stage]
    order: ClassVar[int]
    """Its rank among those of its stage; no two are equal."""
    exclusive: ClassVar[tuple[str, ...]] = ()
    """Decisions that only one strategy of a recipe may take."""
    group: ClassVar[str] = ""
    """What strategies that exclude it, and others like it, call them all."""
    excludes: ClassVar[tuple[str, ...]] = ()
    """Names of strategies, or of groups of them, that make no sense beside this one."""
    moves_all_weights: ClassVar[bool] = False
    """Whether weights that no training window reads have a gradient too."""
    not_under: ClassVar[tuple[Wrapper, ...]] = ()
    """Wrappers of a model under which it would do something else than it says."""
    experimental: ClassVar[bool] = False
    """Whether neither the methods that the field has agreed on nor its own measured row in
    docs/strategies.md speaks for it; the page says why."""

    name: str

    @property
    def in_words(self) -> str:
        """Say in a few words what it does, for the line that says what was chosen."""
        return self.name

    @property
    def keeps_adapter(self) -> bool:
        """Whether model/ of its runs holds an adapter and the head, not a whole model."""
        return False

    @property
    def reads_unlabelled(self) -> bool:
        """Whether it learns from `data.unlabelled`."""
        return False

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Say in the schema, which editors and docs/recipe.md show, what is experimental."""
        schema = super().__get_pydantic_json_schema__(core_schema, handler)
        if cls.experimental:
            own = handler.resolve_ref_schema(schema)
            own["description"] = f"Experimental: {own['description']}"
        return schema

    # When the recipe is read

    @staticmethod
    def needs(task: Task) -> object | None:
        """Return the face of a task that it works with; None where the task has none."""
        return task

    def misfits(self, recipe: TransferRecipe) -> Iterator[str]:
        """Say what of the recipe does not go with this strategy."""
        yield from ()

    def arguments(self) -> Mapping[str, Any]:
        """Return settings of transformers.TrainingArguments that the strategy depends on."""
        return {}

    def plan(self, plan: Plan) -> Plan:
        """Put a round before the run, or tasks that learn along beside its own."""
        return plan

    def reads(self) -> Mapping[str, str]:
        """Name the files and models that it reads, by the keys that they stand under."""
        return {}

    def reads_data(self, recipe: TransferRecipe) -> Mapping[str, Splits]:
        """Load the labelled data that it reads beside the recipe's, by the keys of it."""
        return {}

    @classmethod
    def acts_on_steps(cls) -> bool:
        """Tell whether it changes the steps of a training, or what they have led to."""
        hooks = ("param_groups", "wrap_loss", "callbacks", "finish")
        return any(getattr(cls, hook) is not getattr(Strategy, hook) for hook in hooks)

    # Before the run, once its data is there

    def check(self, splits: Splits, run: RunContext) -> None:
        """Refuse what cannot work with this data, before any time is spent."""

    # Rows

    def add_rows(self, splits: Splits, run: RunContext) -> Splits:
        """Add rows to the training split."""
        return splits

    # Weights

    def carry_over(self, loaded: LoadedModel, run: RunContext) -> LoadedModel:
        """Take more over from the checkpoint than its encoder."""
        return loaded

    def choose_weights(self, loaded: LoadedModel, run: RunContext) -> LoadedModel:
        """Choose which weights of the model learn, or put others that do beside them.

        raises: UserError when it does not fit the model
        """
        return loaded

    def fit_head(self, layer: OutputLayer) -> Mapping[str, Any]:
        """Set the output layer of a task at once, before the first step; all processes do.

        returns: what was found, for the training section of metrics.json; empty: nothing was set
        """
        return {}

    @property
    def takes_steps(self) -> bool:
        """Whether anything is left to learn by gradient steps."""
        return True

    # Rates

    def param_groups(self, model: nn.Module, learning_rate: float) -> Sequence[ParameterGroup]:
        """Return the parameters that learn at a rate of their own; what decays stays as it is."""
        return []

    # Loss

    def wrap_loss(self, loss: LossFunction, data: TrainingData) -> LossFunction:
        """Change the loss."""
        return loss

    # While it learns, and what is kept

    def callbacks(self) -> Sequence[TrainerCallback]:
        """Return callbacks for the Trainer."""
        return []

    def finish(self, model: PreTrainedModel, outcome: Outcome) -> Kept:
        """Turn the trained model into the one that is kept."""
        return Kept(model)
