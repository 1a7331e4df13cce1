"""`nlpt inspect`: a recipe in, all that the data doctor finds in its data out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_transfer.errors import UserError
from nlp_transfer.models.checkpoint import EMBEDDED, resolve_checkpoint
from nlp_transfer.recipe import Recipe
from nlp_transfer.recipe.paths import local_path
from nlp_transfer.recipe.yaml_reader import write_yaml
from nlp_transfer.records import SPLIT_NAMES, Splits

if TYPE_CHECKING:
    from nlp_transfer.doctor import Finding

SCHEMA = 1


def inspect_data(
    recipe: Recipe[Any, Any], *, tokenizer: bool = True, planned: bool = True
) -> dict[str, Any]:
    """Examine the data of a recipe.

    tokenizer: count the pieces of the checkpoint's tokenizer too
    planned:   the recipe is meant to be run, so a split that it lacks is worth a word
    returns:   {schema, task, splits, pieces, findings}, findings by severity
    raises:    UserError when the data cannot be read
    """
    from nlp_transfer.doctor import SEVERITIES, examine, summarise

    splits: Splits = recipe.task.rows.load(recipe.data, held_out=False)
    findings = _missing_splits(recipe, splits) if planned else []
    findings += examine(splits, words=recipe.data.words)
    result: dict[str, Any] = {
        "schema": SCHEMA,
        "task": recipe.task.name,
        "splits": {split: summarise(splits, split) for split in splits},
    }
    if tokenizer:
        result["pieces"], more = _pieces(recipe, splits)
        findings += more
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))  # stable
    return {**result, "findings": [finding.as_dict() for finding in findings]}


def at_least(result: dict[str, Any], severity: str) -> int:
    """Count the kinds of findings of a severity or above."""
    from nlp_transfer.doctor import SEVERITIES

    wanted = SEVERITIES[: SEVERITIES.index(severity) + 1]
    return sum(same[0]["severity"] in wanted for same in by_kind(result["findings"]))


def by_kind(findings: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Put the findings of one kind in different splits together: people count them as one."""
    kinds: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for finding in findings:
        kinds.setdefault((finding["severity"], finding["code"]), []).append(finding)
    return list(kinds.values())


def recipe_text(sources: Sequence[str], task: str) -> str:
    """Write the least recipe that reads some files, a folder or a Hub data set.

    raises: UserError when two files are for one split
    """
    return write_yaml(
        {
            "name": "inspection",
            "task": {"name": task},
            "data": _data_section(sources),
            "model": {"checkpoint": EMBEDDED},
            "strategies": [{"name": "full"}],
        }
    )


def _data_section(sources: Sequence[str]) -> dict[str, Any]:
    if len(sources) == 1:  # whatever its name, one file alone is looked at as train
        return {"source": sources[0]}
    chosen: dict[str, str] = {}
    for name in sources:
        path = local_path(name)
        if not path.is_file():
            kind = "a folder" if path.is_dir() else "no file"
            raise UserError(f"{name} is {kind}. Give several files, or one folder or Hub id alone.")
        split = split_of(path.name)
        if split in chosen:
            raise UserError(
                f"{chosen[split]} and {name} would both be the {split} split. Name them after "
                f"their splits, or say which is which: {sources[0]} data.splits.test=OTHER"
            )
        chosen[split] = str(path.resolve())
    # Of a folder, only the files that are named: null keeps the others out.
    folder = str(Path(next(iter(chosen.values()))).parent)
    return {"source": folder, "splits": {split: chosen.get(split) for split in SPLIT_NAMES}}


def split_of(name: str) -> str:
    """Tell which split a file is from the last split word in its name; without one, train."""
    from nlp_transfer.data.sources.choosing import SPLIT_WORDS

    for word in reversed(re.findall("[a-z]+", name.lower())):
        for split, words in SPLIT_WORDS.items():
            if word in words:
                return split
    return "train"


def _missing_splits(recipe: Recipe[Any, Any], splits: Splits) -> list[Finding]:
    from nlp_transfer.doctor import Finding

    if "train" not in splits:
        message = f"no train split ({', '.join(splits)} only): there is nothing to learn from"
        return [Finding("no_train", "error", message, "Give it with data.splits.train=FILE.")]
    needed = dict.fromkeys(("validation", *recipe.evaluation.splits))
    return [
        Finding(
            f"no_{split}",
            "info",
            f"no {split} split: it will be split off from train",
            f"Nothing to do, or give one with data.splits.{split}=FILE.",
        )
        for split in needed
        if split not in splits
    ]


def _pieces(recipe: Recipe[Any, Any], splits: Splits) -> tuple[dict[str, Any], list[Finding]]:
    from nlp_transfer.doctor import count_pieces, is_uncased
    from nlp_transfer.models.loading import load_tokenizer

    model = recipe.model
    folder = resolve_checkpoint(model.checkpoint, revision=model.revision)
    tokenizer = load_tokenizer(folder)
    windowed = getattr(recipe.task, "long_texts", "windows") == "windows"
    figures, findings = count_pieces(
        splits, tokenizer, max_pieces=model.max_pieces, windowed=windowed
    )
    about = {"checkpoint": model.checkpoint, "max_pieces": model.max_pieces}
    return {**about, "uncased": is_uncased(tokenizer), "splits": figures}, findings
