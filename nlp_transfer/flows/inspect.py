"""The data of a recipe, or files, looked through before money is spent.

load -> check -> count pieces -> sort by severity
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from nlp_transfer.flows.recipes import load_recipe
from nlp_transfer.models.checkpoint import EMBEDDED
from nlp_transfer.recipe.yaml_reader import write_yaml
from nlp_transfer.report.inspection import Inspection
from nlp_transfer.strategies.any_recipe import AnyRecipe


def inspect(recipe: AnyRecipe, *, tokenizer: bool = True, planned: bool = True) -> Inspection:
    """Examine the data of a recipe.

    tokenizer: count the pieces of the checkpoint's tokenizer too
    planned:   the recipe is meant to be run, so a split that it lacks is worth a word
    raises:    UserError when the data cannot be read
    """
    from nlp_transfer.doctor.examine import examine, missing_splits, not_learned
    from nlp_transfer.doctor.finding import by_severity
    from nlp_transfer.doctor.pieces import count_pieces
    from nlp_transfer.doctor.raw_bytes import files
    from nlp_transfer.doctor.summary import summarise
    from nlp_transfer.models.checkpoint import resolve_checkpoint
    from nlp_transfer.models.loading import load_tokenizer

    rows, checks, model = recipe.task.rows, recipe.task.checks, recipe.model
    splits = rows.load(recipe.data, held_out=False)
    findings = list(missing_splits(splits, recipe.evaluation.splits)) if planned else []
    findings += not_learned(splits, recipe.data.train_examples)
    findings += [*checks.amounts(splits), *examine(splits, rows), *checks.own(splits)]
    findings += [*files(splits), *checks.raw_text(splits, recipe.data)]
    pieces = None
    if tokenizer:
        folder = resolve_checkpoint(model.checkpoint, revision=model.revision)
        whole = recipe.task.windows.whole
        pieces, more = count_pieces(splits, rows, load_tokenizer(folder), model, windowed=whole)
        findings += more
    sizes = {split: summarise(splits, split, rows) for split in splits}
    return Inspection(recipe.task, sizes, tuple(sorted(findings, key=by_severity)), pieces)


def inspect_files(sources: Sequence[str], task: str, overrides: Sequence[str] = ()) -> Inspection:
    """Examine files that are named after their splits, a folder or a Hub data set.

    task:      what they are for, as recipes name it
    overrides: "key.path=value" strings
    raises:    UserError when two files are for one split, or the data cannot be read
    """
    from nlp_transfer.data.sources.choosing import data_of_files

    least = {
        "name": "inspection",
        "task": {"name": task},
        "data": data_of_files(sources),
        "model": {"checkpoint": EMBEDDED},
    }
    with TemporaryDirectory() as folder:  # a recipe as any: overrides and errors are as everywhere
        path = Path(folder, "inspection.yaml")
        path.write_text(write_yaml(least), encoding="utf-8")
        recipe = load_recipe(str(path), overrides)
    chosen = any(override.startswith(("model.", "model=")) for override in overrides)
    return inspect(recipe, tokenizer=chosen, planned=False)
