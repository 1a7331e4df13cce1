"""Transfer through a task in between: a fine-tuned checkpoint is the start of another run."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from nlp_transfer.data.formats import AnyData
from nlp_transfer.doctor.finding import counted
from nlp_transfer.errors import UserError, shortened
from nlp_transfer.models.architecture import head_parameters, is_fine_tuned, output_layer
from nlp_transfer.models.loading import load_config
from nlp_transfer.models.pooling import pooling_of
from nlp_transfer.records import Splits
from nlp_transfer.strategies.base import ADAPTERS, HEAD, Stage, Strategy
from nlp_transfer.strategies.context import FineTuned, RunContext, TransferRecipe
from nlp_transfer.strategies.parts.corpora import Corpus, as_one
from nlp_transfer.strategies.plan import Plan
from nlp_transfer.tasks.base import Task

if TYPE_CHECKING:
    from nlp_transfer.models.build import LoadedModel

log = logging.getLogger(__name__)

_KEY = "model.checkpoint"
_DATA = "strategies intermediate_task: data"
_EPOCHS = 3.0


def _sections(value: object) -> object:
    """Read the source of a corpus, one section, or a list of either."""
    values = value if isinstance(value, list | tuple) else [value]
    return [{"source": one} if isinstance(one, str) else one for one in values]


Corpora = Annotated[
    tuple[AnyData, ...],
    BeforeValidator(_sections, json_schema_input_type=AnyData | str | list[AnyData | str]),
]


class IntermediateTask(Strategy):
    """Start from a model of another task: a fine-tuned checkpoint, or corpora learned first.

    source: Phang et al. 2018 (STILTs)
    """

    stage: ClassVar[Stage] = Stage.ROWS
    # After pseudo_labels, whose teacher learns the corpora; and it says what the head starts from
    # before anything of a later stage asks what starts at random.
    order: ClassVar[int] = 60

    name: Literal["intermediate_task"] = "intermediate_task"
    data: Corpora = Field(
        (),
        max_length=100,
        description="corpora of the same task, with any labels, that are learned first, as one; "
        "none: model.checkpoint is a fine-tuned model",
        examples=[{"source": "wnut17"}, ["corpora/politics", "corpora/music"]],
    )
    head: Literal["new", "matched"] | None = Field(
        None,
        description="matched: labels of the same name keep what was learned; null: matched where "
        "data shares labels, else new",
    )
    epochs: float = Field(
        _EPOCHS, gt=0, le=100_000, description="of the corpora; the run's own are training.epochs"
    )
    only_data: bool = Field(
        False, description="learn the corpora alone, as the round before the run does"
    )

    @model_validator(mode="after")
    def _has_data(self) -> IntermediateTask:
        if self.only_data and not self.data:
            raise ValueError("only_data: there is no data to learn")
        if not self.data and self.epochs != _EPOCHS:
            raise ValueError("epochs are of data, and there is none; training.epochs are the run's")
        for key in ("test_share", "slices", "unlabelled"):
            if any(key in corpus.said() for corpus in self.data):
                raise ValueError(f"data: {key} is not used of a corpus that comes first")
        return self

    @property
    def in_words(self) -> str:
        if not self.data:
            return "head carried over by label" if self.head == "matched" else self.name
        corpora = counted(len(self.data), "corpus", "corpora")
        return f"{corpora} {'alone' if self.only_data else 'first'}"

    def misfits(self, recipe: TransferRecipe) -> Iterator[str]:
        """Refuse what would be lost, or could not learn corpora."""
        if self.only_data and {*recipe.evaluation.splits} != {"validation"}:
            yield "intermediate_task: only_data has no test. Set evaluation.splits=[validation]"
        for other in recipe.strategies:
            if self.head == "matched" and _fits_head(other):
                yield (
                    f"'intermediate_task' with head: matched is lost where '{other.name}' fits the "
                    "head; keep one"
                )
            if self.data and (other.group == ADAPTERS or not other.takes_steps):
                yield (
                    "intermediate_task: data is learned by weights of the checkpoint, which "
                    f"'{other.name}' leaves as they are. Learn the corpora in a run of their own, "
                    "and name it as model.checkpoint"
                )
            if self.only_data and other.stage == Stage.ROWS and other is not self:
                yield f"intermediate_task: only_data learns nothing of '{other.name}'; keep one"

    def plan(self, plan: Plan) -> Plan:
        """Put the round before that learns the corpora; a teacher that has one hands it on."""
        if not self.data or self.only_data:
            return plan
        return replace(
            plan, earlier=plan.earlier or self._round_before(plan.recipe), starts_at_earlier=True
        )

    def _round_before(self, recipe: TransferRecipe) -> TransferRecipe:
        """Learn the corpora, by the same weights and rates as the run itself."""
        kept = [one for one in recipe.strategies if one.stage in (Stage.WEIGHTS, Stage.RATES)]
        strategies = [self.model_copy(update={"only_data": True}), *kept]
        training = recipe.training.model_copy(update={"epochs": self.epochs})
        if isinstance(training.class_weights, dict):  # they name classes of the run's own data
            training = training.model_copy(update={"class_weights": None})
        scored = {"splits": ("validation",), "max_lost_entities": None}
        return recipe.model_copy(
            update={
                "task": recipe.task.of_other_labels(),
                "data": recipe.data.model_copy(update={"slices": (), "unlabelled": None}),
                "model": recipe.model.model_copy(update={"layers": None}),
                "strategies": strategies,
                "training": training,
                "evaluation": recipe.evaluation.model_copy(update=scored),
            }
        )

    def reads_data(self, recipe: TransferRecipe) -> Mapping[str, Splits]:
        return {corpus.key: corpus.splits for corpus in self._corpora(recipe.task)}

    def _corpora(self, task: Task) -> list[Corpus]:
        keys = [_DATA] if len(self.data) == 1 else [f"{_DATA}.{n}" for n in range(len(self.data))]
        return [Corpus.load(key, data, task) for key, data in zip(keys, self.data, strict=True)]

    def add_rows(self, splits: Splits, run: RunContext) -> Splits:
        """Put the corpora in the place of the run's own data, in the round that learns them."""
        if not self.only_data:
            return splits
        task = run.recipe.task
        joined = as_one(self._corpora(task), splits, task, setting=_DATA)
        if self.head == "matched":
            _check_shared(joined.labels, splits.labels, _DATA)
        return joined

    def check(self, splits: Splits, run: RunContext) -> None:
        """Refuse a checkpoint that is not fine-tuned, or whose head cannot be matched."""
        trusted = run.recipe.model.trust_remote_code
        config = load_config(run.start, _KEY, trust_remote_code=trusted)
        if not self.data and not is_fine_tuned(config):
            raise UserError(
                f"{_KEY}: {run.recipe.model.checkpoint} has no head to start from. Name one that "
                "is fine-tuned, or corpora (data: SOURCE in strategies intermediate_task)."
            )
        source, task = self._source(run), run.recipe.task
        if source is not None and self.head == "matched" and not self.data:
            if source.task.name != task.name:
                raise UserError(
                    f"{_KEY} is a model for {source.task.name}, the recipe is for {task.name}: its "
                    "head does not fit. Set head: new in strategies intermediate_task."
                )
            _check_shared(source.labels, task.head.new(splits.labels).labels, _KEY)

    def carry_over(self, loaded: LoadedModel, run: RunContext) -> LoadedModel:
        """Take the matching rows of the head over."""
        if (source := self._source(run)) is None:
            return loaded
        run.models.close(str(run.start))
        labels: list[str] = list(loaded.model.config.label2id)
        shared = [label for label in labels if label in source.labels]
        fitted = any(map(_fits_head, run.recipe.strategies))
        is_matched = self.data and not fitted and _shared(labels, source.labels)
        if not (self.head == "matched" or (self.head is None and is_matched)):
            return loaded
        pooling = pooling_of(source.loaded.model.config)
        if pooling_of(loaded.model.config) != pooling:
            raise UserError(
                f"model.pooling: the head of this checkpoint reads {pooling}, so that it cannot "
                "be carried over. Leave model.pooling out, or set head: new in strategies "
                "intermediate_task."
            )
        output = _copy_head(source, loaded, shared)
        unmatched = [label for label in labels if label not in shared]
        log.info("head carried over for the labels %s", shortened(shared))
        new = loaded.new_parameters - head_parameters(loaded.model)
        if unmatched:
            log.info("head starts at random for the labels %s", shortened(unmatched))
            new |= {name for name in loaded.new_parameters if name.startswith(f"{output}.")}
        return replace(loaded, new_parameters=new, known_labels=frozenset(shared))

    def _source(self, run: RunContext) -> FineTuned | None:
        """Open the model that the run starts from; None where corpora are yet to be learned."""
        if self.only_data or (self.data and run.earlier_round is None):
            return None
        return run.models.open(str(run.start), _DATA if self.data else _KEY)


