"""Several fine-tuned models in, one whose weights are their mean out (Wortsman et al. 2022)."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from nlp_transfer.data.arrow_tables import iterate
from nlp_transfer.errors import UserError
from nlp_transfer.inference.ensemble import check_same_answers
from nlp_transfer.inference.predictor import Predictor
from nlp_transfer.models.architecture import is_adapted
from nlp_transfer.models.saved import keep_calibration

if TYPE_CHECKING:
    import torch
    from datasets import Dataset

log = logging.getLogger(__name__)


def check_whole(models: Sequence[Predictor]) -> None:
    """Refuse soft prompts: they are no part of a model's weights."""
    for model in models:
        if is_adapted(model.loaded.model):
            raise UserError(
                f"RUN: {model.options.checkpoint} is a soft prompt, which cannot be merged into "
                "weights. Use the run as it is."
            )


def without_known(models: Sequence[Predictor]) -> list[Predictor]:
    """Return models that take all texts for known: a mixture has a space of its own."""
    if any(model.loaded.known is not None for model in models):
        log.warning(
            "the mixture does not tell texts of none of its classes: no training has told how"
        )
    return [replace(one, loaded=replace(one.loaded, known=None)) for one in models]


def soup(models: Sequence[Predictor], shares: Sequence[float] | None = None) -> Predictor:
    """Average the weights of models that share architecture, tokenizer and labels.

    Heads are matched by the names of the labels. The first model is changed in place and returned:
    its label order and settings are kept.

    shares: of each model, adding up to 1; by default all alike
    raises: UserError that names two models and what differs
    """
    from nlp_transfer.strategies.parts.weights import mean, weighted_sum

    weights = _matched_weights(models)
    mixed = weighted_sum(weights, shares) if shares else mean(weights)
    models[0].loaded.model.load_state_dict(mixed)
    if any(model.calibration != models[0].calibration for model in models):
        log.info("the scores of the mixture are not calibrated: no validation split has told how")
        keep_calibration(models[0].loaded.model, None)
    return models[0]


def greedy_soup(models: Sequence[Predictor], score: Callable[[Predictor], float]) -> Predictor:
    """Average the models that help: from the best on, each is kept where the score does not fall.

    score: computes the validation figure of a model
    """
    from nlp_transfer.strategies.parts.weights import mean

    weights = _matched_weights(models)
    first = models[0]
    scores = [score(model) for model in models]
    kept: list[int] = []
    best = -math.inf
    for number in sorted(range(len(models)), key=lambda number: -scores[number]):
        tried = [*kept, number]
        first.loaded.model.load_state_dict(mean([weights[i] for i in tried]))
        found = score(first)
        log.info(
            "%s  validation %.4f  in the soup %.4f  %s",
            models[number].options.checkpoint,
            scores[number],
            found,
            "kept" if found >= best else "left out",
        )
        if found >= best:
            kept, best = tried, found
    first.loaded.model.load_state_dict(mean([weights[i] for i in kept]))
    return first


def recalibrate(model: Predictor, rows: Dataset) -> None:
    """Let a model keep how its scores are corrected, learned from a validation split."""
    confidence = model.task.confidence
    if confidence is None:
        return
    predictions = list(replace(model, calibration=None).predict(iterate(rows)))
    calibration = confidence.fit(rows, predictions)
    said = None if calibration is None else calibration.model_dump(mode="json")
    keep_calibration(model.loaded.model, said)


def _matched_weights(models: Sequence[Predictor]) -> list[dict[str, torch.Tensor]]:
    """Check that models can be averaged, and copy their weights in the first one's label order."""
    from nlp_transfer.strategies.parts.weights import check_same_architecture, in_label_order

    labels = models[0].labels
    for other in models[1:]:
        check_same_answers(models[0], other)
        names = f"{models[0].options.checkpoint} and {other.options.checkpoint}"
        check_same_architecture(models[0].loaded, other.loaded, names)
    return [in_label_order(model.loaded.model, model.labels, labels) for model in models]


def check_way(how: str, shares: Sequence[float] | None, models: int, *, scored: bool) -> None:
    """Refuse shares that are not one a model, negative, or do not add up to 1.

    how:    uniform, or greedy, which takes no shares
    scored: there is data to score on, which greedy alone takes
    """
    if how not in ("uniform", "greedy"):
        raise UserError(f"--how: {how!r} is unknown (uniform, greedy).")
    if (how == "greedy") != scored or (how == "greedy" and shares):
        raise UserError("--how greedy needs --recipe and no --weights; uniform takes no --recipe.")
    if shares is None:
        return
    if len(shares) != models:
        raise UserError(f"--weights: {len(shares)} weights for {models} runs; give one for each.")
    if min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        raise UserError(
            f"--weights: they must be 0 or more and add up to 1, not to {sum(shares):g}."
        )
