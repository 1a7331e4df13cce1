"""Text classification: one label, or any number of labels, for a text or a pair of texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from nlp_transfer.data.check import check_classification
from nlp_transfer.data.label_counts import unseen_labels
from nlp_transfer.data.load import load_classification
from nlp_transfer.recipe import DataSection, LabelNames, ModelSection
from nlp_transfer.records import Classification, LossLedger, Prediction, Splits
from nlp_transfer.tasks.base import IGNORED, LoadedModel, Row, Task, WindowRow, only_answer, pad
from nlp_transfer.tasks.objective import Objective

if TYPE_CHECKING:
    import numpy as np
    import torch
    from datasets import Dataset
    from numpy.typing import NDArray

_TEXTS_A_BATCH = 256


class ClassificationTask(Task):
    """Sort texts into classes."""

    headline: ClassVar[str] = "macro F1"
    # With "entities", by which writers tell the other task.
    result_keys: ClassVar[tuple[str, ...]] = (
        "text", "text_pair", "label", "labels", "score", "scores", "entities",
    )  # fmt: skip

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

    def load(self, data: DataSection, *, held_out: bool = True) -> Splits:
        """Load labelled texts."""
        return load_classification(
            data, classes=self.classes, multi_label=self.multi_label, held_out=held_out
        )

    def check(self, splits: Splits, needed: tuple[str, ...]) -> None:
        """Refuse empty or unlabelled splits, and training data of one class."""
        check_classification(splits, needed)

    def labels(self, declared: Sequence[str]) -> list[str]:
        """Return the class names as they are."""
        return list(declared)

    def auto_class(self) -> Any:
        """Return AutoModelForSequenceClassification."""
        from transformers import AutoModelForSequenceClassification

        return AutoModelForSequenceClassification

    def configure(self, config: Any) -> None:
        """Say in the configuration which of the two problems the head solves."""
        kind = "multi_label" if self.multi_label else "single_label"
        config.problem_type = f"{kind}_classification"

    def encode_rows(
        self, rows: Iterable[Row], loaded: LoadedModel, options: ModelSection
    ) -> Iterator[tuple[list[WindowRow], LossLedger]]:
        """Tokenize texts, in windows if they are long.

        window rows: input_ids, token_type_ids where the model has them, labels (the text's ids)
        """
        stream = iter(rows)
        while batch := list(islice(stream, _TEXTS_A_BATCH)):
            yield from self._encode_batch(batch, loaded, options)

    def _encode_batch(
        self, rows: Sequence[Row], loaded: LoadedModel, options: ModelSection
    ) -> Iterator[tuple[list[WindowRow], LossLedger]]:
        """Tokenize texts alone and pairs apart, so that no row depends on those beside it."""
        paired = [row.get("text_pair") is not None for row in rows]
        encoded = {
            of_pairs: self._encode_alike(
                [row for row, pair in zip(rows, paired, strict=True) if pair == of_pairs],
                loaded,
                options,
                paired=of_pairs,
            )
            for of_pairs in set(paired)
        }
        yield from (next(encoded[pair]) for pair in paired)

    def _encode_alike(
        self, rows: Sequence[Row], loaded: LoadedModel, options: ModelSection, *, paired: bool
    ) -> Iterator[tuple[list[WindowRow], LossLedger]]:
        """Tokenize rows that are all pairs, or all not."""
        windowed = self.long_texts == "windows" and not paired
        encoding = loaded.tokenizer(
            [row["text"] for row in rows],
            [row["text_pair"] for row in rows] if paired else None,
            truncation="only_first" if windowed else "longest_first",
            max_length=options.max_pieces,
            stride=min(options.overlap, options.max_pieces // 2) if windowed else 0,
            return_overflowing_tokens=windowed,
            return_offsets_mapping=True,
            padding=False,
        )
        of_row: list[list[int]] = [[] for _ in rows]
        source = encoding.get("overflow_to_sample_mapping") or range(len(rows))
        for window, row_number in enumerate(source):
            of_row[row_number].append(window)
        for row, numbers in zip(rows, of_row, strict=True):
            texts = [row["text"], row.get("text_pair") or ""]
            ledger = LossLedger(
                sentences=1,
                words=sum(len(text.split()) for text in texts),
                windows=len(numbers),
                words_truncated=0 if windowed else _unread_words(texts, encoding, numbers[0]),
            )
            label_ids = self._label_ids(row, loaded.model.config.label2id)
            yield [_window_row(encoding, number, label_ids) for number in numbers], ledger

    def _label_ids(self, row: Row, ids: dict[str, int]) -> list[int]:
        """Return [id], or one 0 or 1 for every class of a multi-label task."""
        names = row.get("labels") or ()
        if self.multi_label:
            return [int(name in names) for name in ids]
        return [ids.get(names[0], IGNORED) if names else IGNORED]

    def collate(self, windows: Sequence[WindowRow], pad_id: int) -> dict[str, torch.Tensor]:
        """Pad windows; a window takes its text's label."""
        import torch

        batch = {"input_ids": pad([window["input_ids"] for window in windows], pad_id)}
        batch["attention_mask"] = pad([[1] * len(window["input_ids"]) for window in windows], 0)
        if "token_type_ids" in windows[0]:
            batch["token_type_ids"] = pad([window["token_type_ids"] for window in windows], 0)
        labels = torch.tensor([window["labels"] for window in windows])
        batch["labels"] = labels if self.multi_label else labels[:, 0]
        return batch

    def loss_sum(
        self, logits: torch.Tensor, labels: torch.Tensor, objective: Objective
    ) -> torch.Tensor:
        """Sum the cross-entropy over texts, or over every label of every text."""
        add_up = objective.any_of_all if self.multi_label else objective.one_of_all
        return add_up(logits, labels)

    def window_outputs(
        self, logits: torch.Tensor, windows: Sequence[WindowRow]
    ) -> list[NDArray[np.float32]]:
        """Keep each window's logits: (1, labels)."""
        return [part.numpy() for part in logits.float().cpu().split(1)]

    def log_probabilities(
        self, outputs: Sequence[NDArray[np.float32]], labels: int
    ) -> NDArray[np.floating[Any]]:
        """Average the windows' logits; multi-label, each label has a probability of its own."""
        import numpy as np

        logits = np.concatenate(outputs).astype(np.float64).mean(axis=0, keepdims=True)
        if self.multi_label:
            return -np.logaddexp(0, -logits)
        return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)

    def decode(
        self, log_probabilities: NDArray[np.floating[Any]], labels: Sequence[str]
    ) -> Classification:
        """Choose the label, or those above the threshold."""
        import numpy as np

        probabilities = np.exp(log_probabilities[0])
        if self.multi_label:
            best = tuple(labels[int(i)] for i in np.flatnonzero(probabilities >= self.threshold))
        else:
            best = (labels[int(probabilities.argmax())],)
        return Classification(best, dict(zip(labels, probabilities.tolist(), strict=True)))

    def headline_figure(self, rows: Dataset, predictions: Sequence[Prediction]) -> float:
        """Return macro F1."""
        from nlp_transfer.metrics.labels import macro_f1

        gold, predicted, names, _ = _compared(rows, predictions)
        return macro_f1(gold, predicted, names)

    def score(
        self, rows: Dataset, predictions: Sequence[Prediction], *, samples: int
    ) -> dict[str, Any]:
        """Return the classification report."""
        import numpy as np

        from nlp_transfer.metrics.labels import class_figures

        gold, predicted, names, scores = _compared(rows, predictions)
        matrix = np.array([[row.get(name, 0.0) for name in names] for row in scores])
        one_each = not self.multi_label
        figures = class_figures(gold, predicted, matrix, names, one_each=one_each, samples=samples)
        return {"class": figures.as_dict()}

    def constant_answer(self, rows: Dataset, predictions: Sequence[Prediction]) -> str | None:
        """Name the class that every text has, or say that none has any."""
        gold, predicted, _, _ = _compared(rows, predictions)
        answer = only_answer(map(_joined, gold), map(_joined, predicted))
        return answer and f"{answer} for every text"

    def unseen(self, splits: Splits, split: str) -> LossLedger:
        """Count what reading lost, and the gold labels that the training split does not have."""
        losses = splits.losses.get(split, LossLedger())
        return losses + LossLedger(labels_unseen=unseen_labels(splits, split))

    def example_json(self, row: Row, prediction: Prediction) -> dict[str, Any]:
        """Describe a text with its gold and predicted labels."""
        pair = {"text_pair": row["text_pair"]} if row.get("text_pair") is not None else {}
        return {
            "text": row["text"],
            **pair,
            "gold": row["labels"],
            **classification_json(prediction, multi_label=self.multi_label),
        }


