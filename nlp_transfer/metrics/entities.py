"""Entity scores over words: the CoNLL definition, and partial credit beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_transfer.data.tags import Span, spans
from nlp_transfer.metrics.bootstrap import interval95

Tags = Sequence[Sequence[str]]
Lost = Sequence[Sequence[str]]


def span_counts(gold: Tags, predicted: Tags, lost: Lost = ()) -> NDArray[np.int64]:
    """Count entities sentence by sentence.

    gold, predicted: valid IOB2 tags of the same words
    lost:            types of the gold entities of each sentence that tags cannot say
    returns:         (sentences, 3): correct, predicted and gold entities
    """
    rows = []
    for gold_tags, predicted_tags in zip(gold, predicted, strict=True):
        gold_spans, predicted_spans = set(spans(gold_tags)), set(spans(predicted_tags))
        rows.append((len(gold_spans & predicted_spans), len(predicted_spans), len(gold_spans)))
    counts = np.array(rows, dtype=np.int64).reshape(-1, 3)
    if lost:
        counts[:, 2] += [len(types) for types in lost]
    return counts


def f1_of_counts(correct: float, predicted: float, gold: float) -> float:
    """Return F1 as 2 * correct / (predicted + gold), and 0 where nothing is there to find."""
    return 2 * correct / (predicted + gold) if predicted + gold else 0.0


def entity_f1(gold: Tags, predicted: Tags, *, lost: Lost = ()) -> float:
    """Strict micro-averaged entity F1, from 0 to 1."""
    return f1_of_counts(*span_counts(gold, predicted, lost).sum(axis=0).tolist())


def entity_report(
    gold: Tags, predicted: Tags, *, lost: Lost = (), samples: int, seed: int = 0
) -> dict[str, Any]:
    """Score entities as the CoNLL-2003 task does: an entity counts if type and borders are right.

    lost:    types of the gold entities of each sentence that tags cannot say; nobody finds them
    returns: {"overall": row with f1_ci95, "per_type": {type: row}}, a row being precision, recall,
             f1 (fractions) and support
    source:  seqeval, mode="strict", scheme=IOB2; Tjong Kim Sang and De Meulder 2003
    """
    from seqeval.metrics import classification_report
    from seqeval.scheme import IOB2

    counts = span_counts(gold, predicted, lost)
    if not counts[:, 1:].any():
        return {"overall": {**row(0, 0, 0, 0), "f1_ci95": [0.0, 0.0]}, "per_type": {}}
    table = classification_report(
        [list(tags) for tags in gold],
        [list(tags) for tags in predicted],
        mode="strict",
        scheme=IOB2,
        output_dict=True,
        zero_division=0,
    )
    averages = ("micro avg", "macro avg", "weighted avg")
    missed = Counter(entity_type for types in lost for entity_type in types)
    rows = {name: sklearn_row(table[name]) for name in table if name not in averages}
    per_type = {
        name: _with_missed(rows.get(name, row(0.0, 0.0, 0.0, 0)), missed[name])
        for name in sorted({*rows, *missed})
    }
    overall = _with_missed(sklearn_row(table["micro avg"]), missed.total())
    overall["f1_ci95"] = interval95(
        lambda drawn: f1_of_counts(*(drawn @ counts).tolist()),
        len(counts),
        samples=samples,
        seed=seed,
    )
    return {"overall": overall, "per_type": per_type}


def _with_missed(line: dict[str, Any], missed: int) -> dict[str, Any]:
    """Add gold entities that were not found to a line of the report."""
    if not missed:
        return line
    support = line["support"] + missed
    recall = line["recall"] * line["support"] / support
    precision = line["precision"]
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return row(precision, recall, f1, support)


def row(precision: float, recall: float, f1: float, support: int) -> dict[str, Any]:
    """Build one line of a report: fractions and a count."""
    return {"precision": precision, "recall": recall, "f1": f1, "support": support}


def sklearn_row(line: dict[str, Any]) -> dict[str, Any]:
    """Rename one line of a `classification_report` of scikit-learn or seqeval."""
    return row(
        float(line["precision"]),
        float(line["recall"]),
        float(line["f1-score"]),
        int(line["support"]),
    )


def partial_credit(gold: Tags, predicted: Tags, *, lost: Lost = ()) -> dict[str, dict[str, float]]:
    """Score entities four ways, from strict to lenient.

    lost:    types of the gold entities of each sentence that tags cannot say
    strict:  right borders and right type
    exact:   right borders, whatever the type
    partial: exact, and half a point for borders that overlap
    type:    right type on borders that overlap
    returns: precision, recall and f1 of each
    source:  SemEval-2013 task 9.1 (Segura-Bedmar et al. 2013); like nervaluate, but a gold entity
             gives points to one prediction only
    """
    tally: Counter[str] = Counter()
    found, support = 0, sum(len(types) for types in lost)
    for gold_tags, predicted_tags in zip(gold, predicted, strict=True):
        gold_spans, predicted_spans = spans(gold_tags), spans(predicted_tags)
        found += len(predicted_spans)
        support += len(gold_spans)
        tally.update(_matches(gold_spans, predicted_spans))
    return {name: _credit(tally[name], found, support) for name in _SCHEMES}


_SCHEMES = ("strict", "exact", "partial", "type")


def _matches(gold: list[Span], predicted: list[Span]) -> Counter[str]:
    """Add up the points of one sentence under each scheme; each gold entity is used once."""
    points: Counter[str] = Counter()
    free = list(gold)
    unmatched = []
    for span in predicted:  # exact borders first, so that an overlap never takes their partner
        twin = next((g for g in free if g[1:] == span[1:]), None)
        if twin is None:
            unmatched.append(span)
            continue
        free.remove(twin)
        same_type = twin.type == span.type
        points.update({"strict": same_type, "exact": 1, "partial": 1, "type": same_type})
    for span in unmatched:
        other = next((g for g in free if g.first <= span.last and span.first <= g.last), None)
        if other is not None:
            free.remove(other)
            points["partial"] += 0.5  # type: ignore[assignment]
            points["type"] += other.type == span.type
    return points


def _credit(points: float, found: int, support: int) -> dict[str, float]:
    return {
        "precision": points / found if found else 0.0,
        "recall": points / support if support else 0.0,
        "f1": f1_of_counts(points, found, support),
    }
