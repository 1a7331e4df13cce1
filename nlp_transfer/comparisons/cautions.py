"""The runs of two sides in, why their difference may say less than it seems to out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from nlp_transfer.comparisons.predictions import Predictions
from nlp_transfer.doctor.finding import counted
from nlp_transfer.errors import shortened
from nlp_transfer.manifest import check_file
from nlp_transfer.metrics.bootstrap import FEW
from nlp_transfer.recipe.yaml_reader import read_yaml, yaml_text

_FEW_SEEDS = 5
_ROUNDING = 1e-9


def cautions_of(a: Sequence[Predictions], b: Sequence[Predictions]) -> tuple[str, ...]:
    """List what a reader must know beside the figures."""
    return (
        *_of_seeds(len(a), len(b)),
        *(line for side in (a, b) for line in _of_recipes(side)),
        *_of_test_set(a[0]),
        *_of_files((*a, *b)),
    )


def _of_seeds(a: int, b: int) -> Iterator[str]:
    if a == b == 1:
        yield (
            "One run a side: this is about these two models. Another seed of the same recipe gives "
            "another model; which recipe is better, only several runs a side can tell."
        )
    elif min(a, b) == 1:
        yield (
            "One side has a single run: its seeds are taken to vary as much as those of the other."
        )
    elif min(a, b) < _FEW_SEEDS:
        yield f"{min(a, b)} runs say little of how much seeds vary; {_FEW_SEEDS} a side are better."


def _of_recipes(side: Sequence[Predictions]) -> Iterator[str]:
    """Say where the runs of a side are not of one recipe, as far as they tell."""
    paths = [run.path / "recipe.yaml" for run in side]
    recipes = [_recipe(path) for path in paths if path.is_file()]
    keys = sorted({key for recipe in recipes for key in recipe} - {"training.seed"})
    differ = [key for key in keys if len({recipe.get(key) for recipe in recipes}) > 1]
    if differ:
        yield (
            f"The runs of one side ({side[0].path}, ...) differ in more than training.seed: "
            f"{shortened(differ, 5)}. Their mean is of no one recipe."
        )


def _recipe(file: Path) -> dict[str, str]:
    check_file(file)
    return dict(_settings(read_yaml(yaml_text(file), str(file))[0]))


def _settings(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """List what a recipe says, by key."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _settings(inner, f"{path}.{key}".lstrip("."))
    else:
        yield path, repr(value)


def _of_test_set(run: Predictions) -> Iterator[str]:
    nouns, outcomes = run.task.rows.nouns, run.outcomes
    if len(outcomes) < FEW:
        yield f"The test set has {counted(len(outcomes), nouns.example)} only (fewer than {FEW})."
    gold = [name for name, count in zip(outcomes.groups, outcomes.totals[2], strict=True) if count]
    if not gold:
        yield f"There are no gold {nouns.items} in the test set, so every figure is 0.0."
    elif len(gold) == 1 and outcomes.average == "macro":
        yield f"All gold {nouns.items} are of one {nouns.label}: there is nothing to tell apart."


def _of_files(runs: Sequence[Predictions]) -> Iterator[str]:
    if any(run.split == "validation" for run in runs):
        yield (
            "These are predictions of the validation split, by which the best model of each run "
            "was chosen: their figures flatter."
        )
    for run in runs:
        value, reported = run.outcomes.value, run.reported
        if reported is not None and abs(value - reported) > _ROUNDING:
            yield (
                f"{run.path}: by its predictions {run.outcomes.figure} is {value:.4f}, its report "
                f"says {reported:.4f}. An earlier version left gold entities that words cannot "
                "hold out of the predictions; nlpt evaluate scores the model anew."
            )
