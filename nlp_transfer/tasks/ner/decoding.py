"""A tagger's outputs in, the tags of each sentence's words out."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from nlp_transfer.data.tags import spans, to_iob2
from nlp_transfer.tasks.arrays import mean_probabilities
from nlp_transfer.tasks.faces import WindowRow
from nlp_transfer.tasks.ner.span_scores import Steps, iob2_steps, span_log_probabilities

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Tagging:
    """The prediction for one sentence."""

    tags: tuple[str, ...]
    """IOB2, one a word."""
    scores: Sequence[float]
    """Probability of each word's tag, 0 to 1."""
    entity_scores: Sequence[float] = ()
    """Probability of each whole entity with its type, 0 to 1, from left to right."""
    model_scores: Sequence[float] = ()
    """As `entity_scores`, before they were calibrated."""

    @property
    def answers(self) -> tuple[str, ...]:
        """The tag of every word."""
        return self.tags


@dataclass(frozen=True)
class NerDecoder:
    """Chooses tags from the log-probabilities of each word's first piece."""

    way: Literal["viterbi", "greedy"]
    """The likeliest legal tags, or each word's likeliest."""

    def window_outputs(
        self, logits: torch.Tensor, windows: Sequence[WindowRow]
    ) -> list[NDArray[np.float32]]:
        """Keep the log-probabilities of each owned word's first piece.

        logits:  (windows, pieces, labels)
        returns: (words, labels) a window
        """
        import torch

        counts = [len(window["positions"]) for window in windows]
        batch = torch.arange(len(windows)).repeat_interleave(torch.tensor(counts))
        positions = torch.tensor([p for w in windows for p in w["positions"]], dtype=torch.int64)
        chosen = logits[batch.to(logits.device), positions.to(logits.device)]
        return [part.numpy() for part in chosen.float().log_softmax(dim=-1).cpu().split(counts)]

    def stitch(
        self, outputs: Sequence[NDArray[np.float32]], labels: int
    ) -> NDArray[np.floating[Any]]:
        """Join the words of all windows: (words of the sentence, labels)."""
        import numpy as np

        return np.concatenate([np.empty((0, labels), np.float32), *outputs])

    def mean(self, stitched: Sequence[NDArray[np.floating[Any]]]) -> NDArray[np.floating[Any]]:
        """Average the probabilities that several models give the words: (words, labels)."""
        return mean_probabilities(stitched)

    def decode(self, stitched: NDArray[np.floating[Any]], labels: Sequence[str]) -> Tagging:
        """Choose the tags of a sentence from log-probabilities: (words, labels)."""
        import numpy as np

        if not len(stitched):
            return Tagging((), ())
        path = self.best_path(stitched, labels)
        chosen = np.exp(stitched[np.arange(len(path)), path])
        tags = self.as_iob2([labels[i] for i in path])
        steps, found = self.steps(tuple(labels), path), spans(tags)
        sure = [*map(math.exp, span_log_probabilities(stitched, path, found, steps))]
        # A tuple of floats takes four times the memory, of every word of a split that is scored.
        return Tagging(tags, array("d", chosen.tolist()), sure, sure)

    def steps(self, labels: tuple[str, ...], path: NDArray[np.int64]) -> Steps:
        """Tell which labels may follow which, for the path that was chosen."""
        return iob2_steps(labels, legal=self.way == "viterbi")

    def best_path(
        self, log_probabilities: NDArray[np.floating[Any]], labels: Sequence[str]
    ) -> NDArray[np.int64]:
        """Choose the output of each word of a sentence, which has at least one.

        log_probabilities: (words, labels)
        returns:           (words,) label ids
        """
        from nlp_transfer.tasks.ner.viterbi import best_tags

        if self.way == "viterbi":
            return best_tags(log_probabilities, _inside(tuple(labels)))
        likeliest: NDArray[np.int64] = log_probabilities.argmax(axis=1)
        return likeliest

    def as_iob2(self, tags: Sequence[str]) -> tuple[str, ...]:
        """Read the labels chosen for a sentence as valid IOB2."""
        if self.way == "viterbi":
            return tuple(tags)
        # As the CoNLL scorer reads greedy tags: an I- that continues nothing starts an entity.
        return tuple(to_iob2(tags, "iob2")[0])


@lru_cache(maxsize=32)
def _inside(labels: tuple[str, ...]) -> Mapping[int, tuple[int, int]]:
    from nlp_transfer.tasks.ner.viterbi import inside_predecessors

    return inside_predecessors(labels)
