"""Texts and their labels one by one in, what these are sorted into slices by out."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nlp_transfer.data.arrow_tables import iterate
from nlp_transfer.metrics.slices import MOST_VALUES, Attribute, by_name, by_number
from nlp_transfer.metrics.surfaces import by_casing, by_columns, by_length
from nlp_transfer.records import Row

if TYPE_CHECKING:
    from datasets import Dataset

Integers = NDArray[np.int64]

_WORD = re.compile(r"\w+")
_SEEN = ("all", "90-99 %", "75-89 %", "under 75 %")
_SEEN_SHARES = (1, 0.9, 0.75)
_FREQUENCIES = (0, 9, 29, 99, 299, 999)


def whole_text(row: Mapping[str, Any]) -> str:
    """Join a text and the second one of a pair, of a row or a line of predictions.jsonl."""
    pair = row.get("text_pair")
    text: str = row["text"]
    return text if pair is None else f"{text}\n{pair}"


@dataclass(frozen=True)
class SeenTexts:
    """What training has seen."""

    labels: Counter[str]
    """Examples of each."""
    words: frozenset[str]
    """In lower case, without signs."""

    @classmethod
    def of(cls, train: Dataset) -> SeenTexts:
        """Collect the labels and words of a training split."""
        labels: Counter[str] = Counter()
        words: set[str] = set()
        for row in iterate(train, ["text", "text_pair", "labels"]):
            labels.update(row["labels"] or ())
            words.update(_words(whole_text(row)))
        return cls(labels, frozenset(words))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


class TextItems:
    """Texts, and how many of their labels are right."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, Sequence[str | None]]] = []
        self._counts = array("i")

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: Row, gold: set[str], predicted: set[str]) -> None:
        """Take a text."""
        self._rows.append((whole_text(row), row.get("slices") or ()))
        self._counts.extend((len(gold & predicted), len(predicted), len(gold)))

    @property
    def counts(self) -> NDArray[np.int32]:
        """(texts, 3) correct, predicted and gold labels."""
        return np.array(self._counts, np.int32).reshape(-1, 3)

    def attributes(self, seen: SeenTexts | None, columns: Sequence[str]) -> list[Attribute]:
        """Sort them.

        seen:    None: not known
        columns: names of the columns that rows keep
        """
        texts = [text for text, _ in self._rows]
        found = [by_length("text_length", [len(text.split()) for text in texts]), by_casing(texts)]
        if seen is not None:
            codes = [_seen_code(_words(text), seen.words) for text in texts]
            found.append(Attribute("words_seen", _SEEN, np.array(codes, np.int64)))
        return [*found, *by_columns(columns, [values for _, values in self._rows])]


def _seen_code(words: Sequence[str], seen: frozenset[str]) -> int:
    """Return the place in _SEEN of a text; -1 where it has no words."""
    if not words:
        return -1
    share = sum(word in seen for word in words) / len(words)
    reached = (place for place, least in enumerate(_SEEN_SHARES) if share >= least)
    return next(reached, len(_SEEN_SHARES))


class LabelItems:
    """Labels of both sides of each text; one that is right stands once."""

    def __init__(self) -> None:
        self._labels: list[str] = []
        self._texts = array("i")
        self._counts = array("b")

    def add(self, text: int, gold: set[str], predicted: set[str]) -> None:
        """Take the labels of a text.

        text: its number, from 0
        """
        for label in sorted(gold | predicted):
            is_gold, is_predicted = label in gold, label in predicted
            self._counts.extend((is_gold and is_predicted, is_predicted, is_gold))
            self._texts.append(text)
            self._labels.append(label)

    @property
    def counts(self) -> NDArray[np.int8]:
        """(labels, 3) 1 where one is correct, predicted, gold."""
        return np.array(self._counts, np.int8).reshape(-1, 3)

    @property
    def texts(self) -> Integers:
        """(labels,) the text of each, from 0."""
        return np.array(self._texts, np.int64)

    def correct(self) -> tuple[Counter[str], list[str]]:
        """Count the right labels, and list all."""
        right = Counter(
            label for label, count in zip(self._labels, self._counts[::3], strict=True) if count
        )
        return right, sorted({*self._labels})

    def attributes(self, seen: SeenTexts | None) -> Iterator[Attribute]:
        """Sort them; by name where these are few.

        seen: None: not known
        """
        if len(set(self._labels)) <= MOST_VALUES:
            yield by_name("label", self._labels)
        if seen is not None:
            numbers = [seen.labels[label] for label in self._labels]
            yield by_number("label_in_train", numbers, _FREQUENCIES, "examples")
