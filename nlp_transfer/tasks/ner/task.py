"""Named-entity recognition: one tag for every word."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from nlp_transfer.models.architecture import output_labels
from nlp_transfer.recipe import LabelNames
from nlp_transfer.tasks.base import Task
from nlp_transfer.tasks.ner.additions import NerAdditions, NerSpanRows
from nlp_transfer.tasks.ner.alterations import NerAlterations
from nlp_transfer.tasks.ner.decoding import NerDecoder
from nlp_transfer.tasks.ner.head import NerHead
from nlp_transfer.tasks.ner.results import NerResults
from nlp_transfer.tasks.ner.rows import NerRows
from nlp_transfer.tasks.ner.windows import LabelledPieces, NerWindows
from nlp_transfer.tasks.objective import soft_cross_entropy
from nlp_transfer.tasks.optional import SoftLoss

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

    from nlp_transfer.tasks.ner.analysis import NerErrorAnalysis
    from nlp_transfer.tasks.ner.checks import NerChecks
    from nlp_transfer.tasks.ner.confidence import NerConfidence
    from nlp_transfer.tasks.ner.judge import NerJudge
    from nlp_transfer.tasks.ner.scores import NerScores
    from nlp_transfer.tasks.ner.stock import NerStock


class NerTask(Task):
    """Find entities: typed runs of words, tagged in IOB2."""

    head_name: ClassVar[str] = "ForTokenClassification"
    results: ClassVar[NerResults] = NerResults()
    additions: ClassVar[NerAdditions] = NerAdditions()
    span_rows: ClassVar[NerSpanRows] = NerSpanRows()
    alterations: ClassVar[NerAlterations] = NerAlterations()

    name: Literal["ner"] = "ner"
    types: LabelNames | None = Field(
        None,
        description="entity types, in order; null takes them from the data",
        examples=[["PER", "ORG"]],
    )
    decoding: Literal["viterbi", "greedy"] = Field(
        "viterbi", description="viterbi: the likeliest legal tags; greedy: each word's likeliest"
    )
    label_pieces: LabelledPieces = Field(
        "first",
        description="first: the first piece of a word carries its label; all: the others too, "
        "which plain transformers' pipeline reads as well",
    )
    context_words: int = Field(
        0,
        ge=0,
        le=10_000,
        examples=[32],
        description="unlabelled words of the same document shown on each side of a sentence",
    )

    @classmethod
    def of_model(
        cls,
        config: PreTrainedConfig,
        kept: Mapping[str, Any] | None,
        folder: Path,
        scheme: str | None,
    ) -> Task:
        """Read the task of a tagger; of one that was trained elsewhere, its labels' scheme."""
        if kept is not None:
            return super().of_model(config, kept, folder, scheme)
        from nlp_transfer.tasks.ner.foreign import foreign_task

        return foreign_task(output_labels(config), scheme, str(folder))

    def of_other_labels(self) -> Self:
        return self.model_copy(update={"types": None})

    @property
    def rows(self) -> NerRows:
        return NerRows(self.types, in_documents=bool(self.context_words))

    @property
    def checks(self) -> NerChecks:
        from nlp_transfer.tasks.ner.checks import NerChecks

        return NerChecks(self.rows)

    @property
    def windows(self) -> NerWindows:
        return NerWindows(self.context_words, self.label_pieces)

    @property
    def head(self) -> NerHead:
        return NerHead()

    @property
    def decoder(self) -> NerDecoder:
        return NerDecoder(self.decoding)

    @property
    def scores(self) -> NerScores:
        from nlp_transfer.tasks.ner.scores import NerScores

        return NerScores()

    @property
    def error_analysis(self) -> NerErrorAnalysis:
        from nlp_transfer.tasks.ner.analysis import NerErrorAnalysis

        return NerErrorAnalysis()

    @property
    def confidence(self) -> NerConfidence:
        from nlp_transfer.tasks.ner.confidence import NerConfidence

        return NerConfidence()

    @property
    def soft_loss(self) -> SoftLoss:
        return soft_cross_entropy

    @property
    def judge(self) -> NerJudge:
        from nlp_transfer.tasks.ner.judge import NerJudge

        return NerJudge()

    @property
    def stock(self) -> NerStock:
        from nlp_transfer.tasks.ner.stock import NerStock

        return NerStock("first" if self.label_pieces == "first" else "average")
