"""Texts in, windows of pieces with some words hidden out, for masked-language modelling."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_TEXTS_A_BATCH = 256
_IGNORED = -100
_MASKED, _RANDOM = 0.8, 0.1
"""Of the chosen pieces: shown as the mask, shown as any piece; the rest as they are (BERT)."""


def cut_texts(
    texts: Iterable[str], tokenizer: PreTrainedTokenizerBase, *, max_pieces: int
) -> Iterator[dict[str, list[int]]]:
    """Cut texts into windows, to their ends.

    returns: {input_ids, word: the number of each piece's word, -1 for special pieces}
    """
    stream = iter(texts)
    while batch := list(islice(stream, _TEXTS_A_BATCH)):
        encoding = tokenizer(
            batch, truncation=True, max_length=max_pieces, return_overflowing_tokens=True
        )
        for number, ids in enumerate(encoding["input_ids"]):
            words = encoding.word_ids(number)
            yield {"input_ids": ids, "word": [-1 if word is None else word for word in words]}


class MaskedWindows:
    """Windows by number, each epoch with other words hidden; `~number` has nothing to guess.

    What is hidden depends on the seed, the epoch and the window alone: not on the batch, so that
    it stays the same on any number of processes and after a resume. The collator of transformers
    draws in the order of the batches.
    """

    def __init__(
        self,
        windows: Sequence[dict[str, Any]],
        tokenizer: PreTrainedTokenizerBase,
        *,
        mask: float,
        whole_words: bool,
        seed: int,
    ) -> None:
        """mask: share of the words, or of the pieces, to be guessed."""
        self._windows = windows
        self._mask_id = tokenizer.mask_token_id
        self._vocabulary = len(tokenizer)
        self._mask = mask
        self._whole_words = whole_words
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose which words are hidden."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, number: int) -> dict[str, list[int]]:
        if number >= 0:
            return self._masked(number)
        ids = list(self._windows[~number]["input_ids"])
        return {"input_ids": ids, "labels": [_IGNORED] * len(ids)}

    def _masked(self, number: int) -> dict[str, list[int]]:
        random = np.random.default_rng((self._seed, self._epoch, number))
        ids = list(self._windows[number]["input_ids"])
        labels = [_IGNORED] * len(ids)
        groups = self._groups(self._windows[number]["word"])
        chosen = np.flatnonzero(random.random(len(groups)) < self._mask)
        if not len(chosen) and groups:
            chosen = random.integers(len(groups), size=1)  # a window without a guess is wasted
        for place in (place for group in chosen for place in groups[group]):
            labels[place] = ids[place]
            fate = random.random()
            if fate < _MASKED:
                ids[place] = self._mask_id
            elif fate < _MASKED + _RANDOM:
                ids[place] = int(random.integers(self._vocabulary))
        return {"input_ids": ids, "labels": labels}

    def _groups(self, words: Sequence[int]) -> list[list[int]]:
        """List the places of the pieces that are hidden together."""
        if not self._whole_words:
            return [[place] for place, word in enumerate(words) if word >= 0]
        places: dict[int, list[int]] = defaultdict(list)
        for place, word in enumerate(words):
            if word >= 0:
                places[word].append(place)
        return list(places.values())
