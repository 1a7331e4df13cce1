"""Named-entity recognition: one tag for every word."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from nlp_transfer.recipe import LabelNames
from nlp_transfer.tasks.base import Task
from nlp_transfer.tasks.ner.checks import NerChecks
from nlp_transfer.tasks.ner.decoding import NerDecoder
from nlp_transfer.tasks.ner.head import NerHead
from nlp_transfer.tasks.ner.results import NerResults
from nlp_transfer.tasks.ner.rows import NerRows
from nlp_transfer.tasks.ner.scores import NerScores
from nlp_transfer.tasks.ner.windows import NerWindows


class NerTask(Task):
    """Find entities: typed runs of words, tagged in IOB2."""

    name: Literal["ner"] = "ner"
    types: LabelNames | None = Field(
        None,
        description="entity types, in order; null takes them from the data",
        examples=[["PER", "ORG"]],
    )
    decoding: Literal["viterbi", "greedy"] = Field(
        "viterbi", description="viterbi: the likeliest legal tags; greedy: each word's likeliest"
    )
    context_words: int = Field(
        0,
        ge=0,
        le=10_000,
        examples=[32],
        description="unlabelled words of the same document shown on each side of a sentence",
    )

    @property
    def rows(self) -> NerRows:
        """Tagged sentences."""
        return NerRows(self.types)

    @property
    def checks(self) -> NerChecks:
        """Doubtful tags, entities and words."""
        return NerChecks(self.rows)

    @property
    def windows(self) -> NerWindows:
        """Runs of the pieces of words."""
        return NerWindows(self.context_words)

    @property
    def head(self) -> NerHead:
        """One output a tag."""
        return NerHead()

    @property
    def decoder(self) -> NerDecoder:
        """Tags from the probabilities of each word."""
        return NerDecoder(self.decoding)

    @property
    def scores(self) -> NerScores:
        """Entity F1 and what stands beside it."""
        return NerScores()

    @property
    def results(self) -> NerResults:
        """Tags and entities."""
        return NerResults()
