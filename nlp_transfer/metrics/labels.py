"""Tables over single labels: the tags of words, or the classes of texts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_transfer.metrics.bootstrap import interval95
from nlp_transfer.metrics.entities import row


def token_report(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> dict[str, Any]:
    """Score every word's tag, `O` too: the table many tutorials print. NOT the CoNLL figure.

    returns: {"per_tag": {tag: row}, "micro": row, "macro": row, "weighted": row, "accuracy"}
    source:  sklearn.metrics.classification_report
    """
    table = _single_label_table(gold, predicted)
    return {"per_tag": table.pop("rows"), **table}


def class_report(
    gold: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    scores: NDArray[np.floating[Any]],
    labels: Sequence[str],
    *,
    multi_label: bool,
    samples: int,
    seed: int = 0,
) -> dict[str, Any]:
    """Score the classes of texts.

    gold, predicted: the labels of each text; exactly one unless `multi_label`
    scores:          (texts, labels) probabilities
    returns:         {"per_label", "accuracy", "micro", "macro", "weighted", "roc_auc"?}; macro
                     carries f1_ci95; accuracy is subset accuracy for multi-label data
    """
    index = {name: i for i, name in enumerate(labels)}
    truth, guess = _indicators(gold, index), _indicators(predicted, index)
    if multi_label:
        table = _multi_label_table(truth, guess, labels)
    else:
        table = _single_label_table(gold, predicted)
    report: dict[str, Any] = {"per_label": table.pop("rows"), **table}
    report["macro"]["f1_ci95"] = interval95(
        lambda drawn: _macro_f1(truth, guess, drawn), len(truth), samples=samples, seed=seed
    )
    area = _roc_auc(truth, scores)
    if area is not None:
        report["roc_auc"] = area
    return report


def macro_f1(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], labels: Sequence[str]
) -> float:
    """Mean F1 over the labels that stand in gold or predictions, from 0 to 1."""
    index = {name: i for i, name in enumerate(labels)}
    truth, guess = _indicators(gold, index), _indicators(predicted, index)
    return _macro_f1(truth, guess, np.ones(len(truth), dtype=np.int64))


def _indicators(rows: Sequence[Sequence[str]], index: dict[str, int]) -> NDArray[np.int64]:
    """Turn label names into a (texts, labels) matrix of 0 and 1."""
    matrix = np.zeros((len(rows), len(index)), dtype=np.int64)
    for number, names in enumerate(rows):
        for name in names:
            matrix[number, index[name]] = 1
    return matrix


def _macro_f1(
    truth: NDArray[np.int64], guess: NDArray[np.int64], drawn: NDArray[np.int64]
) -> float:
    correct = drawn @ (truth * guess)
    total = drawn @ truth + drawn @ guess
    present = total > 0
    return float((2 * correct[present] / total[present]).mean()) if present.any() else 0.0


def _single_label_table(
    truth: Sequence[Sequence[str]], guess: Sequence[Sequence[str]]
) -> dict[str, Any]:
    """Compute the table of items with one label each, over the labels of either side.

    truth, guess: labels of items, in groups of any size
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
    return _sklearn_table(kind_truth, kind_guess, names, range(len(names)), numbers[kinds])


def _multi_label_table(
    truth: NDArray[np.int64], guess: NDArray[np.int64], names: Sequence[str]
) -> dict[str, Any]:
    """Compute the table of items with any number of labels, over the labels of either side.

    truth, guess: (items, labels) 0 or 1
    """
    used = [i for i in range(len(names)) if truth[:, i].any() or guess[:, i].any()]
    table = _sklearn_table(truth, guess, [names[i] for i in used], used, None)
    return {**table, "accuracy": float((truth == guess).all(axis=1).mean())}


def _sklearn_table(
    truth: NDArray[np.int64],
    guess: NDArray[np.int64],
    names: Sequence[str],
    used: Sequence[int],
    numbers: NDArray[np.int64] | None,
) -> dict[str, Any]:
    """Compute what scikit-learn's `classification_report` shows.

    truth, guess: (items,) numbers of labels, or (items, labels) 0 or 1
    names, used:  the labels to show, and their numbers
    numbers:      how often each item stands for itself; None: once
    """
    # Not by calling it: its dictionary has no room for a class called "accuracy".
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    if not used:
        nothing = row(0.0, 0.0, 0.0, 0)
        averages = {name: dict(nothing) for name in ("micro", "macro", "weighted")}
        return {"rows": {}, **averages, "accuracy": 0.0}
    options: dict[str, Any] = {"labels": used, "zero_division": 0, "sample_weight": numbers}
    *figures, supports = precision_recall_fscore_support(truth, guess, **options)
    micro = precision_recall_fscore_support(truth, guess, average="micro", **options)
    table, total = np.array(figures), int(supports.sum())
    weights = supports / total if total else np.zeros(len(used))
    return {
        "rows": {
            name: _row(line, int(support))
            for name, line, support in zip(names, table.T, supports, strict=True)
        },
        "micro": _row(np.array(micro[:3]), total),
        "macro": _row(table.mean(axis=1), total),
        "weighted": _row(table @ weights, total),
        "accuracy": float(accuracy_score(truth, guess, sample_weight=numbers)),
    }


def _row(figures: NDArray[np.float64], support: int) -> dict[str, Any]:
    precision, recall, f1 = figures.tolist()
    return row(precision, recall, f1, support)


def _roc_auc(truth: NDArray[np.int64], scores: NDArray[np.floating[Any]]) -> float | None:
    """Mean one-against-rest area over the labels that have both positive and negative texts."""
    from sklearn.metrics import roc_auc_score

    defined = [i for i in range(truth.shape[1]) if 0 < truth[:, i].sum() < len(truth)]
    if not defined:
        return None
    return float(np.mean([roc_auc_score(truth[:, i], scores[:, i]) for i in defined]))
