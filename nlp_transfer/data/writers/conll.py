"""CoNLL columns: a word, a tab and its tag a line; a blank line after each sentence."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import TextIO

from nlp_transfer.data.formats.results import Result, check_characters, place
from nlp_transfer.errors import UserError

log = logging.getLogger(__name__)

# What readers of the format, ours among them, take for something else than a word.
_NO_WORD = re.compile(r"\s|.*\s$|.*[\t\r\n]|-DOCSTART-(\s|$)|#\s*newdoc|#.*=(\s|$)", re.DOTALL)
_BYTE_ORDER_MARK = "\ufeff"


def write(results: Iterable[Result], stream: TextIO) -> None:
    """Write sentences, a -DOCSTART- line where another document begins.

    raises: UserError for a word that the format cannot hold, such as one with a tab
    """
    document, empty, begun = None, 0, False
    for number, result in enumerate(results, start=1):
        words, where = result["tokens"], place(result, number)
        if not words:
            empty += 1
            continue
        if result.get("document") != document:
            document, begun = result.get("document"), True
            stream.write("-DOCSTART-\tO\n\n")
        if not begun and words[0].startswith(_BYTE_ORDER_MARK):
            stream.write(_BYTE_ORDER_MARK)  # readers take the first one off a file
        begun = True
        for word, tag in zip(words, result["tags"], strict=True):
            stream.write(f"{_checked(word, stream, where)}\t{tag}\n")
        stream.write("\n")
    if empty:
        log.warning("%d item(s) without words are left out: CoNLL files cannot hold them", empty)


def _checked(word: str, stream: TextIO, where: str) -> str:
    check_characters(word, stream.encoding, where, "conll")
    if not word or _NO_WORD.match(word):
        raise UserError(
            f"{where}: the word {word!r} would not be read as one from a CoNLL file. "
            "Use --to jsonl."
        )
    return word
