"""Lines of CoNLL columns in, one row a sentence out: tokens, tags, document, id.

Sentences end at lines that hold nothing but white space (a lone tab too). `-DOCSTART-` lines and
`# newdoc` comments bound documents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from nlp_transfer.data.formats.conll_layout import Layout
from nlp_transfer.data.formats.conll_numbers import RANGE_OR_EMPTY_NODE, Block
from nlp_transfer.data.raw import RawRow
from nlp_transfer.errors import UserError

_COMMENT = re.compile(r"#\s+\S.*")
_COMMENT_WITH_KEY = re.compile(r"# *[\w.:-]+ *=(\s|$)")  # "# text = Vitamin O"
_NEW_DOCUMENT = re.compile(r"#\s*newdoc(?:\s+id\s*=\s*(?P<id>.*))?\s*$")
_SENTENCE_ID = re.compile(r"#\s*sent_id\s*=\s*(?P<id>.*\S)")
DOCSTART = re.compile(r"-DOCSTART-(\s|$)")
_TAG = re.compile(r"^(O|[BIESLU]-\S+)$")
# "#" and a tab begin a word, or the source of a sentence: GermEval 2014 has "#\thttp://... [date]".
_COMMENT_AFTER_TAB = re.compile(r"#\t.*(://|\S \S)")


class Sentences:
    """One pass over the lines of a file.

    exact_width: every line has as many columns as the first word
    bounded:     documents end at -DOCSTART- lines
    """

    def __init__(self, path: Path, layout: Layout, *, exact_width: bool, bounded: bool) -> None:
        self._path = path
        self._layout = layout
        self._exact_width = exact_width
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
        """Read the sentences of all lines."""
        for number, line in enumerate(lines, start=1):
            new_document = _NEW_DOCUMENT.match(line)
            if not line.strip() or new_document or DOCSTART.match(line):
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
        tags = None if self._layout.tags is None else self._tags
        values = {"tokens": self._words, "tags": tags, "document": self._document, "id": self._id}
        if tags is None:  # fields of an input: only those that the file has
            values = {name: value for name, value in values.items() if value is not None}
        yield RawRow(f"{self._path}:{self._first_line}", values)
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


def sampled(path: Path, head: list[str], separator: str | None) -> tuple[list[Block], str | None]:
    """Take the fields of the first words, and tell what separates them.

    returns: a block for each run of lines without an empty one; none where there is no word
    """
    # A line of "#" and a tab may be a comment: it counts where there is no other.
    doubtful = not any(line.strip() and not line.startswith("#") for line in head)
    blocks: list[list[list[str]]] = [[]]
    for number, line in enumerate(head, start=1):
        if not line.strip() or DOCSTART.match(line):
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


def first_word(head: list[str]) -> int:
    """Find the line of the first word, comments and blank lines aside; a lone # is a word."""
    filled = [number for number, line in enumerate(head, 1) if line.strip()]
    return next((number for number in filled if not head[number - 1].startswith("#")), filled[0])