def _fits_head(strategy: Strategy) -> bool:
    return HEAD in strategy.exclusive or not strategy.takes_steps


def _shared(labels: Sequence[str], others: Sequence[str]) -> set[str]:
    return set(labels) & set(others) - {"O"}


def _check_shared(theirs: Sequence[str], own: Sequence[str], key: str) -> None:
    """Refuse a head that shares no label but O.

    key: the recipe key that the head is from
    """
    if not _shared(theirs, own):
        raise UserError(
            f"{key} shares no label with the data of the run. There: {shortened(theirs)}. "
            f"Data: {shortened(own)}. Set head: new in strategies intermediate_task."
        )


def _copy_head(source: FineTuned, loaded: LoadedModel, shared: list[str]) -> str:
    """Copy the head: of the output layer the rows of shared labels, all of the layers below it.

    returns: name of the output layer
    """
    import torch

    target = loaded.model
    output = output_layer(target)
    taken = [source.labels.index(label) for label in shared]
    given = [target.config.label2id[label] for label in shared]
    weights = dict(source.loaded.model.named_parameters())
    with torch.no_grad():
        for name in head_parameters(target):
            own, other = target.get_parameter(name), weights[name].to("cpu")
            if name.startswith(f"{output}."):
                own[given] = other[taken]
            else:
                own.copy_(other)
    return output
