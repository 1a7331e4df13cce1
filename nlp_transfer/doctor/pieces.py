"""Splits and a tokenizer in, what its pieces do to the words out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, repeat
from typing import TYPE_CHECKING

from nlp_transfer.data.tags import Span
from nlp_transfer.data.visible import shown
from nlp_transfer.doctor.finding import Finding, Tally, agree, counted
from nlp_transfer.doctor.rows import RowReader, places
from nlp_transfer.models.windows import WordPieces
from nlp_transfer.recipe import ModelSection
from nlp_transfer.records import Splits

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_MANY_UNKNOWN = 0.01


@dataclass(frozen=True)
class PieceFigures:
    """What a tokenizer makes of the words of a split, and what stock tools would cut off."""

    pieces_per_word: float
    unknown_words: int
    unknown_share: float
    words_without_pieces: int
    examples_in_several_windows: int
    words_beyond_first_window: int
    words_beyond_share: float
    entities_beyond_first_window: int
    entities_beyond_share: float
    longest: int
    """Pieces of the longest example."""


@dataclass(frozen=True)
class Pieces:
    """What the tokenizer of a checkpoint makes of the words of all splits."""

    checkpoint: str
    max_pieces: int
    """Of the longest window, special pieces included."""
    uncased: bool
    splits: Mapping[str, PieceFigures]


@dataclass
class _Counts:
    """What happened to the words of one split."""

    words: int = 0
    pieces: int = 0
    unknown: Tally = field(default_factory=Tally)
    missing: Tally = field(default_factory=Tally)
    long: Tally = field(default_factory=Tally)
    """Examples of more than one window."""
    words_beyond: int = 0
    entities: int = 0
    entities_beyond: int = 0
    longest: int = 0

    def figures(self) -> PieceFigures:
        return PieceFigures(
            pieces_per_word=round(self.pieces / max(1, self.words), 4),
            unknown_words=self.unknown.count,
            unknown_share=round(self.unknown.count / max(1, self.words), 6),
            words_without_pieces=self.missing.count,
            examples_in_several_windows=self.long.count,
            words_beyond_first_window=self.words_beyond,
            words_beyond_share=round(self.words_beyond / max(1, self.words), 6),
            entities_beyond_first_window=self.entities_beyond,
            entities_beyond_share=round(self.entities_beyond / max(1, self.entities), 6),
            longest=self.longest,
        )


def count_pieces(
    splits: Splits,
    read: RowReader,
    tokenizer: PreTrainedTokenizerBase,
    model: ModelSection,
    *,
    windowed: bool,
) -> tuple[Pieces, list[Finding]]:
    """Tokenize every word, count what stock tools would cut, and say what is notable.

    tokenizer: the model's
    windowed:  whether long examples are read to their end, in windows
    returns:   figures, and findings; words of a text are what white space separates, so their
               pieces may differ a little from those of the whole text
    """
    pieces = WordPieces(tokenizer)
    room = model.max_pieces - len(pieces.prefix) - len(pieces.suffix)
    figures: dict[str, PieceFigures] = {}
    findings: list[Finding] = []
    for split in splits:
        counts, rows = _Counts(), splits[split]
        spans = read.spans(rows) if read.spans else repeat([], len(rows))
        for where, words, marked in zip(places(rows), read.words(rows), spans, strict=True):
            _count(counts, pieces, room, where, words, marked)
        figures[split] = counts.figures()
        findings.extend(_findings(split, counts, read, windowed=windowed))
    findings.extend(_casing(splits, read, tokenizer))
    uncased = is_uncased(tokenizer)
    return Pieces(model.checkpoint, model.max_pieces, uncased, figures), findings


def _count(
    counts: _Counts,
    known: WordPieces,
    room: int,
    where: str,
    words: Sequence[str],
    entities: Iterable[Span],
) -> None:
    pieces = list(map(known.learn(words).__getitem__, words))
    ends = list(accumulate(len(piece.ids) for piece in pieces))
    total = ends[-1] if ends else 0
    counts.words += len(words)
    counts.pieces += total
    counts.longest = max(counts.longest, total)
    for word, piece in zip(words, pieces, strict=True):
        if piece.missing:
            counts.missing.add(where, shown(word))
        elif known.unknown in piece.ids:
            counts.unknown.add(where, shown(word))
    if total > room:
        counts.long.add(where, f"{total:,} pieces: {shown(' '.join(words[:20]))}")
        counts.words_beyond += sum(end > room for end in ends)
    for span in entities:
        counts.entities += 1
        counts.entities_beyond += ends[span.last] > room


def _findings(split: str, counts: _Counts, read: RowReader, *, windowed: bool) -> Iterator[Finding]:
    if counts.unknown.count:
        share = counts.unknown.count / counts.words
        yield counts.unknown.finding(
            "unknown_words",
            "warning" if share > _MANY_UNKNOWN else "info",
            f"{counted(counts.unknown.count, 'word')} ({share:.2%}) unknown to the tokenizer, in "
            "whole or in part",
            "Choose a checkpoint that knows this script or these signs.",
            split=split,
        )
    if counts.missing.count:
        yield counts.missing.finding(
            "words_without_pieces",
            "info",
            f"{counted(counts.missing.count, 'word')} dropped by the tokenizer",
            "Nothing to do: each is read as unknown here and gets a prediction.",
            split=split,
        )
    if counts.long.count:
        cut = counted(counts.words_beyond, "word")
        if read.spans:
            cut += f" and {counted(counts.entities_beyond, read.nouns.item, read.nouns.items)}"
        verb = agree(counts.long.count, "needs", "need")
        yield counts.long.finding(
            "long_examples",
            "info" if windowed else "warning",
            f"{counted(counts.long.count, read.nouns.example)} {verb} several windows; a tool that "
            f"cuts them off loses {cut}",
            "Nothing to do: every window is read."
            if windowed
            else "Set task.long_texts=windows, so that texts are read to their end.",
            split=split,
        )


def _casing(
    splits: Splits, read: RowReader, tokenizer: PreTrainedTokenizerBase
) -> Iterator[Finding]:
    """Say that a tokenizer folds the case of data that has capitals."""
    if not is_uncased(tokenizer):
        return
    for split in splits:
        for where, words in zip(places(splits[split]), read.words(splits[split]), strict=True):
            for word in words:
                if word != word.lower():
                    found = Tally()
                    found.add(where, shown(word))
                    yield found.finding(
                        "uncased_checkpoint",
                        "warning" if read.case_matters else "info",
                        "the checkpoint is uncased, the data is not: capitals are not seen",
                        "Choose a cased checkpoint, if capitals matter as in most names."
                        if read.case_matters
                        else f"Nothing to do unless capitals tell the {read.nouns.labels} apart.",
                    )
                    return


def is_uncased(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Tell whether a tokenizer cannot see capitals."""
    return bool(tokenizer.tokenize("Paris") == tokenizer.tokenize("paris"))
