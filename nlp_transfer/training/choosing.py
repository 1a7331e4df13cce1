"""A recipe in, the same without `auto` out: what that stands for fits data and checkpoint."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from datasets import Dataset

from nlp_transfer.models.architecture import is_fine_tuned, layers_of, output_labels
from nlp_transfer.models.build import outline
from nlp_transfer.models.checkpoint import resolve_checkpoint
from nlp_transfer.models.loading import load_tokenizer
from nlp_transfer.recipe.reader import check_paths
from nlp_transfer.records import Splits
from nlp_transfer.strategies.auto_rules import Facts
from nlp_transfer.strategies.context import TransferRecipe
from nlp_transfer.strategies.plan import Plan, plan_of
from nlp_transfer.strategies.resolving import RecipeT, in_words, is_open, resolved_by
from nlp_transfer.tasks.splits import load_splits

log = logging.getLogger(__name__)

_SAMPLE = 500
"""Examples whose pieces are counted: their mean is known to a few percent."""


AsReadT = TypeVar("AsReadT", bound=TransferRecipe, covariant=True)


@dataclass(frozen=True)
class Resolved(Generic[AsReadT]):
    """A recipe that leaves nothing to `auto`, and what was read to resolve it."""

    recipe: AsReadT
    facts: Facts | None = None
    """The facts by which it was chosen; None: the recipe left nothing to `auto`."""
    splits: Splits | None = None
    """Its data, where it was read."""


def resolve(recipe: RecipeT, known: Facts | None = None) -> Resolved[RecipeT]:
    """Choose what a recipe leaves to `auto`; one that leaves nothing to it is as it was.

    known:  the facts of a run that has begun, which goes on as it began
    raises: UserError for what a run would refuse of data and checkpoint
    """
    if not is_open(recipe):
        return Resolved(recipe)
    splits = None
    if known is None:
        check_paths(recipe)
        folder = resolve_checkpoint(recipe.model.checkpoint, revision=recipe.model.revision)
        splits = load_splits(recipe, needed_splits(recipe))
        known = facts_of(recipe, splits, folder)
    resolved = resolved_by(recipe, known)
    log.info("auto: %s", in_words(resolved, known))
    return Resolved(resolved, known, splits)


def planned(recipe: TransferRecipe, known: Facts | None = None) -> Plan:
    """Resolve a recipe, and plan its run; its data is not read a second time.

    known: as `resolve` has it
    """
    resolved = resolve(recipe, known)
    return plan_of(resolved.recipe, facts=resolved.facts, splits=resolved.splits)


def needed_splits(recipe: TransferRecipe) -> tuple[str, ...]:
    """List the splits that a run of this recipe reads."""
    return tuple(dict.fromkeys(("train", "validation", *recipe.evaluation.splits)))


def facts_of(recipe: TransferRecipe, splits: Splits, folder: Path) -> Facts:
    """Collect what `auto` looks at; of the checkpoint in `folder` no weight is read."""
    task = recipe.task
    model = outline(folder, task.head.auto_class, recipe.model)
    heads = " ".join(model.config.architectures or ())
    fine_tuned = is_fine_tuned(model.config) and task.head_name in heads
    shared = {*task.head.new(splits.labels).labels} & {*output_labels(model.config)} - {"O"}
    return Facts(
        labelled="texts" if task.span_rows is None else "words",
        examples=len(splits["train"]),
        labels=len(splits.labels),
        pieces=_pieces(recipe, splits["train"], folder),
        validation=len(splits["validation"]),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        layers=len(layers_of(model).modules),
        fine_tuned=fine_tuned,
        shared_labels=fine_tuned and bool(shared),
        unlabelled=recipe.data.unlabelled is not None,
    )


def _pieces(recipe: TransferRecipe, rows: Dataset, folder: Path) -> int:
    """Estimate how many pieces a model reads of some rows, from those of a sample of them."""
    task, options = recipe.task, recipe.model
    tokenizer = load_tokenizer(folder, trust_remote_code=options.trust_remote_code)
    sample = rows.select(range(0, len(rows), math.ceil(len(rows) / _SAMPLE)))
    read = []
    for texts in task.rows.texts(sample):
        pieces = sum(len(ids) for ids in tokenizer(texts, verbose=False)["input_ids"])
        read.append(pieces if task.windows.whole else min(pieces, options.max_pieces))
    return round(sum(read) / len(read) * len(rows))
