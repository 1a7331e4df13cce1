"""The name of an installed segmenter in, a function that cuts text without blanks into words out.

None of them is a dependency: they are large, and each is for one language.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from importlib.util import find_spec
from typing import get_args

from nlp_transfer.errors import UserError, nearest
from nlp_transfer.recipe import WordRule

Segment = Callable[[str], Iterable[str]]
"""Cuts a text into words that are the text again when they are joined."""


def checked_rule(rule: str, setting: str) -> WordRule:
    """Refuse a rule that there is not, or whose segmenter is not installed.

    setting: the option or recipe key that named it, for error messages
    """
    rules: tuple[WordRule, ...] = get_args(WordRule)
    if rule not in rules:
        raise UserError(
            f"{setting}: {rule!r} is unknown ({', '.join(rules)}).{nearest(rule, rules)}"
        )
    if rule in _SEGMENTERS and find_spec(rule) is None:
        raise UserError(
            f"{setting}: {rule} needs the package of this name: pip install {rule}. Or choose "
            "unicode, which makes every character a word where a script has no blanks."
        )
    return rule


@cache  # they load their dictionaries, for a second
def open_segmenter(rule: WordRule) -> Segment | None:
    """Load the segmenter of a rule; None where the rule has none."""
    return _SEGMENTERS[rule]() if rule in _SEGMENTERS else None


def _jieba() -> Segment:
    import jieba

    jieba.setLogLevel(logging.WARNING)
    cut: Segment = jieba.cut
    return cut


def _janome() -> Segment:
    from janome.tokenizer import Tokenizer

    tokenize: Segment = Tokenizer(wakati=True).tokenize
    return tokenize


def _pythainlp() -> Segment:
    from pythainlp.tokenize import word_tokenize

    return partial(word_tokenize, engine="newmm")


_SEGMENTERS: Mapping[str, Callable[[], Segment]] = {
    "jieba": _jieba,
    "janome": _janome,
    "pythainlp": _pythainlp,
}
