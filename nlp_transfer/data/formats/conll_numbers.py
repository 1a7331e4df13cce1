"""What the first words of a CoNLL file have in a column in; whether it numbers or names out.

A column is given as its values in each block, several columns as the blocks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby, pairwise

RANGE_OR_EMPTY_NODE = re.compile(r"\d+[-.]\d+")  # CoNLL-U: 1-2 is written twice, 3.1 not at all
NUMBER = re.compile(r"\d{1,9}")
_NUMBERS = re.compile(r"\d{1,9}([-.:_]\d{1,9})*")  # 7; 2-7, the seventh word of the second sentence
_DIGITS = re.compile(r"[0-9]{1,9}")
_FEW_WORDS = 60  # more than there are parts of speech

Block = Sequence[Sequence[str]]
"""Fields of the words of a run of lines without an empty one between them."""


def are_one(blocks: Sequence[Sequence[str]]) -> bool:
    """Tell a column that says the same throughout: the corpus, or the only document."""
    return sum(map(len, blocks)) > 1 and len({value for values in blocks for value in values}) == 1


def tell_sentences(blocks: Sequence[Sequence[str]]) -> bool:
    """Tell a column that stays as it is through a sentence, as no words do."""
    runs = [[len(list(run)) for _, run in groupby(values)] for values in blocks]
    if len(blocks) > 1 and any(len(lengths) > 1 for lengths in runs):
        return False
    if len(blocks) == 1 and not 1 < len(set(blocks[0])) == len(runs[0]):
        return False  # one name only, or one that comes back
    lengths = [length for block in runs for length in block]
    numbers = all(NUMBER.fullmatch(value) for values in blocks for value in values)
    return max(lengths) > 1 if numbers else sum(lengths) >= 2 * len(lengths)


def count_words(blocks: Sequence[Sequence[str]]) -> bool:
    """Tell numbers that go up by one: from 0 or 1 in each sentence, or through the document."""
    kept = [[v for v in values if not RANGE_OR_EMPTY_NODE.fullmatch(v)] for values in blocks]
    if not all(NUMBER.fullmatch(value) for values in kept for value in values):
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


def rise(blocks: Sequence[Sequence[str]], *, framed: bool = False) -> bool:
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


def are_words(columns: Sequence[int], blocks: Sequence[Block]) -> bool:
    """Tell whether one of these columns differs from word to word, as tags do not."""
    rows = [row for block in blocks for row in block]
    different = [len({row[column] for row in rows if column < len(row)}) for column in columns]
    return max(different, default=0) > min(len(rows) / 2, _FEW_WORDS)
