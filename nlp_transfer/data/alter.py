"""A labelled row in, an altered one whose labels still hold out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from typing import Any

from nlp_transfer.data.tags import spans

_LEAST_LETTERS = 4
"""Shorter words are not misspelled: what is left of them might be another word."""
_CASES: tuple[Callable[[str], str], ...] = (str.lower, str.upper, str.title)


class Sentences:
    """Alters tagged sentences; every share is a chance from 0 to 1."""

    def __init__(
        self,
        rows: Sequence[Mapping[str, Any]],
        *,
        replace_entities: float,
        change_case: float,
        join_sentences: float,
        typos: float,
    ) -> None:
        """rows: the sentences that entities, and second sentences, are taken from."""
        self._rows = rows
        self._mentions = _mentions(rows)
        self._replace_entities = replace_entities
        self._change_case = change_case
        self._join_sentences = join_sentences
        self._typos = typos

    def __call__(self, row: Mapping[str, Any], seed: str) -> dict[str, list[str]]:
        """Return {words, tags} of an altered sentence; the same seed gives the same."""
        rng = Random(seed)
        words, tags = self._replaced(row["words"], row["tags"], rng)
        if rng.random() < self._join_sentences:
            second = rng.choice(self._rows)
            words, tags = [*words, *second["words"]], [*tags, *second["tags"]]
        if rng.random() < self._change_case:
            case = rng.choice(_CASES)
            words = [case(word) for word in words]
        words = [misspelled(word, rng) if rng.random() < self._typos else word for word in words]
        return {"words": words, "tags": tags}

    def _replaced(
        self, words: Sequence[str], tags: Sequence[str], rng: Random
    ) -> tuple[list[str], list[str]]:
        """Put other entities of the same type in the places of some."""
        new_words: list[str] = []
        new_tags: list[str] = []
        end = 0
        for span in spans(tags):
            new_words += words[end : span.first]
            new_tags += tags[end : span.first]
            end = span.last + 1
            mention: Sequence[str] = words[span.first : end]
            if rng.random() < self._replace_entities:
                mention = rng.choice(self._mentions[span.type])
            new_words += mention
            new_tags += [f"B-{span.type}", *[f"I-{span.type}"] * (len(mention) - 1)]
        return [*new_words, *words[end:]], [*new_tags, *tags[end:]]


class Texts:
    """Alters texts in ways that keep their class; every share is a chance from 0 to 1."""

    def __init__(self, *, drop_words: float, swap_words: float, typos: float) -> None:
        self._drop_words = drop_words
        self._swap_words = swap_words
        self._typos = typos

    def __call__(self, row: Mapping[str, Any], seed: str) -> dict[str, str]:
        """Return {text, text_pair} altered; the same seed gives the same."""
        rng = Random(seed)
        columns = [column for column in ("text", "text_pair") if row[column] is not None]
        return {column: " ".join(self._altered(row[column].split(), rng)) for column in columns}

    def _altered(self, words: list[str], rng: Random) -> list[str]:
        kept = [word for word in words if rng.random() >= self._drop_words] or words
        words = [misspelled(word, rng) if rng.random() < self._typos else word for word in kept]
        for first in range(len(words)):
            if rng.random() < self._swap_words:
                second = rng.randrange(len(words))
                words[first], words[second] = words[second], words[first]
        return words


class Reworded:
    """Puts words of other examples in the places of some; the labels no longer hold.

    source: Jiao et al. 2020 (TinyBERT), section 3.2, with words drawn at random
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]], *, share: float) -> None:
        """share: of the words at most, 0 to 1; each example draws its own."""
        words = (word for row in rows for words in _words(row).values() for word in words)
        self._words = [word for word in dict.fromkeys(words) if _has_letters(word)]
        self._share = share

    def __call__(self, row: Mapping[str, Any], seed: str) -> dict[str, Any]:
        """Return {words} or {text, text_pair} altered; the same seed gives the same."""
        rng = Random(seed)
        share = rng.uniform(0, self._share)
        altered = {
            column: [
                rng.choice(self._words) if _has_letters(word) and rng.random() < share else word
                for word in words
            ]
            for column, words in _words(row).items()
        }
        return altered if "words" in altered else {c: " ".join(w) for c, w in altered.items()}


def _words(row: Mapping[str, Any]) -> dict[str, list[str]]:
    """Split what a model reads of a row into words, by column."""
    if "words" in row:
        return {"words": row["words"]}
    return {column: row[column].split() for column in ("text", "text_pair") if row[column]}


def _has_letters(word: str) -> bool:
    return any(map(str.isalpha, word))


def misspelled(word: str, rng: Random) -> str:
    """Swap two letters that stand together, leave one out, or double one."""
    if len(word) < _LEAST_LETTERS or not word.isalpha():
        return word
    place = rng.randrange(1, len(word) - 1)  # the first letter is seldom mistyped
    before, letter, following = word[:place], word[place], word[place + 1 :]
    return rng.choice(
        (
            before + following[0] + letter + following[1:],
            before + following,
            before + letter + letter + following,
        )
    )


def _mentions(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[tuple[str, ...]]]:
    """List the different entities of each type, in order of appearance."""
    found: dict[str, dict[tuple[str, ...], None]] = defaultdict(dict)
    for row in rows:
        for span in spans(row["tags"]):
            found[span.type][tuple(row["words"][span.first : span.last + 1])] = None
    return {kind: list(mentions) for kind, mentions in found.items()}
