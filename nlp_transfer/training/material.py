"""A recipe in, everything that training and scoring need out: splits, model, windows, ledger."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from datasets import Dataset
from transformers import set_seed

from nlp_transfer.checkpoint import EMBEDDED, EMBEDDED_HUB_ID, resolve_checkpoint
from nlp_transfer.inference.predictor import SETTINGS_KEY
from nlp_transfer.recipe import Recipe
from nlp_transfer.records import EncodedSplit, Splits
from nlp_transfer.tasks.base import LoadedModel
from nlp_transfer.training.prepared import encode_or_load

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SplitData:
    """One split as rows and as windows."""

    rows: Dataset
    encoded: EncodedSplit


@dataclass(frozen=True)
class Material:
    """What a run works on."""

    splits: Splits
    loaded: LoadedModel
    data: Mapping[str, SplitData]
    new_parameters: int
    """How many parameters start at random."""


def load_splits(recipe: Recipe[Any, Any], needed: Sequence[str]) -> Splits:
    """Load and check the data of a recipe.

    needed: the splits that must be there, hold examples and have labels
    raises: UserError before any time is spent on a model
    """
    splits = recipe.task.load(recipe.data)
    recipe.task.check(splits, tuple(dict.fromkeys(needed)))
    for strategy in recipe.strategies:
        splits = strategy.prepare_data(splits)
    for split, repairs in splits.repairs.items():
        if repairs:
            log.warning("%s: %d tags broke their scheme and were repaired", split, repairs)
    return splits


def prepare(recipe: Recipe[Any, Any], needed: Sequence[str]) -> Material:
    """Load the data, build the model, encode the data for it, choose which weights learn."""
    folder = resolve_checkpoint(recipe.model.checkpoint, revision=recipe.model.revision)
    splits = load_splits(recipe, needed)
    set_seed(recipe.training.seed)  # the new head starts from here
    loaded = recipe.task.build_model(folder, recipe.task.labels(splits.labels), recipe.model)
    is_embedded = recipe.model.checkpoint == EMBEDDED
    loaded.model.name_or_path = EMBEDDED_HUB_ID if is_embedded else recipe.model.checkpoint
    settings = {
        "task": recipe.task.model_dump(mode="json"),
        "max_pieces": recipe.model.max_pieces,
        "overlap": recipe.model.overlap,
    }
    setattr(loaded.model.config, SETTINGS_KEY, settings)
    sizes = {name: p.numel() for name, p in loaded.model.named_parameters()}
    new = sum(sizes.get(name, 0) for name in loaded.new_parameters)
    log.info(
        "%s: %s of %s parameters start at random (the new head)",
        recipe.model.checkpoint,
        f"{new:,}",
        f"{sum(sizes.values()):,}",
    )
    data = {
        split: SplitData(splits[split], _encoded(recipe, splits, split, loaded))
        for split in dict.fromkeys(needed)
    }
    model = loaded.model
    for strategy in recipe.strategies:
        model = strategy.prepare_model(model, loaded.new_parameters)
    for adapter in getattr(model, "peft_config", {}).values():
        adapter.revision = recipe.model.revision  # an adapter fits the weights it learned on only
    return Material(splits, replace(loaded, model=model), data, new)


def _encoded(
    recipe: Recipe[Any, Any], splits: Splits, split: str, loaded: LoadedModel
) -> EncodedSplit:
    encoded = encode_or_load(recipe, splits, split, loaded)
    unseen = recipe.task.unseen(splits, split)
    # Set, not added: what `nlpt prepare` has kept holds them already.
    ledger = replace(
        encoded.ledger,
        entities_unseen_type=unseen.entities_unseen_type,
        labels_unseen=unseen.labels_unseen,
        tags_repaired=unseen.tags_repaired,
    )
    return replace(encoded, ledger=ledger)


def summary(recipe: Recipe[Any, Any], material: Material) -> dict[str, Any]:
    """Count what each split holds: its ledger, and the lengths of its windows in pieces."""
    splits = {}
    for split, data in material.data.items():
        lengths = np.array(data.encoded.lengths)
        splits[split] = {
            "ledger": data.encoded.ledger.as_dict(),
            "pieces": int(lengths.sum()),
            "median_window": int(np.median(lengths)),
            "longest_window": int(lengths.max()),
        }
    return {
        "recipe": recipe.name,
        "task": recipe.task.name,
        "labels": list(material.splits.labels),
        "splits": splits,
    }
