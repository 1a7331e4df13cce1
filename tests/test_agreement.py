"""Our entity scores are those that others compute: seqeval, the CoNLL perl script, nervaluate."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nervaluate import Evaluator
from seqeval.metrics import classification_report
from seqeval.scheme import IOB2

from nlp_transfer.data.tags import iob2_labels, to_iob2
from nlp_transfer.metrics.bootstrap import interval95
from nlp_transfer.metrics.entities import entity_figures, f1_of_counts

TYPES = ("PER", "LOC", "E-mail")
TAGS = iob2_labels(TYPES)
corpora = st.builds(
    lambda seed, sentences, outside, noise: drawn(random.Random(seed), sentences, outside, noise),
    st.integers(0, 2**32),
    st.integers(1, 5),
    st.sampled_from([0.0, 0.3, 0.7]),
    st.sampled_from([0.1, 0.5, 1.0]),
)


def drawn(dice, sentences, outside, noise):
    """Draw tags as a model may write them, I- after O too: gold, and predictions like it.

    noise: share of the words whose predicted tag is drawn anew
    """
    gold, predicted = [], []
    shares = [outside, *[(1 - outside) / (len(TAGS) - 1)] * (len(TAGS) - 1)]
    for _ in range(sentences):
        length = dice.randrange(12)
        ours, others = (dice.choices(TAGS, shares, k=length) for _ in range(2))
        gold.append(ours)
        predicted.append([pair[dice.random() < noise] for pair in zip(ours, others, strict=True)])
    return gold, predicted


def valid(side):
    return [to_iob2(tags, "iob2")[0] for tags in side]


def line(correct, predicted, gold):
    precision, recall = correct / max(predicted, 1), correct / max(gold, 1)
    total = precision + recall
    return (precision, recall, 2 * precision * recall / total if total else 0.0)


def same(score, wanted):
    assert (score.precision, score.recall, score.f1) == pytest.approx(wanted)


# --- seqeval --------------------------------------------------------------------------------------


def is_seqevals(corpus):
    """Compare strict scores, overall and by type."""
    gold, predicted = map(valid, corpus)
    figures = entity_figures(gold, predicted, samples=1)
    if not figures.per_type:
        assert figures.overall.f1 == 0  # seqeval refuses to answer
        return
    theirs = classification_report(
        gold, predicted, mode="strict", scheme=IOB2, output_dict=True, zero_division=0
    )
    assert set(figures.per_type) == set(theirs) - {"micro avg", "macro avg", "weighted avg"}
    for name, score in {**figures.per_type, "micro avg": figures.overall}.items():
        same(score, [theirs[name][key] for key in ("precision", "recall", "f1-score")])
        assert score.support == theirs[name]["support"]


# --- conlleval ------------------------------------------------------------------------------------


def conlleval(gold, predicted):
    """Count (correct, guessed, gold) chunks by type as the script of CoNLL-2003 does, tag by tag.

    source: conlleval.pl of Sang 2004: `startOfChunk`, `endOfChunk`, and its main loop
    """
    counts = {kind: [0, 0, 0] for kind in TYPES}
    for ours, theirs in zip(gold, predicted, strict=True):
        inside = False  # of a chunk that is right so far
        before = (("O", ""), ("O", ""))
        for tags in [*zip(ours, theirs, strict=True), ("O", "O")]:
            now = tuple((tag[0], tag[2:]) for tag in tags)
            ends = [ends_chunk(*pair) for pair in zip(before, now, strict=True)]
            starts = [starts_chunk(*pair) for pair in zip(before, now, strict=True)]
            if inside and all(ends) and before[0][1] == before[1][1]:
                counts[before[0][1]][0] += 1
                inside = False
            elif inside and (any(ends) or now[0][1] != now[1][1]):
                inside = False
            if all(starts) and now[0][1] == now[1][1]:
                inside = True
            for column, start, (_, kind) in zip((2, 1), starts, now, strict=True):
                if start:
                    counts[kind][column] += 1
            before = now
    return counts


def ends_chunk(before, now):
    return before[0] != "O" and (now[0] in "BO" or before[1] != now[1])


def starts_chunk(before, now):
    return now[0] == "B" or (now[0] == "I" and (before[0] == "O" or before[1] != now[1]))


def is_conllevals(corpus):
    """Compare strict scores, of tags as they came: what continues nothing starts an entity."""
    counts = conlleval(*corpus)
    figures = entity_figures(*map(valid, corpus), samples=1)
    assert set(figures.per_type) == {kind for kind in TYPES if any(counts[kind])}
    for kind, score in figures.per_type.items():
        same(score, line(*counts[kind]))
    same(figures.overall, line(*np.sum([*counts.values()], axis=0)))


# --- nervaluate -----------------------------------------------------------------------------------


def is_nervaluates(corpus):
    """Compare partial credit."""
    gold, predicted = map(valid, corpus)
    theirs = Evaluator(gold, predicted, tags=[*TYPES], loader="list").evaluate()["overall"]
    credit = entity_figures(gold, predicted, samples=1).partial_credit
    for name, score in credit.items():
        wanted = theirs["ent_type" if name == "type" else name]
        same(score, (wanted.precision, wanted.recall, wanted.f1))


@pytest.mark.parametrize("number", [100, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("agreed", [is_seqevals, is_conllevals, is_nervaluates])
def test_what_we_compute_is_what_others_compute(agreed, number):
    settings(deadline=None, max_examples=number)(given(corpora)(agreed))()


# --- intervals ------------------------------------------------------------------------------------


def test_the_interval_is_that_of_drawing_sentence_by_sentence():
    dice = np.random.default_rng(3)
    gold = dice.integers(0, 4, 2000)
    correct = dice.binomial(gold, 0.8)
    counts = np.stack([correct, correct + dice.integers(0, 2, 2000), gold], axis=1)
    plain = []
    for _ in range(4000):
        one, found, there = counts[dice.integers(0, len(counts), len(counts))].sum(axis=0)
        plain.append(2 * one / (found + there))
    ours = interval95(f1_of_counts, counts, samples=4000)
    assert ours == pytest.approx(np.percentile(plain, [2.5, 97.5]), abs=0.001)  # 0.1 points
