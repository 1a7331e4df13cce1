"""CoNLL columns: a word with its tag a line, a blank line after each sentence."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import TextIO

from nlp_transfer.data.formats.base import TAG_KEYS, TEXT_KEYS, Format, Look, Writer
from nlp_transfer.data.formats.conll_layout import tell_layout
from nlp_transfer.data.formats.conll_lines import DOCSTART, Sentences, first_word, sampled
from nlp_transfer.data.formats.results import Result, check_characters, place
from nlp_transfer.data.grouping import known_column
from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.spelling import TAG, are_tags
from nlp_transfer.data.text_file import DataFile
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection

log = logging.getLogger(__name__)

_SAMPLED_LINES = 2000
# What readers of the format, ours among them, take for something else than a word.
_NO_WORD = re.compile(r"\s|.*\s$|.*[\t\r\n]|-DOCSTART-(\s|$)|#\s*newdoc|#.*=(\s|$)", re.DOTALL)
_BYTE_ORDER_MARK = "\ufeff"


def _recognises(look: Look) -> bool:
    """Trust the name; a table by its name has a column of tags, any other file nothing else."""
    if look.promised in ("csv", "tsv"):
        return _is_tagged(look.lines)
    return look.promised == "conll" or (not look.promised and _is_conll(look.lines))


def _is_tagged(lines: list[str]) -> bool:
    """Tell CoNLL columns named .tsv from a table, by a column of tags that has no header."""
    rows = [line.split("\t") for line in lines if line.strip() and not line.startswith("#")]
    if not rows or (known_column(rows[0], "tokens") and not any(map(TAG.fullmatch, rows[0]))):
        return False
    columns = zip(*(row for row in rows if len(row) == len(rows[0])), strict=True)
    return any(are_tags(column) for column in columns)


def _is_conll(lines: list[str]) -> bool:
    """Tell CoNLL columns from plain text: every line has a tag, in the same column."""
    if any(map(DOCSTART.match, lines)):
        return True
    rows = [
        line.split("\t") if "\t" in line else line.split()
        for line in lines
        if line.strip() and not re.match(r"#\s", line)
    ]
    if len(rows) < 2 or len({len(row) for row in rows}) > 1 or len(rows[0]) < 2:
        return False
    return any(
        all(TAG.fullmatch(value.strip()) for value in column) and any("-" in v for v in column)
        for column in zip(*rows, strict=True)
    )


def _read(file: DataFile, data: DataSection, *, annotated: bool) -> Iterator[RawRow]:
    """Read the sentences of a file: tokens, tags if they are wanted, document and id if it has any.

    raises: UserError with file and line for a row that lacks a column
    """
    lines = file.lines(data.encoding, data.encoding_errors)
    head = [line.rstrip("\n") for line in islice(lines, _SAMPLED_LINES)]
    blocks, separator = sampled(file.path, head, data.separator)
    if not blocks:
        if next(lines, None) is None:
            return
        raise UserError(f"{file.path}: the first {_SAMPLED_LINES:,} lines hold no word.")
    first = f"{file.path}:{first_word(head)}"
    columns = data.columns
    tags = columns.get("tags", "auto") if annotated else None
    if len(blocks[0][0]) < 2 and annotated:
        raise UserError(
            f"{first}: one column only ({blocks[0][0][0]!r}). A CoNLL line is a word, a separator "
            "and a tag; set data.format if this is another format."
        )
    layout = tell_layout(
        blocks,
        separator,
        tokens=columns.get("tokens"),
        tags=tags,
        sentence=columns.get("sentence"),
        where=str(file.path),
    )
    # Where DOCSTART lines close documents, the first one has words before any of them.
    bounded = any(map(DOCSTART.match, head))
    if not bounded and len(head) == _SAMPLED_LINES:
        bounded = any(map(DOCSTART.match, lines))
        lines.close()
        lines = file.lines(data.encoding, data.encoding_errors)
        head = [line.rstrip("\n") for line in islice(lines, _SAMPLED_LINES)]
    # Where the tag is just the last column, a short row would pass another column off as it.
    exact_width = tags == "auto" and layout.word_numbers is None
    sentences = Sentences(file.path, layout, exact_width=exact_width, bounded=bounded)
    yield from sentences.rows(chain(head, (line.rstrip("\n") for line in lines)))


def _write(results: Iterable[Result], stream: TextIO) -> None:
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


CONLL = Format(
    name="conll",
    recognises=_recognises,
    extensions=(".conll", ".conllu", ".iob", ".iob2", ".bio"),
    keys=TEXT_KEYS | TAG_KEYS | {"separator"},
    has_numbered_columns=True,
    read=_read,
    writer=Writer(needs=(frozenset({"tokens", "tags"}),), to_stream=_write, extension=".conll"),
)
