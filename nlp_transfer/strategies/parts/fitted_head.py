"""What an output layer reads at labelled items in; its weights by logistic regression out."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from nlp_transfer.errors import UserError, shortened
from nlp_transfer.strategies.context import LabelledInputs, OutputLayer
from nlp_transfer.tasks.objective import IGNORED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Labels = NDArray[np.int64]

log = logging.getLogger(__name__)

CHOICES = (0.1, 1.0, 10.0)
"""Of C, scikit-learn's inverse strength of the L2 penalty, for inputs whose root mean square is 1.
With 10 examples a class 0.1 and 1 are best, and within noise of one another; more want more."""
_MOST_ITERATIONS = 300


@dataclass(frozen=True)
class _Outputs:
    """An output layer."""

    weight: Floats
    """(labels, width)"""
    bias: Floats
    """(labels,)"""

    def logits(self, inputs: Floats) -> Floats:
        """Return (items, labels)."""
        logits: Floats = inputs @ self.weight.T + self.bias
        return logits


def fit_output_layer(layer: OutputLayer, *, c: float | None, name: str) -> dict[str, Any]:
    """Make an output layer the logistic regression of its labels on what it reads.

    A label without an example gets a row of zeros, and a bias that makes it unlikely.

    c:       inverse strength of the L2 penalty; None: of 0.1, 1 and 10 the best on validation
    name:    of the strategy that does it, for the log
    returns: what was found, for metrics.json
    source:  Kumar et al. 2022 (LP-FT), whose head is fitted before all weights learn
    """
    train = layer.read("train")
    if not len(train.labels):
        raise UserError(f"{name}: the training split has no label to fit the head on.")
    scale = float(np.sqrt(np.mean(np.square(train.inputs, dtype=np.float64)))) or 1.0
    train = replace(train, inputs=train.inputs / scale)
    found: dict[str, Any] = {"items": len(train.labels)}
    if c is None:
        read = layer.read("validation")
        validation = replace(read, inputs=read.inputs / scale)
        tried = {choice: _regression(layer, train, choice) for choice in CHOICES}
        figures = {choice: _mean_f1(fitted, validation) for choice, fitted in tried.items()}
        c = max(CHOICES, key=lambda choice: figures[choice])  # the smallest of those that are equal
        best, found["validation_f1"] = tried[c], round(figures[c], 4)
    else:
        best = _regression(layer, train, c)
    found["c"] = c
    with torch.no_grad():
        layer.module.weight.copy_(torch.from_numpy(best.weight / scale))
        if layer.module.bias is not None:
            layer.module.bias.copy_(torch.from_numpy(best.bias))
    _tell(name, layer, train.labels, found)
    return found


def _regression(layer: OutputLayer, train: LabelledInputs, c: float) -> _Outputs:
    fit = _each_label if train.labels.ndim == 2 else _one_label
    return fit(layer, train, c)


def _one_label(layer: OutputLayer, train: LabelledInputs, c: float) -> _Outputs:
    """Fit all labels together: each item has one of them."""
    labels, weights = train.labels, train.weights
    if layer.class_weights is not None:
        weights = weights * np.asarray(layer.class_weights)[labels]
    outputs = _zeros(layer, train)
    present = np.unique(labels)
    if len(present) > 1:
        weight, bias = _logistic(layer, train.inputs, labels, weights, c)
        if len(present) == 2:  # scikit-learn has one row then: that of the second
            weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
        outputs.weight[present], outputs.bias[present] = weight, bias
    surest = outputs.logits(train.inputs)[:, present].max(axis=1)
    absent = np.setdiff1d(np.arange(len(layer.labels)), present)
    outputs.bias[absent] = surest.min() - _unlikely(train)
    return outputs


def _each_label(layer: OutputLayer, train: LabelledInputs, c: float) -> _Outputs:
    """Fit each label by itself: it is a yes or no."""
    outputs = _zeros(layer, train)
    class_weights = layer.class_weights or [1.0] * len(layer.labels)
    for label, counts in enumerate(class_weights):
        given = train.labels[:, label]
        known = given != IGNORED
        answers, weights = given[known], train.weights[known] * counts
        if len(np.unique(answers)) == 2:
            weight, bias = _logistic(layer, train.inputs[known], answers, weights, c)
            outputs.weight[label], outputs.bias[label] = weight[0], bias[0]
        else:
            always = bool(len(answers) and answers[0])
            outputs.bias[label] = _unlikely(train) * (1 if always else -1)
    return outputs


def _logistic(
    layer: OutputLayer, inputs: Floats, labels: Labels, weights: Floats, c: float
) -> tuple[Floats, Floats]:
    """Return (rows, width) and (rows,): a row a label, or one of two labels."""
    regression = LogisticRegression(
        C=c, max_iter=_MOST_ITERATIONS, fit_intercept=layer.module.bias is not None
    )
    with warnings.catch_warnings():
        # Where it stops early it is near enough: it is compared by what it scores.
        warnings.simplefilter("ignore", ConvergenceWarning)
        regression.fit(inputs, labels, sample_weight=weights)
    return regression.coef_, regression.intercept_


def _zeros(layer: OutputLayer, train: LabelledInputs) -> _Outputs:
    labels, width = len(layer.labels), train.inputs.shape[1]
    return _Outputs(np.zeros((labels, width)), np.zeros(labels))


def _unlikely(train: LabelledInputs) -> float:
    """Return by how much a logit is lower of what is not seen once among so many items."""
    return float(np.log(len(train.labels) + 1))


def _mean_f1(fitted: _Outputs, of: LabelledInputs) -> float:
    """Average the F1 of the labels that items have, 0 to 1."""
    if not len(of.labels):
        return 0.0
    logits = fitted.logits(of.inputs)
    if of.labels.ndim == 1:
        answers, wanted = logits.argmax(axis=1), np.unique(of.labels)
    else:
        answers, wanted = (logits > 0).astype(int), np.flatnonzero((of.labels == 1).any(axis=0))
    gold = np.where(of.labels == IGNORED, 0, of.labels)
    return float(f1_score(gold, answers, labels=wanted, average="macro", zero_division=0))


def _tell(name: str, layer: OutputLayer, labels: Labels, found: dict[str, Any]) -> None:
    """Say what the head was fitted on, and which labels it has seen nothing of."""
    there = np.unique(labels) if labels.ndim == 1 else np.flatnonzero((labels == 1).any(axis=0))
    absent = [label for number, label in enumerate(layer.labels) if number not in there]
    figure = found.get("validation_f1")
    log.info(
        "%s: head fitted on %s labelled items, C %g%s",
        name,
        f"{len(labels):,}",
        found["c"],
        "" if figure is None else f", mean F1 of the labels on validation {figure:.4f}",
    )
    if absent:
        found["labels_without_examples"] = len(absent)
        log.warning("%s: no training example of %s: never predicted", name, shortened(absent))
