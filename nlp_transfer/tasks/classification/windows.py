"""Texts and pairs of texts in, windows of pieces out; each window takes its text's labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from nlp_transfer.recipe import ModelSection
from nlp_transfer.records import LossLedger, Row
from nlp_transfer.tasks.arrays import pad
from nlp_transfer.tasks.faces import WindowRow
from nlp_transfer.tasks.objective import IGNORED

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

_TEXTS_A_BATCH = 256


@dataclass(frozen=True)
class ClassificationWindows:
    """Tokenizes texts, in windows if they are long."""

    multi_label: bool
    long_texts: Literal["windows", "truncate"]
    """Read to the end in windows, or cut off and counted; pairs are always cut."""

    @property
    def whole(self) -> bool:
        """Whether long texts are read in windows."""
        return self.long_texts == "windows"

    def encode(
        self,
        rows: Iterable[Row],
        tokenizer: PreTrainedTokenizerBase,
        label_ids: Mapping[str, int],
        options: ModelSection,
    ) -> Iterator[tuple[list[WindowRow], LossLedger]]:
        """Tokenize texts alone and pairs apart, so that no row depends on those beside it.

        yields: windows of input_ids, token_type_ids where the model has them, labels (the text's)
        """
        stream = iter(rows)
        while batch := list(islice(stream, _TEXTS_A_BATCH)):
            paired = [row.get("text_pair") is not None for row in batch]
            encoded = {
                of_pairs: self._encode_alike(
                    [row for row, pair in zip(batch, paired, strict=True) if pair == of_pairs],
                    tokenizer,
                    label_ids,
                    options,
                    paired=of_pairs,
                )
                for of_pairs in set(paired)
            }
            yield from (next(encoded[pair]) for pair in paired)

    def _encode_alike(
        self,
        rows: Sequence[Row],
        tokenizer: PreTrainedTokenizerBase,
        label_ids: Mapping[str, int],
        options: ModelSection,
        *,
        paired: bool,
    ) -> Iterator[tuple[list[WindowRow], LossLedger]]:
        """Tokenize rows that are all pairs, or all not."""
        windowed = self.whole and not paired
        encoding = tokenizer(
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
            labels = self._labels(row, label_ids)
            yield [_window_row(encoding, number, labels) for number in numbers], ledger

    def _labels(self, row: Row, label_ids: Mapping[str, int]) -> list[int]:
        """Return [id], or one 0 or 1 for every class of a multi-label task."""
        names = row.get("labels") or ()
        if self.multi_label:
            return [int(name in names) for name in label_ids]
        return [label_ids.get(names[0], IGNORED) if names else IGNORED]

    def collate(
        self, windows: Sequence[WindowRow], pad_id: int, length: int | None = None
    ) -> dict[str, torch.Tensor]:
        """Pad windows; a window takes its text's label.

        returns: input_ids, attention_mask and perhaps token_type_ids, (windows, pieces); labels,
                 (windows,) ids, or (windows, labels) 0 or 1 for a multi-label task; all int64
        """
        import torch

        ids = [window["input_ids"] for window in windows]
        batch = {"input_ids": pad(ids, pad_id, length)}
        batch["attention_mask"] = pad([[1] * len(pieces) for pieces in ids], 0, length)
        if "token_type_ids" in windows[0]:
            types = [window["token_type_ids"] for window in windows]
            batch["token_type_ids"] = pad(types, 0, length)
        labels = torch.tensor([window["labels"] for window in windows])
        batch["labels"] = labels if self.multi_label else labels[:, 0]
        return batch


def _window_row(encoding: Any, number: int, labels: list[int]) -> WindowRow:
    row = {"input_ids": encoding["input_ids"][number], "labels": labels}
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
