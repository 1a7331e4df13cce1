"""The tasks that a run learns in; their examples, checked, and then their windows out."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from datasets import Dataset

from nlp_transfer.data.raw_words import RawWords
from nlp_transfer.errors import UserError
from nlp_transfer.inference.predictor import Predictor
from nlp_transfer.models.build import LoadedModel
from nlp_transfer.models.checkpoint import resolve_checkpoint
from nlp_transfer.recipe import TrainingSection
from nlp_transfer.records import EncodedSplit, Repeats, Splits
from nlp_transfer.strategies.context import OpenModels, RunContext, TransferRecipe
from nlp_transfer.strategies.plan import Plan, PlannedTask
from nlp_transfer.strategies.steps import said_in_vain
from nlp_transfer.tasks.splits import check_lost, load_repeats, load_splits
from nlp_transfer.training.choosing import needed_splits
from nlp_transfer.training.fingerprints import FACTS_KEY, Read, what_is_read
from nlp_transfer.training.prepared import encode_or_load

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TaskExamples:
    """A task that a run learns, and its examples."""

    planned: PlannedTask
    run: RunContext
    splits: Splits
    needed: tuple[str, ...]
    """The splits that the run reads."""
    read: Read
    """Fingerprints of all that was read, before any strategy added rows."""
    repeats: Mapping[str, Repeats]
    """What of each scored split is not new, before any strategy added rows."""
    raw_words: RawWords | None
    """How raw text will be split for the model; None where it is not split into words."""

    @property
    def recipe(self) -> TransferRecipe:
        """Its run as if it were alone."""
        return self.planned.recipe


@dataclass(frozen=True)
class SplitData:
    """One split as rows and as windows."""

    rows: Dataset
    encoded: EncodedSplit


@dataclass(frozen=True)
class TaskWindows(TaskExamples):
    """A task as the model reads it."""

    loaded: LoadedModel
    data: Mapping[str, SplitData]


def load(plan: Plan, earlier_round: Path | None = None) -> list[TaskExamples]:
    """Load and check the examples of every task, the recipe's own first.

    earlier_round: where the run of the round before lies, if the plan has one
    raises:        UserError before any time is spent on a model
    """
    earlier = str(earlier_round) if plan.earlier and earlier_round else None
    start = earlier if plan.starts_at_earlier else None
    return [_loaded(t, None, None) if t.name else _loaded(t, earlier, start) for t in plan.tasks]


def _loaded(task: PlannedTask, earlier_round: str | None, start_at: str | None) -> TaskExamples:
    """Load and check the examples of a task.

    start_at: the run whose model it starts from, if not from the recipe's checkpoint
    """
    recipe = task.recipe
    if task.name:
        log.info("side task %s:", task.name)
    with _naming(task):
        start = resolve_checkpoint(recipe.model.checkpoint, revision=recipe.model.revision)
        needed = needed_splits(recipe)
        splits = task.splits or load_splits(recipe, needed)
        _say_unread(recipe)
        models = OpenModels(partial(_opened, recipe.training))
        begin = start if start_at is None else resolve_checkpoint(start_at)
        run = RunContext(recipe, begin, models, earlier_round)
        for strategy in recipe.strategies:
            strategy.check(splits, run)
        return TaskExamples(
            planned=task,
            run=run,
            splits=splits,
            needed=needed,
            raw_words=_measured(recipe, splits),
            repeats=load_repeats(
                recipe.task, splits, [split for split in needed if split != "train"]
            ),
            read=what_is_read(recipe, splits, needed, start=start),
        )


def _say_unread(recipe: TransferRecipe) -> None:
    """Warn of what a recipe says and nothing learns from: unlabelled texts, settings of steps."""
    if recipe.data.unlabelled and not any(one.reads_unlabelled for one in recipe.strategies):
        log.warning(
            "data.unlabelled is not read: no strategy of the recipe learns from it (pseudo_labels "
            "does, where its texts are null)"
        )
    in_vain = ", ".join(said_in_vain(recipe))
    if in_vain:
        log.warning(
            "not read: %s. The head is fitted without gradient steps; strategies frozen: layers: N "
            "or head: trained lets steps be taken",
            in_vain,
        )


def _opened(training: TrainingSection, name: str, key: str) -> Predictor:
    # In the run's precision a teacher's states are what its student's should be, and as fast.
    precision, fast = training.precision, training.fast_cpu
    return Predictor.from_run(name, engine="torch", setting=key, precision=precision, fast_cpu=fast)


def _measured(recipe: TransferRecipe, splits: Splits) -> RawWords | None:
    """Compare the words of the training data with those that raw text will be split into."""
    words = recipe.task.rows.raw_words(splits, recipe.data)
    if words is not None and words.is_low:
        log.warning("train: %s; nlpt inspect shows where, and what fits better", words.describe())
    return words


def read_again(plan: Plan) -> dict[str, Any]:
    """Fingerprint what a run would read now, as data.json has it; no model is loaded.

    raises: UserError where the data cannot be read
    """
    return of_all(plan.tasks, [_read_now(task.recipe) for task in plan.tasks])


def _read_now(recipe: TransferRecipe) -> dict[str, Read]:
    splits, needed = recipe.task.rows.load(recipe.data), needed_splits(recipe)
    if absent := [split for split in needed if split not in splits]:
        raise UserError(f"The data has no {absent[0]} split ({', '.join(splits)}).")
    return {"read": what_is_read(recipe, splits, needed)}


def add_rows(tasks: Sequence[TaskExamples]) -> list[TaskExamples]:
    """Let the strategies of each task add training rows, or alter them."""
    return [replace(task, splits=_with_rows(task)) for task in tasks]


def _with_rows(task: TaskExamples) -> Splits:
    splits = task.splits
    with _naming(task.planned):
        for strategy in task.recipe.strategies:
            splits = strategy.add_rows(splits, task.run)
    return splits


def encode(
    tasks: Sequence[TaskExamples], models: Sequence[LoadedModel], *, processes: int = 0
) -> list[TaskWindows]:
    """Cut the examples of every task into the windows that its model reads.

    models:    one a task
    processes: encode with so many and keep it for the next run; 0: not kept
    """
    return [_encoded(task, loaded, processes) for task, loaded in zip(tasks, models, strict=True)]


def _encoded(task: TaskExamples, loaded: LoadedModel, processes: int) -> TaskWindows:
    recipe, splits = task.recipe, task.splits
    data = {}
    with _naming(task.planned):
        for split in task.needed:
            encoded = encode_or_load(recipe, splits, split, loaded, processes=processes)
            ledger = encoded.ledger + recipe.task.rows.unseen(splits, split)
            check_lost(recipe, split, ledger)
            data[split] = SplitData(splits[split], replace(encoded, ledger=ledger))
    return TaskWindows(**vars(task), loaded=loaded, data=data)


@contextlib.contextmanager
def _naming(task: PlannedTask) -> Iterator[None]:
    """Say of which task an error is, where it is not the recipe's own."""
    try:
        yield
    except UserError as error:
        if not task.key:
            raise
        raise UserError(f"{task.key}: {error}") from None


def of_all(tasks: Sequence[PlannedTask], said: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Put what is said of the own task first, and below `tasks` what is of others, by name."""
    own, *others = said
    along = {task.name: of for task, of in zip(tasks[1:], others, strict=True)}
    return {**own, **({"tasks": along} if along else {})}


def describe_data(task: TaskWindows) -> dict[str, Any]:
    """Describe the data of a task for data.json: fingerprints, counts, losses, repeats."""
    return {
        "splits": {split: _split_json(task, split) for split in task.data},
        "labels": list(task.splits.labels),
        "read": task.read,
        **({FACTS_KEY: task.planned.facts.as_dict()} if task.planned.facts else {}),
        **({"words": task.raw_words.as_dict()} if task.raw_words else {}),
    }


def _split_json(task: TaskWindows, split: str) -> dict[str, Any]:
    described = {
        "sha256": task.splits.fingerprints[split],
        "examples": len(task.splits[split]),
        "ledger": task.data[split].encoded.ledger.as_dict(),
    }
    if split in task.repeats:
        described["repeats"] = task.repeats[split].as_dict()
    return described
