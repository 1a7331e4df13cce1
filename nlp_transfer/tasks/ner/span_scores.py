"""The chosen labels of a sentence's words in, the probability of each whole entity out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from nlp_transfer.data.tags import Span, split_tag

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Steps:
    """Which labels may follow which; 1 where they may, 0 where not."""

    follow: NDArray[np.float64]
    """(labels, labels): the second after the first."""
    apart: NDArray[np.float64]
    """As `follow`, but 0 too where both are of one entity then."""
    first: NDArray[np.float64]
    """(labels,): at the start of a sentence."""
    last: NDArray[np.float64]
    """(labels,): at its end."""


def steps_of(
    tags: Sequence[str],
    inside: Mapping[int, Sequence[int]],
    closed: NDArray[np.int64] | None = None,
    never: NDArray[np.bool_] | None = None,
) -> Steps:
    """Tell what a scheme allows.

    tags:           letter and type of each label, such as B-PER
    inside, closed: as `viterbi.best_tags` has them
    never:          (labels,) true for those that no word has
    """
    import numpy as np

    count = len(tags)
    follow, first, last = np.ones((count, count)), np.ones(count), np.ones(count)
    if closed is not None:
        last = np.isin(np.arange(count), closed).astype(np.float64)
        follow *= last[:, None]
    for label, before in inside.items():
        first[label] = 0
        follow[:, label] = np.isin(np.arange(count), before)
    if never is not None:
        first[never] = last[never] = follow[never] = follow[:, never] = 0
    return Steps(follow, follow * (1 - joined(list(map(split_tag, tags)))), first, last)


@lru_cache(maxsize=32)
def iob2_steps(labels: tuple[str, ...], *, legal: bool) -> Steps:
    """Tell what IOB2 allows; legal: only I-x that continue an entity, else any after any."""
    from nlp_transfer.tasks.ner.viterbi import inside_predecessors

    return steps_of(labels, inside_predecessors(labels) if legal else {})


def joined(parts: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
    """Tell which labels are of one entity when the second follows the first.

    parts:   letter and type of each label, as `split_tag` has them
    returns: (labels, labels), 1 or 0
    """
    import numpy as np

    opens = np.array([letter in ("B", "I") for letter, _ in parts])
    continues = np.array([letter in ("I", "E", "L") for letter, _ in parts])
    kinds = np.array([kind for _, kind in parts])
    same = kinds[:, None] == kinds[None, :]
    joins: NDArray[np.float64] = (same & opens[:, None] & continues[None, :]).astype(np.float64)
    return joins


def span_log_probabilities(
    log_probabilities: NDArray[np.floating[Any]],
    path: NDArray[np.int64],
    found: Sequence[Span],
    steps: Steps,
) -> list[float]:
    """Compute the probability of each entity: of its labels, and that it goes no further.

    It is exact for a model that gives each sequence of labels that `steps` allow a probability in
    proportion to the product of its words', and all others none.

    log_probabilities: (words, labels)
    path:              (words,) the labels that were chosen; steps allow them
    found:             the entities that they make, from left to right
    returns:           natural logarithms, one an entity
    source:            Culotta and McCallum 2004, Confidence estimation for information extraction
                       (forward-backward under constraints)
    """
    import numpy as np

    if not found:
        return []
    weights = np.exp(log_probabilities.astype(np.float64))
    before = _forward(weights, steps, found[-1].last)
    after = _backward(weights, steps, found[0].last)
    (to_here, log_to), (from_here, log_from) = before[found[0].last], after[found[0].last]
    everything = math.log(to_here @ from_here) + log_to + log_from
    ones = (_of_one(span, weights, path, steps, before, after) for span in found)
    return [min(0.0, one - everything) for one in ones]  # rounding may carry it over certainty


_Scaled = tuple["NDArray[np.float64]", float]
"""Weights by label, divided by a factor; the logarithm of that factor."""


def _of_one(
    span: Span,
    weights: NDArray[np.float64],
    path: NDArray[np.int64],
    steps: Steps,
    before: Mapping[int, _Scaled],
    after: Mapping[int, _Scaled],
) -> float:
    """Add up the weight of all sequences that have an entity; its logarithm."""
    first, last = span.first, span.last
    opening, closing = path[first], path[last]
    entered, log_before = steps.first[opening], 0.0
    if first:
        others, log_before = before[first - 1]
        entered = others @ steps.apart[:, opening]
    left, log_after = steps.last[closing], 0.0
    if last + 1 < len(path):
        others, log_after = after[last + 1]
        left = steps.apart[closing] @ (weights[last + 1] * others)
    within = (math.log(weights[word, path[word]]) for word in range(first, last + 1))
    return math.log(entered) + math.log(left) + sum(within) + log_before + log_after


def _forward(weights: NDArray[np.float64], steps: Steps, to: int) -> dict[int, _Scaled]:
    """Add up the weight of all beginnings that end in each label: of words 0 to `to`."""
    ways, log_scale = steps.first * weights[0], 0.0
    found = {}
    for word in range(to + 1):
        if word:
            ways = (ways @ steps.follow) * weights[word]
        total = ways.sum()
        ways, log_scale = ways / total, log_scale + math.log(total)
        found[word] = ways, log_scale
    return found


def _backward(weights: NDArray[np.float64], steps: Steps, to: int) -> dict[int, _Scaled]:
    """Add up the weight of all ends that may come after each label: of the last word to `to`."""
    ways, log_scale = steps.last, 0.0
    found = {len(weights) - 1: (ways, log_scale)}
    for word in range(len(weights) - 2, to - 1, -1):
        ways = steps.follow @ (weights[word + 1] * ways)
        total = ways.sum()
        ways, log_scale = ways / total, log_scale + math.log(total)
        found[word] = ways, log_scale
    return found
