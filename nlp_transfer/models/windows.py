"""Words in, windows of pieces out: what a model reads at once, which words it answers for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_MOST_CHARACTERS = 500_000
"""Of words that are remembered: 70,000 words of English, some 20 MB with their pieces."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Word pieces of one word, and what happened to them."""

    ids: tuple[int, ...]
    missing: bool = False
    """The tokenizer gave no piece; `ids` holds its unknown token instead."""


@dataclass(frozen=True)
class Window:
    """A run of pieces that fits the model.

    Every word of a sentence is owned by exactly one of its windows: the one in which it has most
    context.
    """

    input_ids: list[int]
    first_word: int
    """Index in the sentence of the first owned word."""
    positions: list[int]
    """Index in `input_ids` of the first piece of each owned word, in order."""
    counts: list[int]
    """Pieces of each owned word, in order."""
    cut_words: int
    """Owned words that lost pieces because they alone outgrow the window."""


class WordPieces:
    """Words to piece ids, each distinct word tokenized once as long as it is remembered.

    A pre-split word is tokenized without its neighbours by every Hugging Face tokenizer, so its
    pieces can be remembered. This is what makes encoding fast. Names and numbers never end, though:
    when enough are known, all are forgotten, and those that recur are soon back.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        from tokenizers import Tokenizer

        # A copy of its own: whoever calls the tokenizer sets truncation and padding for all.
        self._backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self._backend.no_truncation()
        self._backend.no_padding()
        self._known: dict[str, Piece] = {}
        self._characters = 0
        self.prefix, self.suffix = _special_pieces(tokenizer)
        unknown = tokenizer.unk_token_id
        # A byte-level BPE has no unknown token in use; its mask or pad stands in.
        stand_ins = (unknown, tokenizer.mask_token_id, tokenizer.pad_token_id)
        self.unknown: int = next(piece for piece in stand_ins if piece is not None)

    def learn(self, words: Sequence[str]) -> Mapping[str, Piece]:
        """Tokenize the words that are new; return the pieces of these words, and of others."""
        if self._characters > _MOST_CHARACTERS:
            self._known, self._characters = {}, 0
        known = self._known  # in another thread this may be forgotten meanwhile
        new = list(set(words).difference(known))
        if not new:
            return known
        encodings = self._backend.encode_batch(
            [[word] for word in new], is_pretokenized=True, add_special_tokens=False
        )
        for word, encoding in zip(new, encodings, strict=True):
            ids = tuple(encoding.ids)
            known[word] = Piece(ids) if ids else Piece((self.unknown,), missing=True)
        self._characters += sum(map(len, new))
        return known


def word_pieces(tokenizer: PreTrainedTokenizerBase) -> WordPieces:
    """Return what tokenizes the words of a tokenizer; it remembers those of earlier calls."""
    return _word_pieces(tokenizer, len(tokenizer))


@lru_cache(maxsize=4)  # a copy of XLM-R's tokenizer, with its 250,000 pieces, takes a second
def _word_pieces(tokenizer: PreTrainedTokenizerBase, size: int) -> WordPieces:
    """size: its pieces; more may be added to a tokenizer."""
    return WordPieces(tokenizer)


def _special_pieces(tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int]]:
    """Find what the tokenizer puts before and after a sentence."""
    bare = tokenizer(["a"], is_split_into_words=True, add_special_tokens=False)["input_ids"]
    full = tokenizer(["a"], is_split_into_words=True, add_special_tokens=True)["input_ids"]
    start = next(i for i in range(len(full)) if full[i : i + len(bare)] == bare)
    return full[:start], full[start + len(bare) :]


def cut_windows(
    pieces: Sequence[Piece],
    words: WordPieces,
    *,
    max_pieces: int,
    overlap: int,
    left: Sequence[Piece] = (),
    right: Sequence[Piece] = (),
) -> Iterator[Window]:
    """Cut one sentence into windows.

    pieces:      the sentence's words
    max_pieces:  longest window, special pieces included
    overlap:     words shared by neighbouring windows, at most half a window
    left, right: words of the neighbouring sentences, used as context as far as they fit
    """
    room = max_pieces - len(words.prefix) - len(words.suffix)
    lengths = [min(len(piece.ids), room) for piece in pieces]
    for start, end, owned_start, owned_end in _ranges(lengths, room, overlap):
        free = room - sum(lengths[start:end])
        before = _fitting(reversed(left), free // 2 if right else free) if start == 0 else []
        before.reverse()
        used = sum(len(piece.ids) for piece in before)
        after = _fitting(right, free - used) if end == len(pieces) else []
        yield _window(pieces, words, room, (start, end), (owned_start, owned_end), before, after)


def _ranges(lengths: Sequence[int], room: int, overlap: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield (start, end, first owned, end of owned) word ranges that cover a sentence."""
    start, owned_start, count = 0, 0, len(lengths)
    while start < count:
        end, used = start, 0
        while end < count and used + lengths[end] <= room:
            used += lengths[end]
            end += 1
        if end == count:
            yield start, end, owned_start, end
            return
        # The next window must end later than this one: give back at most what leaves it room.
        next_start = end - min(overlap, (end - start) // 2)
        while sum(lengths[next_start : end + 1]) > room:
            next_start += 1
        owned_end = (next_start + end) // 2
        yield start, end, owned_start, owned_end
        start, owned_start = next_start, owned_end


def _fitting(pieces: Iterator[Piece] | Sequence[Piece], room: int) -> list[Piece]:
    fitting: list[Piece] = []
    for piece in pieces:
        room -= len(piece.ids)
        if room < 0:
            break
        fitting.append(piece)
    return fitting


def _window(
    pieces: Sequence[Piece],
    words: WordPieces,
    room: int,
    shown: tuple[int, int],
    owned: tuple[int, int],
    before: Sequence[Piece],
    after: Sequence[Piece],
) -> Window:
    ids = list(words.prefix)
    for piece in before:
        ids.extend(piece.ids)
    positions: list[int] = []
    counts: list[int] = []
    cut = 0
    for index in range(*shown):
        of_word = pieces[index].ids[:room]
        if owned[0] <= index < owned[1]:
            positions.append(len(ids))
            counts.append(len(of_word))
            cut += len(pieces[index].ids) > room
        ids.extend(of_word)
    for piece in after:
        ids.extend(piece.ids)
    return Window([*ids, *words.suffix], owned[0], positions, counts, cut)
