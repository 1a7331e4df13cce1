"""A recipe in, everything that training and scoring need out: splits, model, windows, ledger."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from torch import nn
from transformers import set_seed

from nlp_transfer.data.items import ROLES
from nlp_transfer.data.raw_words import RawWords
from nlp_transfer.data.unread import not_read
from nlp_transfer.doctor.repeats import amount, count_repeats, leaks
from nlp_transfer.doctor.rows import is_ner
from nlp_transfer.errors import UserError
from nlp_transfer.inference.loading import SETTINGS_KEY
from nlp_transfer.inference.predictor import Predictor
from nlp_transfer.models.checkpoint import EMBEDDED, EMBEDDED_HUB_ID, resolve_checkpoint
from nlp_transfer.models.shared_encoder import share_encoder, side_parameter
from nlp_transfer.recipe import Recipe
from nlp_transfer.records import EncodedSplit, LossLedger, Repeats, Splits
from nlp_transfer.strategies.base import Setting
from nlp_transfer.tasks.base import LoadedModel
from nlp_transfer.training.prepared import encode_or_load, prepared_folder
from nlp_transfer.training.sources import Read, what_is_read

log = logging.getLogger(__name__)


_READING = {
    "tags_repaired": "tags broke their scheme and were repaired",
    "spans_trimmed": "spans began or ended with white space, which was cut off",
    "spans_expanded": "spans were widened to whole words",
    "entities_dropped": "entities cannot be held by words; recall counts them as not found",
    "pairs_incomplete": "rows of pairs have no second text; the first is read alone",
    "examples_dropped": "rows were left out (no words, text or label)",
}


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
    read: Read
    """Fingerprints of all that was read, before any strategy changed it."""
    repeats: Mapping[str, Repeats]
    """What of each scored split is not new, in the data as it was before any strategy."""
    setting: Setting
    start: Path
    """Folder of the checkpoint."""
    new_parameters: int
    """How many parameters start at random."""
    sides: Mapping[str, Material]
    """Other tasks that learn along, by name; the models have their encoder in common."""
    temperature: float
    """By which the tasks are drawn."""
    raw_words: RawWords | None
    """How raw text will be split for the model; None where it is not split into words."""

    def describe_words(self) -> dict[str, Any]:
        """Describe how raw text is split under the key that JSON has it under, if it is."""
        return {"words": self.raw_words.as_dict()} if self.raw_words else {}

    def describe_sides(self, describe: Callable[[Material], Any]) -> dict[str, Any]:
        """Describe the side tasks under the key that JSON has them under; nothing without any."""
        tasks = {name: describe(side) for name, side in self.sides.items()}
        return {"tasks": tasks} if tasks else {}


def load_splits(recipe: Recipe[Any, Any], needed: Sequence[str]) -> Splits:
    """Load and check the data of a recipe.

    needed: the splits that must be there, hold examples and have labels
    raises: UserError before any time is spent on a model
    """
    log.info("reading the data: %s", recipe.data.source)
    splits = recipe.task.load(recipe.data)
    recipe.task.check(splits, tuple(dict.fromkeys(needed)))
    for split, losses in splits.losses.items():
        for name, text in _READING.items():
            if count := getattr(losses, name):
                log.warning("%s: %d %s", split, count, text)
        for column in splits.unread.get(split, ()):
            log.warning("%s: %s", split, not_read(column))
    return splits


def load_repeats(splits: Splits, scored: Sequence[str]) -> dict[str, Repeats]:
    """Count what repeats in the scored splits, and warn of leaks before any time is spent."""
    found = count_repeats(splits, scored)
    for split, repeats in found.items():
        examples = amount(len(splits[split]), ner=is_ner(splits[split]))
        if leak := leaks(repeats.as_dict(), examples):
            log.warning("%s: %s (nlpt inspect shows them)", split, leak)
    return found


def prepare(
    recipe: Recipe[Any, Any],
    needed: Sequence[str],
    *,
    processes: int = 0,
    earlier_round: str | None = None,
) -> Material:
    """Load the data, build the model, encode the data for it, choose which weights learn.

    processes:     encode the data with so many and keep it for the next run; 0: not kept
    earlier_round: the run of the round before, where a strategy takes several
    """
    folder = resolve_checkpoint(recipe.model.checkpoint, revision=recipe.model.revision)
    # In the run's precision a teacher's states are what its student's should be, and as fast.
    opened = partial(Predictor.named, precision=recipe.training.precision)
    setting = Setting(recipe, opened, earlier_round)
    splits = load_splits(recipe, needed)
    raw_words = _measured(recipe, splits)
    repeats = load_repeats(splits, [split for split in needed if split != "train"])
    read = what_is_read(recipe, splits, needed, start=folder)
    for strategy in recipe.strategies:
        splits = strategy.prepare_data(splits, setting)
    log.info("loading the checkpoint: %s", recipe.model.checkpoint)
    set_seed(recipe.training.seed)  # the new head starts from here
    loaded = recipe.task.build_model(folder, recipe.task.labels(splits.labels), recipe.model)
    for strategy in recipe.strategies:
        loaded = strategy.carry_over(loaded, folder, setting)
    temperature, sides = _prepare_sides(recipe, needed, processes=processes)
    loaded = _with_sides(loaded, [side.loaded for side in sides.values()])
    is_embedded = recipe.model.checkpoint == EMBEDDED
    loaded.model.name_or_path = EMBEDDED_HUB_ID if is_embedded else recipe.model.checkpoint
    settings = {
        "task": recipe.task.model_dump(mode="json"),
        "max_pieces": recipe.model.max_pieces,
        "overlap": recipe.model.overlap,
        "columns": _columns_read(recipe, splits),
    }
    if raw_words is not None:
        settings["words"] = raw_words.model_dump()
    setattr(loaded.model.config, SETTINGS_KEY, settings)
    new = log_new_parameters(
        recipe.model.checkpoint,
        loaded.model,
        loaded.new_parameters,
        head="new heads" if sides else "new head",
    )
    data = {
        split: SplitData(splits[split], _encoded(recipe, splits, split, loaded, processes))
        for split in dict.fromkeys(needed)
    }
    model = loaded.model
    for strategy in recipe.strategies:
        model = strategy.prepare_model(model, loaded.new_parameters)
    for adapter in getattr(model, "peft_config", {}).values():
        adapter.revision = recipe.model.revision  # an adapter fits the weights it learned on only
    loaded = replace(loaded, model=model)
    return Material(
        splits, loaded, data, read, repeats, setting, folder, new, sides, temperature, raw_words
    )


def _measured(recipe: Recipe[Any, Any], splits: Splits) -> RawWords | None:
    """Compare the words of the training data with those that raw text will be split into."""
    words: RawWords | None = recipe.task.raw_words(splits, recipe.data)
    if words is not None and words.is_low:
        log.warning("train: %s; nlpt inspect shows where, and what fits better", words.describe())
    return words


def _columns_read(recipe: Recipe[Any, Any], splits: Splits) -> dict[str, str | int]:
    """Name the columns that the model learns from, for raw rows to be read by them later."""
    named = recipe.data.columns
    columns: dict[str, str | int] = {role: named[role] for role in ROLES if role in named}
    rows = splits["train"]
    if "text_pair" in rows.column_names:
        seconds = rows.data["text_pair"]
        if seconds.null_count < len(seconds):
            columns.setdefault("text_pair", "text_pair")
    return columns


def _prepare_sides(
    recipe: Recipe[Any, Any], needed: Sequence[str], *, processes: int
) -> tuple[float, dict[str, Material]]:
    """Prepare the other tasks that learn along, as if each were alone.

    returns: the temperature by which tasks are drawn, and the material of each by its name
    """
    for strategy in recipe.strategies:
        if side_tasks := strategy.sides(recipe):
            sides = {}
            for name, side in side_tasks.recipes.items():
                log.info("side task %s:", name)
                try:
                    sides[name] = prepare(side, needed, processes=processes)
                except UserError as error:
                    where = f"strategies {strategy.name}: side_tasks.{name}"
                    raise UserError(f"{where}: {error}") from None
            return side_tasks.temperature, sides
    return 1.0, {}


def _with_sides(loaded: LoadedModel, sides: Sequence[LoadedModel]) -> LoadedModel:
    """Let a model answer for side tasks too; their heads start at random."""
    if not sides:
        return loaded
    share_encoder(loaded.model, [side.model for side in sides])
    own = {name for name, _ in loaded.model.named_parameters()}
    new = {
        side_parameter(number, name)
        for number, side in enumerate(sides, start=1)
        for name in side.new_parameters
    }
    return replace(loaded, new_parameters=loaded.new_parameters | (new & own))


def log_new_parameters(
    checkpoint: str, model: nn.Module, names: Iterable[str], *, head: str
) -> int:
    """Say how many parameters start at random, and count them.

    names: of the parameters that the checkpoint did not have
    head:  what people call them
    """
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    new = sum(sizes.get(name, 0) for name in names)
    log.info(
        "%s: %s of %s parameters start at random (the %s)",
        checkpoint,
        f"{new:,}",
        f"{sum(sizes.values()):,}",
        head,
    )
    return new


def _encoded(
    recipe: Recipe[Any, Any], splits: Splits, split: str, loaded: LoadedModel, processes: int
) -> EncodedSplit:
    encoded = encode_or_load(recipe, splits, split, loaded, processes=processes)
    ledger = encoded.ledger + recipe.task.unseen(splits, split)
    check_lost(recipe, split, ledger)
    return replace(encoded, ledger=ledger)


def check_lost(recipe: Recipe[Any, Any], split: str, ledger: LossLedger) -> None:
    """Refuse a split that loses a greater share of its gold entities than the recipe allows."""
    limit = recipe.evaluation.max_lost_entities
    lost = ledger.entities_truncated + ledger.entities_dropped + ledger.entities_unseen_type
    if limit is None or not lost or lost / ledger.entities <= limit:
        return
    raise UserError(
        f"The {split} split loses {lost} of {ledger.entities} gold entities "
        f"({lost / ledger.entities:.2%}; evaluation.max_lost_entities allows {limit:.2%}): "
        f"{ledger.entities_truncated} have a word not read in full, {ledger.entities_dropped} "
        f"cannot be held by words, {ledger.entities_unseen_type} are of a type unseen in train."
    )


def summary(material: Material) -> dict[str, Any]:
    """Count what each split holds: its ledger, and the lengths of its windows in pieces."""
    recipe = material.setting.recipe
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
        **material.describe_words(),
        **material.describe_sides(summary),
    }


def describe_data(material: Material) -> dict[str, Any]:
    """Describe the data of a run: fingerprints, counts, what they lose, what repeats."""
    return {
        "splits": {split: _split_json(material, split) for split in material.data},
        "labels": list(material.splits.labels),
        "read": material.read,
        **material.describe_words(),
        **material.describe_sides(describe_data),
    }


def _split_json(material: Material, split: str) -> dict[str, Any]:
    described = {
        "sha256": material.splits.fingerprints[split],
        "examples": len(material.splits[split]),
        "ledger": material.data[split].encoded.ledger.as_dict(),
    }
    if split in material.repeats:
        described["repeats"] = material.repeats[split].as_dict()
    return described


def prepared_summary(material: Material) -> dict[str, Any]:
    """Count what each split holds, and name the folders in which the tokenized splits are kept."""
    recipe, loaded = material.setting.recipe, material.loaded
    folders = {
        split: str(prepared_folder(recipe, material.splits, split, loaded))
        for split in material.data
    }
    return {
        **summary(material),
        "folders": folders,
        **material.describe_sides(prepared_summary),
    }
