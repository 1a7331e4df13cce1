"""Entity scores over words: the CoNLL definition, and partial credit beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from nlp_transfer.data.tags import Span, spans
from nlp_transfer.metrics.bootstrap import interval95
from nlp_transfer.metrics.figures import EntityFigures, Score

Tags = Sequence[Sequence[str]]
Spans = Sequence[Sequence[Span]]
Lost = Sequence[Sequence[str]]


def span_counts(gold: Spans, predicted: Spans, lost: Lost = ()) -> NDArray[np.int64]:
    """Count entities sentence by sentence.

    gold, predicted: entities of the same sentences
    lost:            types of the gold entities of each sentence that tags cannot say
    returns:         (sentences, 3): correct, predicted and gold entities
    """
    rows = [
        (len({*gold_spans} & {*predicted_spans}), len(predicted_spans), len(gold_spans))
        for gold_spans, predicted_spans in zip(gold, predicted, strict=True)
    ]
    counts = np.array(rows, dtype=np.int64).reshape(-1, 3)
    if lost:
        counts[:, 2] += [len(types) for types in lost]
    return counts


def f1_of_counts(correct: float, predicted: float, gold: float) -> float:
    """Return F1 as 2 * correct / (predicted + gold), and 0 where nothing is there to find."""
    return 2 * correct / (predicted + gold) if predicted + gold else 0.0


def entity_f1(gold: Tags, predicted: Tags, *, lost: Lost = ()) -> float:
    """Strict micro-averaged entity F1, from 0 to 1."""
    counts = span_counts(*_all_spans(gold, predicted), lost)
    return f1_of_counts(*counts.sum(axis=0).tolist())


def entity_figures(
    gold: Tags, predicted: Tags, *, lost: Lost = (), samples: int, seed: int = 0
) -> EntityFigures:
    """Score entities as the CoNLL-2003 task does: an entity counts if type and borders are right.

    gold, predicted: valid IOB2 tags of the same words
    lost:            types of the gold entities of each sentence that tags cannot say; nobody
                     finds them
    samples:         of the bootstrap, for the interval of the overall F1
    source:          seqeval, mode="strict", scheme=IOB2; Tjong Kim Sang and De Meulder 2003
    """
    pairs = _all_spans(gold, predicted)
    counts = span_counts(*pairs, lost)
    credit = partial_credit(*pairs, lost)
    if not counts[:, 1:].any():
        return EntityFigures(Score(0, 0, 0, 0, (0.0, 0.0)), {}, credit)
    overall, rows = _seqeval_scores(gold, predicted)
    missed = Counter(entity_type for types in lost for entity_type in types)
    per_type = {
        name: _with_missed(rows.get(name, Score(0.0, 0.0, 0.0, 0)), missed[name])
        for name in sorted({*rows, *missed})
    }
    interval = interval95(
        lambda drawn: f1_of_counts(*(drawn @ counts).tolist()),
        len(counts),
        samples=samples,
        seed=seed,
    )
    overall = replace(_with_missed(overall, missed.total()), f1_ci95=interval)
    return EntityFigures(overall, per_type, credit)


def _all_spans(gold: Tags, predicted: Tags) -> tuple[list[list[Span]], list[list[Span]]]:
    return [spans(tags) for tags in gold], [spans(tags) for tags in predicted]


def _seqeval_scores(gold: Tags, predicted: Tags) -> tuple[Score, dict[str, Score]]:
    """Return the scores of all entities, and of each type."""
    from seqeval.metrics import classification_report
    from seqeval.scheme import IOB2

    table = classification_report(
        [list(tags) for tags in gold],
        [list(tags) for tags in predicted],
        mode="strict",
        scheme=IOB2,
        output_dict=True,
        zero_division=0,
    )
    scores = {
        name: Score(
            float(line["precision"]),
            float(line["recall"]),
            float(line["f1-score"]),
            int(line["support"]),
        )
        for name, line in table.items()
    }
    averages = ("micro avg", "macro avg", "weighted avg")
    rows = {name: score for name, score in scores.items() if name not in averages}
    return scores["micro avg"], rows


def _with_missed(score: Score, missed: int) -> Score:
    """Add gold entities that were not found to a line of the report."""
    if not missed:
        return score
    had = score.support or 0
    precision, recall = score.precision, score.recall * had / (had + missed)
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return Score(precision, recall, f1, had + missed)


def partial_credit(gold: Spans, predicted: Spans, lost: Lost = ()) -> dict[str, Score]:
    """Score entities four ways, from strict to lenient.

    gold, predicted: entities of the same sentences
    lost:            types of the gold entities of each sentence that tags cannot say
    strict:  right borders and right type
    exact:   right borders, whatever the type
    partial: exact, and half a point for borders that overlap
    type:    right type on borders that overlap
    source:  SemEval-2013 task 9.1 (Segura-Bedmar et al. 2013); like nervaluate, but a gold entity
             gives points to one prediction only
    """
    tally: Counter[str] = Counter()
    for gold_spans, predicted_spans in zip(gold, predicted, strict=True):
        tally.update(_matches(gold_spans, predicted_spans))
    found, support = sum(map(len, predicted)), sum(map(len, chain(gold, lost)))
    return {name: _credit(tally[name], found, support) for name in _SCHEMES}


_SCHEMES = ("strict", "exact", "partial", "type")


def _matches(gold: Sequence[Span], predicted: Sequence[Span]) -> Counter[str]:
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


def _credit(points: float, found: int, support: int) -> Score:
    return Score(
        points / found if found else 0.0,
        points / support if support else 0.0,
        f1_of_counts(points, found, support),
    )
