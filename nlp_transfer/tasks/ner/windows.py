"""Sentences in, windows of pieces out; every word is labelled in exactly one of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import TYPE_CHECKING, ClassVar, Literal

from nlp_transfer.data.tags import spans
from nlp_transfer.models.windows import Piece, Window, WordPieces, cut_windows, word_pieces
from nlp_transfer.recipe import ModelSection
from nlp_transfer.records import LossLedger, Row
from nlp_transfer.tasks.arrays import pad
from nlp_transfer.tasks.faces import WindowRow
from nlp_transfer.tasks.objective import IGNORED

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

LabelledPieces = Literal["first", "all"]

_SENTENCES_A_BATCH = 128


@dataclass(frozen=True)
class NerWindows:
    """Cuts sentences, with the words around them in their document, into windows."""

    context_words: int
    """Unlabelled words of the same document shown on each side of a sentence."""
    label_pieces: LabelledPieces = "first"
    """Which pieces of a word carry its label in training."""

    whole: ClassVar[bool] = True

    def encode(
        self,
        rows: Iterable[Row],
        tokenizer: PreTrainedTokenizerBase,
        label_ids: Mapping[str, int],
        options: ModelSection,
    ) -> Iterator[tuple[list[WindowRow], LossLedger]]:
        """Cut each sentence into windows.

        yields: windows of input_ids, positions (of the owned words' first pieces), labels (theirs);
                where all pieces carry labels also counts (pieces of each owned word) and inside
                (labels of all but its first)
        """
        pieces = word_pieces(tokenizer)
        stream = self._in_context(rows)
        while group := list(islice(stream, _SENTENCES_A_BATCH)):
            known = pieces.learn([word for row, left, right in group
                                  for word in (*left, *row["words"], *right)])  # fmt: skip
            for row, *context in group:
                own, left, right = ([known[w] for w in words] for words in (row["words"], *context))
                windows, ledger = _cut(row, own, left, right, pieces, options)
                yield [self._labelled(row, window, label_ids) for window in windows], ledger

    def _in_context(self, rows: Iterable[Row]) -> Iterator[tuple[Row, list[str], list[str]]]:
        """Pair each sentence with the words before and after it in its document."""
        if not self.context_words:
            yield from ((row, [], []) for row in rows)
            return
        for document, group in groupby(rows, key=lambda row: row.get("document")):
            if document is None:
                yield from ((row, [], []) for row in group)
                continue
            sentences = list(group)
            words = [word for row in sentences for word in row["words"]]
            start = 0
            for row in sentences:
                end = start + len(row["words"])
                left = words[max(0, start - self.context_words) : start]
                yield row, left, words[end : end + self.context_words]
                start = end

    def _labelled(self, row: Row, window: Window, label_ids: Mapping[str, int]) -> WindowRow:
        """Give a window the labels of the words that it owns."""
        end = window.first_word + len(window.positions)
        tags = (row.get("tags") or ["O"] * len(row["words"]))[window.first_word : end]
        of_first = {
            "input_ids": window.input_ids,
            "positions": window.positions,
            "labels": [label_ids.get(tag, IGNORED) for tag in tags],
        }
        if self.label_pieces == "first" or row.get("tags") is None:
            return of_first
        inside = [label_ids.get(tag.replace("B-", "I-", 1), IGNORED) for tag in tags]
        return {**of_first, "counts": window.counts, "inside": inside}

    def collate(
        self, windows: Sequence[WindowRow], pad_id: int, length: int | None = None
    ) -> dict[str, torch.Tensor]:
        """Pad windows; labels stand on first pieces, or all of a word, IGNORED everywhere else.

        returns: input_ids, attention_mask and labels, (windows, pieces) int64 each
        """
        batch = pad([window["input_ids"] for window in windows], pad_id, length)
        labels = batch.new_full(batch.shape, IGNORED)
        mask = batch.new_zeros(batch.shape)
        for number, window in enumerate(windows):
            mask[number, : len(window["input_ids"])] = 1
            labels[number, window["positions"]] = labels.new_tensor(window["labels"])
            if "counts" in window:
                _label_further_pieces(labels[number], window)
        return {"input_ids": batch, "attention_mask": mask, "labels": labels}


def _label_further_pieces(labels: torch.Tensor, window: WindowRow) -> None:
    """Let the pieces of a word after its first continue its entity, where it has a label.

    labels: (pieces,), of the window
    """
    of_words = (window[column] for column in ("positions", "counts", "labels", "inside"))
    for position, count, label, inside in zip(*of_words, strict=True):
        if count > 1 and label != IGNORED:
            labels[position + 1 : position + count] = inside


def _cut(
    row: Row,
    own: Sequence[Piece],
    left: Sequence[Piece],
    right: Sequence[Piece],
    pieces: WordPieces,
    options: ModelSection,
) -> tuple[list[Window], LossLedger]:
    """Cut one sentence, between its context, into windows."""
    windows = list(
        cut_windows(
            own,
            pieces,
            max_pieces=options.max_pieces,
            overlap=options.overlap,
            left=left,
            right=right,
        )
    )
    tags = row.get("tags") or ()
    cut = sum(window.cut_words for window in windows)
    return windows, LossLedger(
        sentences=1,
        words=len(own),
        entities=len([tag for tag in tags if tag[0] == "B"]) + len(row.get("lost") or ()),
        windows=len(windows),
        words_truncated=cut,
        entities_truncated=_cut_entities(tags, own, pieces, options) if cut else 0,
        words_without_pieces=len([piece for piece in own if piece.missing]),
    )


def _cut_entities(
    tags: Sequence[str], own: Sequence[Piece], pieces: WordPieces, options: ModelSection
) -> int:
    """Count the entities with a word that outgrows a whole window."""
    room = options.max_pieces - len(pieces.prefix) - len(pieces.suffix)
    return sum(
        any(len(piece.ids) > room for piece in own[span.first : span.last + 1])
        for span in spans(tags)
    )
