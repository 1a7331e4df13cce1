"""What a user names in, the models that a server answers with out, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nlp_transfer.errors import UserError
from nlp_transfer.inference.adapters import Adapters, name_of
from nlp_transfer.inference.opening import Opening
from nlp_transfer.inference.predictor import Predictor

_CPU_TOKENS = 512
"""Pieces of a batch: of the few texts of a turn, larger batches hold more padding."""
FIRST_TEXT = "Ada Lovelace wrote to Paris."


def names_of(models: Sequence[str]) -> dict[str, str]:
    """Name models: NAME=MODEL says it, else the name of the run folder does.

    returns: models by their names
    raises:  UserError where two have the same
    """
    named: dict[str, str] = {}
    for given in models:
        name, equals, model = given.partition("=")
        if not equals or Path(given).exists():
            name, model = name_of(given), given
        if not (name.strip() and name.isprintable() and model):
            raise UserError(f"MODEL: {given!r} is not NAME=MODEL. For example: names=runs/mine")
        if name in named:
            raise UserError(
                f"MODEL: {named[name]} and {model} would both be called {name!r}. Name one of them "
                f"otherwise: {name}-2={model}"
            )
        named[name] = model
    return named


def load_models(opening: Opening) -> Mapping[str, Predictor]:
    """Load the models, or the adapters of the one model, each to answer by its name.

    opening: its models as `names_of` takes them; with adapters, the base of these
    raises:  UserError for what is no model, before any of them is loaded where it can be told
    """
    if opening.adapters:
        adapters = opening.load()
        assert isinstance(adapters, Adapters)
        return {name: _for_turns(model) for name, model in adapters.predictors.items()}
    predictors = {}
    for name, model in names_of([str(model) for model in opening.models]).items():
        predictor = replace(opening, models=(model,)).as_found().load()
        assert isinstance(predictor, Predictor)
        predictors[name] = _for_turns(predictor)
    return predictors


def _for_turns(model: Predictor) -> Predictor:
    on_cpu = model.loaded.model.device.type == "cpu"
    return replace(model, tokens_per_batch=_CPU_TOKENS) if on_cpu else model


def first_answer(model: Predictor) -> dict[str, Any]:
    """Let a model answer once, so that the first to ask need not wait for what is done once."""
    return next(model([FIRST_TEXT]))
