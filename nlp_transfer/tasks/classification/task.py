"""Text classification: one label, or any number of labels, for a text or a pair of texts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from nlp_transfer.errors import UserError
from nlp_transfer.recipe import LabelNames
from nlp_transfer.tasks.base import Task
from nlp_transfer.tasks.classification.additions import (
    ClassificationAdditions,
    ClassificationTextLabels,
)
from nlp_transfer.tasks.classification.alterations import ClassificationAlterations
from nlp_transfer.tasks.classification.decoding import ClassificationDecoder
from nlp_transfer.tasks.classification.head import ClassificationHead
from nlp_transfer.tasks.classification.results import ClassificationResults
from nlp_transfer.tasks.classification.rows import ClassificationRows
from nlp_transfer.tasks.classification.windows import ClassificationWindows
from nlp_transfer.tasks.objective import soft_binary_cross_entropy, soft_cross_entropy
from nlp_transfer.tasks.optional import SoftLoss

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

    from nlp_transfer.tasks.classification.analysis import ClassificationErrorAnalysis
    from nlp_transfer.tasks.classification.checks import ClassificationChecks
    from nlp_transfer.tasks.classification.confidence import ClassificationConfidence
    from nlp_transfer.tasks.classification.judge import ClassificationJudge
    from nlp_transfer.tasks.classification.scores import ClassificationScores
    from nlp_transfer.tasks.classification.stock import ClassificationStock


class ClassificationTask(Task):
    """Sort texts into classes."""

    head_name: ClassVar[str] = "ForSequenceClassification"
    alterations: ClassVar[ClassificationAlterations] = ClassificationAlterations()

    name: Literal["classification"] = "classification"
    classes: LabelNames | None = Field(
        None,
        description="class names, in order; null takes them from the data",
        examples=[["ham", "spam"]],
    )
    multi_label: bool = Field(False, description="a text may have several labels, or none")
    threshold: float = Field(0.5, gt=0, lt=1, description="multi-label: least probability")
    long_texts: Literal["windows", "truncate"] = Field(
        "windows",
        description="read to the end in windows (mean of their logits), or cut off and counted; "
        "pairs of texts are always cut",
    )
    unknown: Literal["auto"] | None = Field(
        None,
        examples=["auto"],
        description="auto: a text that lies far from all classes gets none of them",
    )
    known_kept: float = Field(
        0.95,
        gt=0,
        lt=1,
        description="with unknown: share of the validation texts that are to keep their class",
    )
    unknown_label: str | None = Field(
        None,
        min_length=1,
        examples=["oos"],
        description="with unknown: what the data calls texts of none of the classes, which only "
        "measure it",
    )

    @model_validator(mode="after")
    def _unknown_has_a_use(self) -> ClassificationTask:
        if self.unknown is not None and self.multi_label:
            raise ValueError(
                "unknown: a text of a multi-label task may have no label as it is: leave out "
                "task.unknown, and choose by task.threshold"
            )
        for key in ("known_kept", "unknown_label"):
            field = type(self).model_fields[key]
            if self.unknown is None and getattr(self, key) != field.default:
                raise ValueError(f"{key} is of use with task.unknown=auto only")
        return self

    @classmethod
    def of_model(
        cls,
        config: PreTrainedConfig,
        kept: Mapping[str, Any] | None,
        folder: Path,
        scheme: str | None,
    ) -> Task:
        """Read the task of a classifier; of one that was trained elsewhere, if labels are several.

        raises: UserError for a head that does not choose between labels
        """
        several = config.problem_type == "multi_label_classification"
        if config.problem_type == "regression" or (len(config.id2label) == 1 and not several):
            raise UserError(
                f"{folder}: the model's head gives a number (regression: {len(config.id2label)} "
                f"output, problem_type {config.problem_type!r}), it does not choose between "
                "labels. Fine-tune it on labelled texts with nlpt finetune: its encoder is used, "
                "its head new."
            )
        return super().of_model(config, kept or {"multi_label": several}, folder, scheme)

    @property
    def kind(self) -> str:
        """The name, and whether several labels may hold at once."""
        return f"multi-label {self.name}" if self.multi_label else self.name

    def of_other_labels(self) -> Self:
        declared = ("classes", "unknown", "known_kept", "unknown_label")
        fields = type(self).model_fields
        return self.model_copy(update={key: fields[key].default for key in declared})

    @property
    def rows(self) -> ClassificationRows:
        return ClassificationRows(self.classes, self.multi_label, self.unknown_label)

    @property
    def checks(self) -> ClassificationChecks:
        from nlp_transfer.tasks.classification.checks import ClassificationChecks

        return ClassificationChecks(self.rows)

    @property
    def windows(self) -> ClassificationWindows:
        return ClassificationWindows(self.multi_label, self.long_texts)

    @property
    def head(self) -> ClassificationHead:
        return ClassificationHead(self.multi_label)

    @property
    def decoder(self) -> ClassificationDecoder:
        return ClassificationDecoder(self.multi_label, self.threshold)

    @property
    def scores(self) -> ClassificationScores:
        from nlp_transfer.tasks.classification.scores import ClassificationScores

        return ClassificationScores(self.multi_label)

    @property
    def results(self) -> ClassificationResults:
        return ClassificationResults(self.multi_label)

    @property
    def error_analysis(self) -> ClassificationErrorAnalysis:
        from nlp_transfer.tasks.classification.analysis import ClassificationErrorAnalysis

        return ClassificationErrorAnalysis(self.multi_label)

    @property
    def additions(self) -> ClassificationAdditions:
        return ClassificationAdditions(self.multi_label)

    @property
    def text_labels(self) -> ClassificationTextLabels:
        return ClassificationTextLabels()

    @property
    def known_share(self) -> float | None:
        return None if self.unknown is None else self.known_kept

    @property
    def confidence(self) -> ClassificationConfidence:
        from nlp_transfer.tasks.classification.confidence import ClassificationConfidence

        return ClassificationConfidence(self.multi_label)

    @property
    def soft_loss(self) -> SoftLoss:
        return soft_binary_cross_entropy if self.multi_label else soft_cross_entropy

    @property
    def judge(self) -> ClassificationJudge:
        from nlp_transfer.tasks.classification.judge import ClassificationJudge

        return ClassificationJudge()

    @property
    def stock(self) -> ClassificationStock:
        from nlp_transfer.tasks.classification.stock import ClassificationStock

        return ClassificationStock(self.threshold if self.multi_label else None)
