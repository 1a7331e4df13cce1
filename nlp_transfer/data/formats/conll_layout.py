"""The first words of a CoNLL file in, what each of its columns holds out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nlp_transfer.data.formats.conll_numbers import (
    NUMBER,
    Block,
    are_one,
    are_words,
    count_words,
    rise,
    tell_sentences,
)
from nlp_transfer.data.spelling import TAG
from nlp_transfer.errors import UserError

_LOOKED_AT = 400_000  # fields
_MOST_NAMES = 3  # of a sentence: its corpus, its document, itself
_MOST_OFFSETS = 4  # begin and end, of characters and of bytes
_MOST = 0.5  # of a column of tags look like one; bare types do not, but O does
_FEW = 0.2  # of a column of words: I, o, E-mail

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
    left: Sequence[int], word: int | None, shares: Sequence[float], *, numbered: bool, where: str
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
    if not all(NUMBER.fullmatch(row[word]) for row in rows if word < len(row)):
        return
    if are_words([column for column in others if column > word], blocks):
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
            tell_sentences(values) or (are_one(values) and are_words(later, blocks))
        ):
            layout = replace(layout, sentence_numbers=(*layout.sentence_numbers, column))
        elif layout.word_numbers is None and count_words(values):
            layout = replace(layout, word_numbers=column)
        elif len(layout.offsets) < _MOST_OFFSETS and (
            rise(values) or (rise(values, framed=True) and are_words(later, blocks))
        ):
            layout = replace(layout, offsets=(*layout.offsets, column))
        else:
            break
    return layout
