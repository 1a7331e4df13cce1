"""CoNLL columns in, one row a sentence out: tokens, tags, document, id.

Sentences end at lines that hold nothing but white space (a lone tab too). `-DOCSTART-` lines and
`# newdoc` comments bound documents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from nlp_transfer.data.formats.conll_layout import RANGE_OR_EMPTY_NODE, Block, Layout, tell_layout
from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.text_file import Errors, read_lines
from nlp_transfer.errors import UserError

_COMMENT = re.compile(r"#\s+\S.*")
_COMMENT_WITH_KEY = re.compile(r"# *[\w.:-]+ *=(\s|$)")  # "# text = Vitamin O"
_NEW_DOCUMENT = re.compile(r"#\s*newdoc(?:\s+id\s*=\s*(?P<id>.*))?\s*$")
_SENTENCE_ID = re.compile(r"#\s*sent_id\s*=\s*(?P<id>.*\S)")
_DOCSTART = re.compile(r"-DOCSTART-(\s|$)")
_TAG = re.compile(r"^(O|[BIESLU]-\S+)$")
# "#" and a tab begin a word, or the source of a sentence: GermEval 2014 has "#\thttp://... [date]".
_COMMENT_AFTER_TAB = re.compile(r"#\t.*(://|\S \S)")
_SAMPLED_LINES = 2000


def read(
    path: Path,
    *,
    tokens: str | int,
    tags: str | int | None,
    sentence: str | int | None = None,
    separator: str | None,
    encoding: str,
    errors: Errors = "strict",
) -> Iterator[RawRow]:
    """Read sentences of a file with one word a line.

    tokens, tags: column numbers from 0 (negative from the end), or "auto"; tags None reads no tags
    sentence:     number of the column whose values tell sentences apart, beside empty lines
    separator:    between columns; None takes the tab if the first word has one, else blanks
    raises:       UserError with file and line for a row that lacks a column
    """
    lines = read_lines(path, encoding=encoding, errors=errors)
    head = [line.rstrip("\n") for line in islice(lines, _SAMPLED_LINES)]
    blocks, separator = _sampled(path, head, separator)
    if not blocks:
        if next(lines, None) is None:
            return
        raise UserError(f"{path}: the first {_SAMPLED_LINES:,} lines hold no word.")
    first = f"{path}:{_first_word(head)}"
    if len(blocks[0][0]) < 2 and tags is not None:
        raise UserError(
            f"{first}: one column only ({blocks[0][0][0]!r}). A CoNLL line is a word, a separator "
            "and a tag; set data.format if this is another format."
        )
    layout = tell_layout(
        blocks, separator, tokens=tokens, tags=tags, sentence=sentence, where=str(path)
    )
    # Where DOCSTART lines close documents, the first one has words before any of them.
    whole = read_lines(path, encoding=encoding, errors=errors)
    bounded = any(_DOCSTART.match(line) for line in whole)
    yield from _Reading(path, layout, tags, bounded).rows(
        chain(head, (line.rstrip("\n") for line in lines))
    )


class _Reading:
    """One pass over the lines of a file."""

    def __init__(self, path: Path, layout: Layout, tags: str | int | None, bounded: bool) -> None:
        self._path = path
        self._layout = layout
        # Where the tag is just the last column, a short row would pass another column off as it.
        self._exact_width = tags == "auto" and layout.word_numbers is None
        self._documents = 1 if bounded else 0
        self._document = "document 1" if bounded else None
        self._empty_document = True
        self._id: str | None = None
        self._words: list[str] = []
        self._tags: list[str] = []
        self._first_line = 0
        self._word_number = -1
        self._sentence: list[str] | None = None

    def rows(self, lines: Iterator[str]) -> Iterator[RawRow]:
        for number, line in enumerate(lines, start=1):
            new_document = _NEW_DOCUMENT.match(line)
            if not line.strip() or new_document or _DOCSTART.match(line):
                yield from self._finished()
                if new_document or line.strip():
                    self._start_document(new_document)
            elif self._is_comment(line):
                sentence_id = _SENTENCE_ID.match(line)
                self._id = sentence_id["id"] if sentence_id else self._id
            else:
                fields = _fields(line, self._layout.separator, f"{self._path}:{number}")
                if self._begins_sentence(fields):
                    yield from self._finished()
                self._add_word(fields, line, number)
        yield from self._finished()

    def _start_document(self, comment: re.Match[str] | None) -> None:
        """Begin a document, unless a line just before has done so or nothing follows."""
        if not self._empty_document or not self._documents:
            self._documents += 1
            self._document = f"document {self._documents}"
        if comment and comment["id"]:
            self._document = comment["id"].strip()
        self._empty_document = True

    def _finished(self) -> Iterator[RawRow]:
        if not self._words:
            return
        values = {"tokens": self._words, "tags": self._tags, "document": self._document}
        yield RawRow(f"{self._path}:{self._first_line}", {**values, "id": self._id})
        self._words, self._tags, self._id = [], [], None
        self._empty_document = False

    def _is_comment(self, line: str) -> bool:
        """Tell a comment from a word: "# text" before the first tab, not "#<tab>O" or "# O"."""
        if not line.startswith("#"):
            return False
        if self._layout.word_numbers == 0 or (not self._words and _COMMENT_WITH_KEY.match(line)):
            return True
        if "\t" in line:
            return not self._words and bool(_COMMENT_AFTER_TAB.match(line))
        if self._layout.separator == "\t":
            return line.startswith("# ")
        return not self._words and _is_blank_separated_comment(line)

    def _begins_sentence(self, fields: list[str]) -> bool:
        """Tell a new sentence where there is no empty line, from the numbers in a column."""
        column = self._layout.word_numbers
        number = fields[column] if column is not None and column < len(fields) else ""
        sentence = [fields[at] for at in self._layout.sentence_numbers if at < len(fields)]
        before, self._sentence = self._sentence, sentence
        if not number.isdecimal():
            return sentence != before
        falls = int(number) <= self._word_number
        self._word_number = int(number)
        return falls or sentence != before

    def _add_word(self, fields: list[str], line: str, number: int) -> None:
        layout, where = self._layout, f"{self._path}:{number}"
        if layout.word_numbers is not None and RANGE_OR_EMPTY_NODE.fullmatch(
            "".join(fields[layout.word_numbers : layout.word_numbers + 1])
        ):
            return
        columns = [layout.tokens, *([] if layout.tags is None else [layout.tags])]
        if self._exact_width and len(fields) != layout.width:
            raise UserError(
                f"{where}: {line!r} has {len(fields)} column(s), the file's first word has "
                f"{layout.width}. Give the word its tag, or set data.columns.tags and "
                "data.separator."
            )
        for column in columns:
            if not -len(fields) <= column < len(fields):
                raise UserError(
                    f"{where}: {line!r} has {len(fields)} column(s), none has the number {column}. "
                    "Give the word its tag, or set data.columns and data.separator."
                )
        word, tag = fields[layout.tokens], fields[columns[-1]]
        if not word:
            raise UserError(f"{where}: {line!r} has an empty word.")
        if not tag:
            raise UserError(f"{where}: the word {word!r} has an empty tag.")
        if not self._words:
            self._first_line = number
        self._words.append(word)
        self._tags.append(tag)


def _is_blank_separated_comment(line: str) -> bool:
    return bool(_COMMENT.match(line)) and not _TAG.match(line.split()[-1])


def _fields(line: str, separator: str | None, where: str) -> list[str]:
    if separator == "\t" and "\t" not in line:
        raise UserError(
            f"{where}: the file is separated by tabs, {line!r} has none. Separate its columns "
            "like those of the other words."
        )
    if separator is None and "\t" in line:
        raise UserError(
            f"{where}: the file is separated by blanks, {line!r} has a tab. Use one separator, "
            "or name it with data.separator."
        )
    if separator is None:  # not str.split(): it would cut a word at U+00A0
        return re.split(r" +", line.strip(" "))
    fields = line.rstrip(" \t") if separator == "\t" else line
    return [field.strip(" ") for field in fields.split(separator)]


def _sampled(path: Path, head: list[str], separator: str | None) -> tuple[list[Block], str | None]:
    """Take the fields of the first words, and tell what separates them.

    returns: a block for each run of lines without an empty one; none where there is no word
    """
    # A line of "#" and a tab may be a comment: it counts where there is no other.
    doubtful = not any(line.strip() and not line.startswith("#") for line in head)
    blocks: list[list[list[str]]] = [[]]
    for number, line in enumerate(head, start=1):
        if not line.strip() or _DOCSTART.match(line):
            blocks.append([])
            continue
        if _COMMENT_WITH_KEY.match(line) or (line.startswith("#\t") and not doubtful):
            continue
        if "\t" not in line and _is_blank_separated_comment(line):
            continue
        if separator is None and not any(blocks) and "\t" in line:
            separator = "\t"
        try:
            blocks[-1].append(_fields(line, separator, f"{path}:{number}"))
        except UserError:
            break  # its own turn comes, with the line before it read
    return [block for block in blocks if block], separator


def _first_word(head: list[str]) -> int:
    """Find the line of the first word, comments and blank lines aside; a lone # is a word."""
    filled = [number for number, line in enumerate(head, 1) if line.strip()]
    return next((number for number in filled if not head[number - 1].startswith("#")), filled[0])
