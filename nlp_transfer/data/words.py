"""Raw text in, words with their character offsets out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import NamedTuple

import regex

from nlp_transfer.data.segmenters import Segment, open_segmenter
from nlp_transfer.recipe import WordRule

# Classes of characters, by annex 29 of the Unicode standard (text segmentation).
_BLANK = r"\s\x1c-\x1f"  # what str.isspace calls white space
_MARK = r"\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}"  # stands on a letter, or joins two
_W = rf"[\w\p{{No}}\p{{WB=ALetter}}\p{{WB=Hebrew_Letter}}\p{{WB=Numeric}}{_MARK}]"
_LETTER = rf"[^\W\d_][{_MARK}]*"
_DIGIT = rf"(?:\d[{_MARK}]*)"
# Chinese, Japanese, and (SA) Thai, Lao, Khmer, Burmese and their kin: no blanks between words.
UNSPACED = (
    r"[[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Bopo}\p{LB=SA}]&&[\p{L}\p{Nl}\p{So}]"
    r"||[\p{EA=W}\p{EA=F}]&&\p{P}]"
)
_STRETCH = regex.compile(rf"(?:{UNSPACED}[{_MARK}]*)+", regex.VERSION1)
# A flag is two letters. \X knows, but looks back over a whole line of them for every one.
_FLAG = rf"\p{{RI}}{{1,2}}[{_MARK}]*"
_BLANKS = regex.compile(rf"[^{_BLANK}]+")
# A consonant that is written under another one (Khmer, Burmese, Tai Tham) stays with it.
_CHARACTER = regex.compile(
    rf"{_FLAG}|(?![{_BLANK}])\X(?:(?<=[\u17d2\u1039\u1a60])\X)*", regex.VERSION1
)


def _words(*, apart: str, joining: str, runs: str) -> regex.Pattern[str]:
    """Compile a rule. One alternative a line, the longest meaning first.

    apart:   words before or after which no blank stands, such as the possessive
    joining: signs between two words that make them one
    runs:    punctuation of more than one character
    """
    hyphenated = rf"(?:-{_W}+)*" if "-" in joining else ""
    # Of other scripts: Catalan col·lecció, Hebrew צה״ל, also with an ASCII quotation mark.
    inner = rf'[{joining}·‧״]|(?<=\p{{WB=Hebrew_Letter}})"(?=\p{{WB=Hebrew_Letter}})'
    return regex.compile(
        rf"""
          https?://[^{_BLANK}]+ | [\w.+-]{{1,64}}@[\w-]+\.[\w.]+       # addresses
        | [0-9*\#]\ufe0f?\u20e3                                      # keycaps
        | [@\#]{_W}+                                                 # handles and hashtags
        | (?:{_LETTER}\.){{2,}}{hyphenated}                          # U.S.  J.R.R.  U.S.-led
        | (?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|Col|Gen|Sgt|Capt|Lt|Rev|Inc|Ltd|Co|Corp|vs)\.
        | {_LETTER}\.(?=[{_BLANK}]+[^\W\d_])                         # an initial: J. Smith
        | {_DIGIT}+(?:[.,:/-]{_DIGIT}+)*(?:[%٪]|{_W}+)?{hyphenated}  # 2-1  7.30am  3.5%  19-day
        | {apart}
        | {_W}+(?:(?:{inner}){_W}+|(?!{apart})['’‘]{_W}+)*
        | {runs}
        | {_FLAG} | (?![{_BLANK}])\X                                 # emoji, with all their parts
        """,
        regex.VERBOSE | regex.VERSION1,
    )


_RULES = {
    "unicode": _words(apart=rf"['’]s(?!{_W})", joining="-./&", runs=r"\.\.\.|--"),
    "treebank": _words(
        apart=rf"['’](?:s|m|d|ll|re|ve)(?!{_W})|n['’]t(?!{_W})|{_W}+?(?=n['’]t(?!{_W}))",
        joining="./&",
        runs=rf"(?P<mark>[.!?*=$-])(?P=mark)+|[:;]-?(?:[)(]|[DP](?!{_W}))",
    ),
}


class Word(NamedTuple):
    """A word and where it stands: offsets in Unicode code points, the end exclusive."""

    text: str
    start: int
    end: int


Splitter = Callable[[str], list[Word]]
"""Splits a text into words."""


def split_words(text: str, rule: WordRule) -> list[Word]:
    """Split a text into words. Every character that is not white space belongs to exactly one.

    rule: unicode:    at blanks and punctuation, as CoNLL-like corpora do; where a script puts no
                      blanks between words, every character is one
          treebank:   the same, but do n't, I 'm, hyphens apart, repeated signs together, as the
                      Penn Treebank, OntoNotes and Universal Dependencies have them
          blanks:     at blanks only
          characters: every character is a word
          the others: as unicode, with a segmenter where a script puts no blanks between words
    """
    if rule == "blanks":
        return [Word(match[0], *match.span()) for match in _BLANKS.finditer(text)]
    if rule == "characters":
        return [Word(match[0], *match.span()) for match in _CHARACTER.finditer(text)]
    return list(_split(text, _RULES.get(rule, _RULES["unicode"]), open_segmenter(rule)))


def _split(text: str, words: regex.Pattern[str], segment: Segment | None) -> Iterator[Word]:
    """Split at blanks and punctuation, and stretches of scripts without blanks in their own way."""
    start = 0
    stretches = () if text.isascii() else _STRETCH.finditer(text)
    for stretch in stretches:
        for match in words.finditer(text, start, stretch.start()):
            yield Word(match[0], *match.span())
        yield from _segmented(text, stretch.start(), stretch.end(), segment)
        start = stretch.end()
    for match in words.finditer(text, start):
        yield Word(match[0], *match.span())


def _segmented(text: str, start: int, end: int, segment: Segment | None) -> Iterator[Word]:
    """Cut a stretch without blanks into characters, or where a segmenter cuts between them."""
    cuts = None
    if segment is not None:
        cuts = set(accumulate(map(len, segment(text[start:end])), initial=start))
    first = start
    for character in _CHARACTER.finditer(text, start, end):
        after = character.end()
        if cuts is None or after in cuts or after == end:
            yield Word(text[first:after], first, after)
            first = after