def classification_json(prediction: Prediction, *, multi_label: bool) -> dict[str, Any]:
    """Write a prediction as {label, score, scores}, or {labels, scores} for multi-label tasks."""
    assert isinstance(prediction, Classification)
    if multi_label:
        return {"labels": list(prediction.labels), "scores": dict(prediction.scores)}
    label = prediction.labels[0]
    return {"label": label, "score": prediction.scores[label], "scores": dict(prediction.scores)}


def _compared(
    rows: Dataset, predictions: Sequence[Prediction]
) -> tuple[list[list[str]], list[tuple[str, ...]], list[str], list[dict[str, float]]]:
    """Return gold labels, predicted labels, every label of either side, and the scores."""
    known = [prediction for prediction in predictions if isinstance(prediction, Classification)]
    gold = [list(names) for names in rows["labels"]]
    names = list(known[0].scores) if known else []
    extra = sorted({name for labels in gold for name in labels} - set(names))
    return gold, [p.labels for p in known], [*names, *extra], [dict(p.scores) for p in known]


def _joined(labels: Sequence[str]) -> str:
    return " and ".join(map(repr, sorted(labels))) or "no label"


def _window_row(encoding: Any, number: int, label_ids: list[int]) -> WindowRow:
    row = {"input_ids": encoding["input_ids"][number], "labels": label_ids}
    if "token_type_ids" in encoding:
        row["token_type_ids"] = encoding["token_type_ids"][number]
    return row


def _unread_words(texts: Sequence[str], encoding: Any, window: int) -> int:
    """Count the words after the last piece that the model reads, in each text of a pair."""
    if not encoding.encodings[window].overflowing:
        return 0
    offsets, sequences = encoding["offset_mapping"][window], encoding.sequence_ids(window)
    unread = 0
    for number, text in enumerate(texts):
        ends = [end for (_, end), part in zip(offsets, sequences, strict=True) if part == number]
        unread += len(text[max(ends, default=0) :].split())
    return unread
