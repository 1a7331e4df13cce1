"""Entity scores over words: the CoNLL definition, and partial credit beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nlp_transfer.metrics.bootstrap import interval95
from nlp_transfer.metrics.figures import EntityFigures, Score
from nlp_transfer.metrics.outcomes import f1
from nlp_transfer.metrics.partial_credit import partial_credit
from nlp_transfer.metrics.tagged import Lost, Tags, pair


def entity_f1(gold: Tags, predicted: Tags, *, lost: Lost = ()) -> float:
    """Strict micro-averaged entity F1, from 0 to 1."""
    return float(f1_of_counts(pair(gold, predicted, lost).by_type.sum(axis=0)))


def entity_figures(
    gold: Tags, predicted: Tags, *, lost: Lost = (), samples: int, seed: int = 0
) -> EntityFigures:
    """Score entities as the CoNLL-2003 task does: an entity counts if type and borders are right.

    gold, predicted: valid IOB2 tags of the same words
    lost:            types of the gold entities of each sentence that tags cannot say; nobody
                     finds them
    samples:         of the bootstrap, for the interval of the overall F1
    source:          Tjong Kim Sang and De Meulder 2003; what seqeval counts with mode="strict",
                     scheme=IOB2
    """
    pairing = pair(gold, predicted, lost)
    by_type = pairing.by_type
    overall = Score.of_counts(*by_type.sum(axis=0).tolist(), counted=True)
    interval = interval95(f1_of_counts, pairing.by_sentence, samples=samples, seed=seed)
    return EntityFigures(
        replace(overall, f1_ci95=interval),
        {
            kind: Score.of_counts(*line, counted=True)
            for kind, line in zip(pairing.types, by_type.tolist(), strict=True)
        },
        partial_credit(pairing),
    )


def f1_of_counts(counts: NDArray[np.number]) -> NDArray[np.float64]:
    """Return F1 as 2 * correct / (predicted + gold), and 0 where nothing is there to find.

    counts:  (..., 3) correct, predicted and gold entities
    returns: (...)
    """
    every = counts.astype(np.float64)
    return f1(every[..., 0], every[..., 1] + every[..., 2])
