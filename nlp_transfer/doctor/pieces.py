"""Splits and a tokenizer in, what its pieces do to the words out."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from nlp_transfer.data.tags import Span, spans
from nlp_transfer.data.visible import shown
from nlp_transfer.doctor.finding import Finding, Tally, agree, counted
from nlp_transfer.doctor.rows import columns, is_ner
from nlp_transfer.models.windows import WordPieces
from nlp_transfer.records import Splits

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

_MANY_UNKNOWN = 0.01


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
    lengths: array[int] = field(default_factory=lambda: array("q"))

    def as_dict(self) -> dict[str, Any]:
        return {
            "pieces_per_word": round(self.pieces / max(1, self.words), 4),
            "unknown_words": self.unknown.count,
            "unknown_share": round(self.unknown.count / max(1, self.words), 6),
            "words_without_pieces": self.missing.count,
            "examples_in_several_windows": self.long.count,
            "words_beyond_first_window": self.words_beyond,
            "words_beyond_share": round(self.words_beyond / max(1, self.words), 6),
            "entities_beyond_first_window": self.entities_beyond,
            "entities_beyond_share": round(self.entities_beyond / max(1, self.entities), 6),
            "longest": max(self.lengths, default=0),
        }


def count_pieces(
    splits: Splits, tokenizer: PreTrainedTokenizerBase, *, max_pieces: int, windowed: bool
) -> tuple[dict[str, Any], list[Finding]]:
    """Tokenize every word, count what stock tools would cut, and say what is notable.

    max_pieces: longest window, special pieces included
    windowed:   whether long examples are read to their end, in windows
    returns:    figures of each split by its name, and findings; words of a text are what white
                space separates, so their pieces may differ a little from those of the whole text
    """
    pieces = WordPieces(tokenizer)
    room = max_pieces - len(pieces.prefix) - len(pieces.suffix)
    figures: dict[str, Any] = {}
    findings: list[Finding] = []
    for split in splits:
        counts = _Counts()
        for where, words, entities in _sentences(splits[split]):
            _count(counts, pieces, room, where, words, entities)
        figures[split] = counts.as_dict()
        findings.extend(_findings(split, counts, ner=is_ner(splits[split]), windowed=windowed))
    findings.extend(_casing(splits, tokenizer))
    return figures, findings


def _sentences(rows: Dataset) -> Iterator[tuple[str, list[str], list[Span]]]:
    """Yield (where, words, entities) of every row."""
    if is_ner(rows):
        for where, words, tags in columns(rows, "where", "words", "tags"):
            yield where, words, spans(tags)
        return
    for where, *pair in columns(rows, "where", "text", "text_pair"):
        yield where, [word for text in pair for word in (text or "").split()], []


def _count(
    counts: _Counts,
    known: WordPieces,
    room: int,
    where: str,
    words: Sequence[str],
    entities: Iterable[Span],
) -> None:
    known.learn(words)
    pieces = [known[word] for word in words]
    ends = list(accumulate(len(piece.ids) for piece in pieces))
    total = ends[-1] if ends else 0
    counts.words += len(words)
    counts.pieces += total
    counts.lengths.append(total)
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


def _findings(split: str, counts: _Counts, *, ner: bool, windowed: bool) -> Iterator[Finding]:
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
        noun = "sentence" if ner else "text"
        cut = counted(counts.words_beyond, "word")
        if ner:
            cut += f" and {counted(counts.entities_beyond, 'entity', 'entities')}"
        verb = agree(counts.long.count, "needs", "need")
        yield counts.long.finding(
            "long_examples",
            "info" if windowed else "warning",
            f"{counted(counts.long.count, noun)} {verb} several windows; a tool that cuts them off "
            f"loses {cut}",
            "Nothing to do: every window is read."
            if windowed
            else "Set task.long_texts=windows, so that texts are read to their end.",
            split=split,
        )


def _casing(splits: Splits, tokenizer: PreTrainedTokenizerBase) -> Iterator[Finding]:
    """Say that a tokenizer folds the case of data that has capitals."""
    if not is_uncased(tokenizer):
        return
    for split in splits:
        for where, words, _ in _sentences(splits[split]):
            for word in words:
                if word != word.lower():
                    found = Tally()
                    found.add(where, shown(word))
                    ner = is_ner(splits[split])
                    yield found.finding(
                        "uncased_checkpoint",
                        "warning" if ner else "info",
                        "the checkpoint is uncased, the data is not: capitals are not seen",
                        "Choose a cased checkpoint, if capitals matter as in most names."
                        if ner
                        else "Nothing to do unless capitals tell the classes apart.",
                    )
                    return


def is_uncased(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Tell whether a tokenizer cannot see capitals."""
    return bool(tokenizer.tokenize("Paris") == tokenizer.tokenize("paris"))
