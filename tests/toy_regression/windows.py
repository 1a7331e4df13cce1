"""Texts in, one window each out, cut off at its end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from transformers import PreTrainedTokenizerBase

from nlp_transfer.recipe import ModelSection
from nlp_transfer.records import LossLedger, Row
from nlp_transfer.tasks.arrays import pad
from nlp_transfer.tasks.faces import WindowRow
from nlp_transfer.tasks.objective import IGNORED


@dataclass(frozen=True)
class RegressionWindows:
    """Texts as a model reads them."""

    whole: ClassVar[bool] = False

    def encode(
        self,
        rows: Iterable[Row],
        tokenizer: PreTrainedTokenizerBase,
        label_ids: Mapping[str, int],
        options: ModelSection,
    ) -> Iterator[tuple[list[WindowRow], LossLedger]]:
        """Yield input_ids, and labels with the number."""
        for row in rows:
            ids = tokenizer(row["text"], truncation=True, max_length=options.max_pieces)[
                "input_ids"
            ]
            losses = LossLedger(sentences=1, words=len(row["text"].split()), windows=1)
            yield [{"input_ids": ids, "labels": [float(row.get("number", IGNORED))]}], losses

    def collate(
        self, windows: Sequence[WindowRow], pad_id: int, length: int | None = None
    ) -> dict[str, torch.Tensor]:
        """Pad windows: input_ids and attention_mask (windows, pieces), labels (windows,) float."""
        ids = [window["input_ids"] for window in windows]
        return {
            "input_ids": pad(ids, pad_id, length),
            "attention_mask": pad([[1] * len(pieces) for pieces in ids], 0, length),
            "labels": torch.tensor([float(window["labels"][0]) for window in windows]),
        }
