"""Tagged sentences in; how raw text is split for them, and how often into the same words, out."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, pairwise, zip_longest
from typing import TYPE_CHECKING, Any

import regex
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nlp_transfer.data.segmenters import checked_rule
from nlp_transfer.data.words import UNSPACED, Splitter, split_words
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import WordRule

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger(__name__)

SAMPLE = 1_000
LOW_SHARE = 0.8
"""Well-kept corpora of edited text are above: 0.86 to 1.0; tweets (WNUT-17) are below: 0.62."""
RULES: tuple[WordRule, ...] = ("unicode", "treebank", "characters")
"""Rules that need no segmenter, and that raw text as people write it can be meant for."""


# No blank is written before the first, nor after the second.
_CLOSES = regex.compile(
    rf"(?:[.,;:!?…)\]}}]+|n['’]t|['’]\p{{L}}{{1,2}})\Z|{UNSPACED}", regex.VERSION1
)
_OPENS = regex.compile(rf"(?:[(\[{{]|{UNSPACED}\p{{M}}*)\Z", regex.VERSION1)
_LONE_HYPHEN = regex.compile(r"(?<=\w) - (?=\w)")
_INNER_HYPHEN = regex.compile(r"\w-\w")


class RawWords(BaseModel):
    """How raw text is split into words, and how that fits the sentences that a model learned."""

    model_config = ConfigDict(frozen=True)

    rule: WordRule = "unicode"
    sentences: int = Field(0, ge=0)
    """Training sentences that were looked at."""
    same: int = Field(0, ge=0)
    """Those whose text, put together from their words, splits into these words again."""

    @property
    def share(self) -> float:
        """The share that splits into the same words; 1 where nothing is known."""
        return self.same / self.sentences if self.sentences else 1.0

    @property
    def is_low(self) -> bool:
        """Whether predictions for raw text are worth a warning."""
        return self.share < LOW_SHARE

    def describe(self) -> str:
        """Say what was found, for people."""
        return (
            f"the text of {self.same:,} of {self.sentences:,} training sentences "
            f"({self.share:.0%}) splits into the words that they have (data.words={self.rule})"
        )

    def splitter(self) -> Splitter:
        """Return what splits raw text, with a warning where it splits into other words."""
        checked_rule(self.rule, "data.words")
        if self.is_low:
            log.warning(
                "Raw text may be split into other words than this model learned from: %s. Give "
                'its words as "tokens", or say with --words how to split it.',
                self.describe(),
            )
        return partial(split_words, rule=self.rule)

    def as_dict(self) -> dict[str, Any]:
        return {**self.model_dump(), "share": self.share}


def kept(words: Mapping[str, Any] | None, folder: object) -> RawWords:
    """Read what a model's config.json says; models from elsewhere have the default rule."""
    try:
        return RawWords.model_validate(words or {})
    except ValidationError:
        raise UserError(
            f"{folder}: config.json splits text into words by {words!r}, which this "
            "version does not know. Install the version that saved the model."
        ) from None


def measure(rows: Dataset, rule: WordRule) -> RawWords:
    """Count, in a sample of tagged sentences, those that split into their own words again."""
    sentences = sample(rows)["words"]
    same = sum(resplit(text, rule) == words for words, text in with_text(sentences, rule))
    return RawWords(rule=rule, sentences=len(sentences), same=same)


def sample(rows: Dataset) -> dict[str, list[Any]]:
    """Take sentences from all over a split, column by column."""
    columns: dict[str, list[Any]] = rows[:: -(-len(rows) // SAMPLE) or 1]
    return columns


def resplit(text: str, rule: WordRule) -> list[str]:
    """Split a text, without offsets."""
    return [word.text for word in split_words(text, rule)]


def with_text(sentences: Sequence[list[str]], rule: WordRule) -> Iterator[tuple[list[str], str]]:
    """Pair the words of sentences with the text that they were most likely split from.

    rule: for blanks, a text has them between all words; for characters, between none; for the
          others it is as people write
    """
    hyphens_apart = _hyphens_apart(sentences)
    for words in sentences:
        if rule == "blanks":
            yield words, " ".join(words)
        elif rule == "characters":
            yield words, "".join(words)
        else:
            yield words, _written(words, hyphens_apart)


def _written(words: Sequence[str], hyphens_apart: bool) -> str:
    """Join words as people write them."""
    gaps = (
        "" if _CLOSES.match(right) or _OPENS.search(left) else " "
        for left, right in pairwise(words)
    )
    text = "".join(chain.from_iterable(zip_longest(words, gaps, fillvalue="")))
    return _LONE_HYPHEN.sub("-", text) if hyphens_apart else text


def _hyphens_apart(sentences: Sequence[list[str]]) -> bool:
    """Tell whether a corpus makes well-known three words, from what it has more of."""
    inner = sum(bool(_INNER_HYPHEN.search(word)) for words in sentences for word in words)
    return sum(words.count("-") for words in sentences) > inner
