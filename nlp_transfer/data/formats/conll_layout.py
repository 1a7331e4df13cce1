"""The first words of a CoNLL file in, what each of its columns holds out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from nlp_transfer.data.spelling import TAG
from nlp_transfer.errors import UserError

RANGE_OR_EMPTY_NODE = re.compile(r"\d+[-.]\d+")  # CoNLL-U: 1-2 is written twice, 3.1 not at all
_NUMBER = re.compile(r"\d{1,9}")
_NUMBERS = re.compile(r"\d{1,9}([-.:_]\d{1,9})*")  # 7; 2-7, the seventh word of the second sentence
_DIGITS = re.compile(r"[0-9]{1,9}")
_LOOKED_AT = 400_000  # fields
_FEW_WORDS = 60  # more than there are parts of speech
_MOST_NAMES = 3  # of a sentence: its corpus, its document, itself
_MOST_OFFSETS = 4  # begin and end, of characters and of bytes
_MOST = 0.5  # of a column of tags look like one; bare types do not, but O does
_FEW = 0.2  # of a column of words: I, o, E-mail

Block = Sequence[Sequence[str]]
"""Fields of the words of a run of lines without an empty one between them."""
Given = str | int | None
"""A column as the recipe has it: its number, or "auto"."""


@dataclass(frozen=True)
class Layout:
    """What the columns of a file hold."""

    separator: str | None
    """Between columns; None is any run of blanks."""
    width: int
    """Columns of the first word."""
    tokens: int = 0
    tags: int | None = None
    """None reads no tags."""
    word_numbers: int | None = None
    """Where words are numbered; a number that does not rise begins a sentence."""
    sentence_numbers: tuple[int, ...] = ()
    """Where sentences, and their documents, are numbered or named; another name begins one."""
    offsets: tuple[int, ...] = ()
    """Leading columns of other numbers that rise from word to word."""


def tell_layout(
    blocks: Sequence[Block],
    separator: str | None,
    *,
    tokens: Given,
    tags: Given,
    sentence: Given,
    where: str,
) -> Layout:
    """Tell what the columns hold, as far as the recipe does not.

    tags:     None where no tags are wanted
    sentence: None where no column is named for it
    raises:   UserError where it cannot be told, or one column would be both words and tags
    """
    width = len(blocks[0][0])
    shares = _tag_shares([row for block in blocks for row in block], width)
    layout = _numbering(Layout(separator, width), blocks, shares)
    numbers = {layout.word_numbers, *layout.sentence_numbers, *layout.offsets}
    if (named := _given(sentence, "sentence", width)) is not None:
        layout = replace(layout, sentence_numbers=(named,))
        numbers.add(named)
    left = [column for column in range(width) if column not in numbers]
    word, tag = _given(tokens, "tokens", width), _given(tags, "tags", width)
    if tag is None and tags is not None:
        tag = _found_tags(left, word, shares, numbered=layout.word_numbers is not None, where=where)
    if word is None:
        labels = left[0] if tags is None and _tags_come_first(left, shares) else tag
        word = _found_words(left, labels, where)
        _check_not_numbers(word, [column for column in left if column != labels], blocks, where)
    if word == tag:
        raise UserError(
            f"data.columns: column {tag} of {where} cannot be both the words and their tags. Name "
            "two columns by their numbers from 0: data.columns={tokens: NUMBER, tags: NUMBER}"
        )
    return replace(
        layout,
        tokens=word if tokens in ("auto", None) else int(tokens),  # counted from each word's end
        tags=tag if tags in ("auto", None) else int(tags),
    )


def _given(value: Given, role: str, width: int) -> int | None:
    """Read the number of a column; negative ones count from the end."""
    if value is None or value == "auto":
        return None
    try:
        number = int(value)
        return number + width if -width <= number < 0 else number
    except ValueError:
        raise UserError(
            f"data.columns.{role}: CoNLL columns are numbered from 0, not named; found "
            f"{value!r}. data.columns={{}} finds them by position."
        ) from None


def _tag_shares(rows: Block, width: int) -> list[float]:
    """Measure which share of each column looks like tags."""
    rows = rows[: max(10, _LOOKED_AT // width)]
    columns = [[row[column] for row in rows if column < len(row)] for column in range(width)]
    return [len([v for v in values if TAG.fullmatch(v)]) / len(values) for values in columns]


def _found_tags(
    left: Sequence[int],
    word: int | None,
    shares: Sequence[float],
    *,
    numbered: bool,
    where: str,
) -> int:
    """Choose the column of the tags: the usual one, unless only another one looks like it.

    left: columns that hold no numbers
    word: the column of the words, where the recipe names it
    """
    others = [column for column in left if column != word]
    if not others or len(left) < 2:
        raise UserError(
            f"{where}: beside the words no column is left for tags. A CoNLL line is a word, a "
            "separator and a tag; set data.format if this is another format."
        )
    # CoNLL-U and its kin have theirs after the word, the others at the end.
    usual = others[int(word is None)] if numbered else others[-1]
    likely = [column for column in others if shares[column] >= _MOST]
    if shares[usual] >= _FEW or not likely:
        return usual
    if len(likely) > 1:
        raise UserError(
            f"{where}: columns {' and '.join(map(str, likely))} both look like tags. Name one with "
            "data.columns.tags=NUMBER."
        )
    return likely[0]


def _tags_come_first(left: Sequence[int], shares: Sequence[float]) -> bool:
    return len(left) > 1 and shares[left[0]] >= _MOST and shares[left[-1]] < _FEW


def _found_words(left: Sequence[int], tag: int | None, where: str) -> int:
    """Choose the column of the words: the first, or where that has the tags the only other one."""
    others = [column for column in left if column != tag]
    if others and (left[0] != tag or len(others) == 1):
        return others[0]
    raise UserError(
        f"{where}: the tags are in column {tag}; which of the others holds the words cannot be "
        "told. Name it with data.columns.tokens=NUMBER"
    )


def _check_not_numbers(
    word: int, others: Sequence[int], blocks: Sequence[Block], where: str
) -> None:
    """Refuse to take numbers that go neither up nor down in step for words, beside real ones."""
    rows = [row for block in blocks for row in block]
    if not all(_NUMBER.fullmatch(row[word]) for row in rows if word < len(row)):
        return
    if _are_words([column for column in others if column > word], blocks):
        raise UserError(
            f"{where}: column {word} holds nothing but numbers ({rows[0][word]}, ...). Are these "
            f"the words? data.columns.tokens={word}; else name the column that holds them: "
            "data.columns.tokens=NUMBER"
        )


def _numbering(layout: Layout, blocks: Sequence[Block], shares: Sequence[float]) -> Layout:
    """Find the leading columns that number words, number or name sentences, or hold offsets."""
    for column in range(layout.width - 1):
        # Of two columns the second may be the tags, and the first the words "1", "2", "3".
        if shares[column] >= _MOST or (layout.width == 2 and shares[1] >= _FEW):
            break
        values = [[row[column] for row in block if column < len(row)] for block in blocks]
        later = [c for c in range(column + 1, layout.width) if shares[c] < _MOST]
        if len(layout.sentence_numbers) < _MOST_NAMES and (
            _tell_sentences(values) or (_are_one(values) and _are_words(later, blocks))
        ):
            layout = replace(layout, sentence_numbers=(*layout.sentence_numbers, column))
        elif layout.word_numbers is None and _count_words(values):
            layout = replace(layout, word_numbers=column)
        elif len(layout.offsets) < _MOST_OFFSETS and (
            _rise(values) or (_rise(values, framed=True) and _are_words(later, blocks))
        ):
            layout = replace(layout, offsets=(*layout.offsets, column))
        else:
            break
    return layout


def _are_one(blocks: Sequence[Sequence[str]]) -> bool:
    """Tell a column that says the same throughout: the corpus, or the only document."""
    return sum(map(len, blocks)) > 1 and len({value for values in blocks for value in values}) == 1


def _tell_sentences(blocks: Sequence[Sequence[str]]) -> bool:
    """Tell a column that stays as it is through a sentence, as no words do."""
    runs = [[len(list(run)) for _, run in groupby(values)] for values in blocks]
    if len(blocks) > 1 and any(len(lengths) > 1 for lengths in runs):
        return False
    if len(blocks) == 1 and not 1 < len(set(blocks[0])) == len(runs[0]):
        return False  # one name only, or one that comes back
    lengths = [length for block in runs for length in block]
    numbers = all(_NUMBER.fullmatch(value) for values in blocks for value in values)
    return max(lengths) > 1 if numbers else sum(lengths) >= 2 * len(lengths)


def _count_words(blocks: Sequence[Sequence[str]]) -> bool:
    """Tell numbers that go up by one: from 0 or 1 in each sentence, or through the document."""
    kept = [[v for v in values if not RANGE_OR_EMPTY_NODE.fullmatch(v)] for values in blocks]
    if not all(_NUMBER.fullmatch(value) for values in kept for value in values):
        return False
    sentences = [[int(value) for value in values] for values in kept if values]
    starts = {0, 1} | ({sentences[0][0]} if len(sentences) > 1 else set())
    last = 0
    for numbers in sentences:
        if numbers[0] not in starts and not numbers[0] > last > 0:
            return False
        if any(b not in (a + 1, *starts) for a, b in pairwise(numbers)):
            return False
        last = numbers[-1]
    if len(sentences) > 1 and all(numbers in ([0], [1]) for numbers in sentences):
        return True  # sentences of one word
    return any(b == a + 1 for numbers in sentences for a, b in pairwise(numbers))


def _rise(blocks: Sequence[Sequence[str]], *, framed: bool = False) -> bool:
    """Tell offsets, or numbers like 2-7, that rise from word to word.

    framed: what is around the numbers, always the same, makes no word of them: T7, s2w7, (7), 7.
    """
    frames = {_DIGITS.sub("0", value) for values in blocks for value in values}
    told = len(frames) == 1 and "0" in min(frames) if framed else False
    if not told and not all(_NUMBERS.fullmatch(value) for values in blocks for value in values):
        return False
    numbers = [[[int(n) for n in _DIGITS.findall(value)] for value in values] for values in blocks]
    steps = [before < after for values in numbers for before, after in pairwise(values)]
    return len(steps) > 1 and all(steps)


def _are_words(columns: Sequence[int], blocks: Sequence[Block]) -> bool:
    """Tell whether one of these columns differs from word to word, as tags do not."""
    rows = [row for block in blocks for row in block]
    different = [len({row[column] for row in rows if column < len(row)}) for column in columns]
    return max(different, default=0) > min(len(rows) / 2, _FEW_WORDS)
