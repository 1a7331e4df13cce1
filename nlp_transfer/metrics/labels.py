"""Tables over single labels: the tags of words, or the classes of texts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_transfer.metrics.bootstrap import interval95
from nlp_transfer.metrics.entities import sklearn_row


def token_report(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> dict[str, Any]:
    """Score every word's tag, `O` too: the table many tutorials print. NOT the CoNLL figure.

    returns: {"per_tag": {tag: row}, "micro": row, "macro": row, "weighted": row, "accuracy"}
    source:  sklearn.metrics.classification_report
    """
    table = _sklearn_table(list(chain(*gold)), list(chain(*predicted)))
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
        table = _sklearn_table(truth, guess, labels)
        table["accuracy"] = float((truth == guess).all(axis=1).mean())
    else:
        table = _sklearn_table([names[0] for names in gold], [names[0] for names in predicted])
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


def _sklearn_table(truth: Any, guess: Any, names: Sequence[str] | None = None) -> dict[str, Any]:
    from sklearn.metrics import (
        accuracy_score,
        classification_report,
        precision_recall_fscore_support,
    )

    options: dict[str, Any] = {"output_dict": True, "zero_division": 0}
    if names is not None:
        # Labels that neither side has are left out, as they are for single labels.
        used = [i for i in range(len(names)) if truth[:, i].any() or guess[:, i].any()]
        options |= {"labels": used, "target_names": [names[i] for i in used]}
    lines = classification_report(truth, guess, **options)
    micro = precision_recall_fscore_support(truth, guess, average="micro", zero_division=0)
    support = int(lines["weighted avg"]["support"])
    averages = {"accuracy", "micro avg", "macro avg", "weighted avg", "samples avg"}
    return {
        "rows": {name: sklearn_row(lines[name]) for name in lines if name not in averages},
        "micro": {
            "precision": float(micro[0]), "recall": float(micro[1]), "f1": float(micro[2]),
            "support": support,
        },
        "macro": sklearn_row(lines["macro avg"]),
        "weighted": sklearn_row(lines["weighted avg"]),
        "accuracy": float(accuracy_score(truth, guess)),
    }  # fmt: skip


def _roc_auc(truth: NDArray[np.int64], scores: NDArray[np.floating[Any]]) -> float | None:
    """Mean one-against-rest area over the labels that have both positive and negative texts."""
    from sklearn.metrics import roc_auc_score

    defined = [i for i in range(truth.shape[1]) if 0 < truth[:, i].sum() < len(truth)]
    if not defined:
        return None
    return float(np.mean([roc_auc_score(truth[:, i], scores[:, i]) for i in defined]))
