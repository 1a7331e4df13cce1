"""Tables over single labels: the tags of words, or the classes of texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_transfer.metrics.bootstrap import interval95
from nlp_transfer.metrics.confusion import balanced_accuracy, mcc
from nlp_transfer.metrics.figures import LabelFigures, Score
from nlp_transfer.metrics.outcomes import f1

Labels = Sequence[Sequence[str]]


def label_figures(truth: Labels, guess: Labels) -> LabelFigures:
    """Score items with one label each, over the labels of either side.

    truth, guess: the labels of items, such as the tags of words, in groups of any size
    source:       sklearn.metrics.classification_report
    """
    names = sorted(set(chain(*truth)) | set(chain(*guess)))
    codes = {name: code for code, name in enumerate(names)}
    true, guessed = (
        np.fromiter((codes[name] for name in chain(*side)), np.int32) for side in (truth, guess)
    )
    # Scored by kinds of items, right and wrong, and their numbers: text for millions of words
    # would take hundreds of megabytes.
    numbers = np.bincount(true * len(names) + guessed)
    kinds = np.flatnonzero(numbers)
    kind_truth, kind_guess = np.divmod(kinds, max(1, len(names)))
    return _sklearn_figures(kind_truth, kind_guess, names, range(len(names)), numbers[kinds])


def class_figures(
    gold: Labels,
    predicted: Labels,
    scores: NDArray[np.float64],
    labels: Sequence[str],
    *,
    one_each: bool,
    samples: int,
    seed: int = 0,
) -> LabelFigures:
    """Score the classes of texts; macro has an interval.

    gold, predicted: the labels of each text
    scores:          (texts, labels) probabilities
    labels:          the names of all labels
    one_each:        every text has exactly one; else accuracy is that of the whole set
    samples:         of the bootstrap
    """
    index = {name: i for i, name in enumerate(labels)}
    truth, guess = _indicators(gold, index), _indicators(predicted, index)
    figures = label_figures(gold, predicted) if one_each else _indicated(truth, guess, labels)
    interval = interval95(_macro_f1, _counts(truth, guess), samples=samples, seed=seed)
    macro = replace(figures.macro, f1_ci95=interval)
    counts = _confusion(truth, guess) if one_each else None
    return replace(
        figures,
        macro=macro,
        roc_auc=_roc_auc(truth, scores),
        average_precision=_average_precision(truth, scores),
        mcc=mcc(counts) if counts is not None else None,
        balanced_accuracy=balanced_accuracy(counts) if counts is not None else None,
    )


def macro_f1(gold: Labels, predicted: Labels, labels: Sequence[str]) -> float:
    """Mean F1 over the labels that stand in gold or predictions, from 0 to 1."""
    index = {name: i for i, name in enumerate(labels)}
    truth, guess = _indicators(gold, index), _indicators(predicted, index)
    return float(_macro_f1(_counts(truth, guess).sum(axis=0, dtype=np.float64)))


def _indicators(rows: Labels, index: dict[str, int]) -> NDArray[np.uint8]:
    """Turn label names into a (texts, labels) matrix of 0 and 1."""
    matrix = np.zeros((len(rows), len(index)), dtype=np.uint8)
    for number, names in enumerate(rows):
        for name in names:
            matrix[number, index[name]] = 1
    return matrix


def _confusion(truth: NDArray[np.uint8], guess: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count gold by predicted labels of texts with one each: (labels, labels)."""
    return (truth.T.astype(np.float64) @ guess).astype(np.int64)


def _counts(truth: NDArray[np.uint8], guess: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Count what is correct, predicted and gold in each text: (texts, 3 * labels)."""
    return np.concatenate([truth & guess, guess, truth], axis=1)


def _macro_f1(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean F1 of the labels that stand on either side, 0 where there is none.

    counts:  (..., 3 * labels), as `_counts` has them, or sums of them
    returns: (...)
    """
    correct, predicted, gold = np.split(counts, 3, axis=-1)
    found = predicted + gold
    present = np.count_nonzero(found, axis=-1)
    return np.asarray(f1(correct, found).sum(axis=-1) / np.maximum(present, 1))


def _indicated(
    truth: NDArray[np.uint8], guess: NDArray[np.uint8], names: Sequence[str]
) -> LabelFigures:
    """Score items with any number of labels, over the labels of either side.

    truth, guess: (items, labels) 0 or 1
    """
    used = [i for i in range(len(names)) if truth[:, i].any() or guess[:, i].any()]
    figures = _sklearn_figures(truth, guess, [names[i] for i in used], used, None)
    return replace(figures, accuracy=float((truth == guess).all(axis=1).mean()))


def _sklearn_figures(
    truth: NDArray[np.integer],
    guess: NDArray[np.integer],
    names: Sequence[str],
    used: Sequence[int],
    numbers: NDArray[np.int64] | None,
) -> LabelFigures:
    """Compute what scikit-learn's `classification_report` shows.

    truth, guess: (items,) numbers of labels, or (items, labels) 0 or 1
    names, used:  the labels to show, and their numbers
    numbers:      how often each item stands for itself; None: once
    """
    # Not by calling it: its dictionary has no room for a class called "accuracy".
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    if not used:
        nothing = Score(0.0, 0.0, 0.0, 0)
        return LabelFigures({}, nothing, nothing, nothing, 0.0)
    options: dict[str, Any] = {"labels": used, "zero_division": 0, "sample_weight": numbers}
    *figures, supports = precision_recall_fscore_support(truth, guess, **options)
    micro = precision_recall_fscore_support(truth, guess, average="micro", **options)
    table, total = np.array(figures), int(supports.sum())
    weights = supports / total if total else np.zeros(len(used))
    return LabelFigures(
        {
            name: _score(line, int(support))
            for name, line, support in zip(names, table.T, supports, strict=True)
        },
        _score(np.array(micro[:3]), total),
        _score(table.mean(axis=1), total),
        _score(table @ weights, total),
        float(accuracy_score(truth, guess, sample_weight=numbers)),
    )


def _score(line: NDArray[np.float64], support: int) -> Score:
    precision, recall, of_both = line.tolist()
    return Score(precision, recall, of_both, support)


def _roc_auc(truth: NDArray[np.uint8], scores: NDArray[np.float64]) -> float | None:
    """Mean one-against-rest area over the labels that have both positive and negative texts."""
    from sklearn.metrics import roc_auc_score

    return _one_against_rest(roc_auc_score, truth, scores)


def _average_precision(truth: NDArray[np.uint8], scores: NDArray[np.float64]) -> float | None:
    """Mean one-against-rest average precision over the same labels."""
    from sklearn.metrics import average_precision_score

    return _one_against_rest(average_precision_score, truth, scores)


def _one_against_rest(
    figure: Callable[[NDArray[np.uint8], NDArray[np.float64]], float],
    truth: NDArray[np.uint8],
    scores: NDArray[np.float64],
) -> float | None:
    defined = [i for i in range(truth.shape[1]) if 0 < truth[:, i].sum() < len(truth)]
    if not defined:
        return None
    return float(np.mean([figure(truth[:, i], scores[:, i]) for i in defined]))
