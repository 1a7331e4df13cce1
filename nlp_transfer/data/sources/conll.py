"""CoNLL columns in, one row a sentence out: tokens, tags, document, line.

Sentences end at lines that hold nothing but white space (a lone tab too). Documents start at
`-DOCSTART-` lines and `# newdoc` comments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nlp_transfer.data.sources.text_file import open_text
from nlp_transfer.errors import UserError

_COMMENT = re.compile(r"#\s+\S.*")
_COMMENT_WITH_KEY = re.compile(r"# *[\w.:-]+ *=(\s|$)")  # "# text = Vitamin O"
_NEW_DOCUMENT = re.compile(r"#\s*newdoc(?:\s+id\s*=\s*(?P<id>.*))?\s*$")
_TAG = re.compile(r"^(O|[BIESLU]-\S+)$")


def read(
    path: Path, *, tokens: str | int, tags: str | int | None, separator: str | None, encoding: str
) -> Iterator[dict[str, Any]]:
    """Read sentences of a file with one word a line.

    tokens, tags: column numbers from 0 (negative from the end), or "auto"; tags None reads no tags
    separator:    between columns; None takes the tab where there is one, else white space
    raises:       UserError with file and line for a row that lacks a column
    """
    words: list[str] = []
    labels: list[str] = []
    columns: tuple[int, int] | None = None
    width = 0
    document, documents, first_line = None, 0, 0
    for number, line in enumerate(open_text(path, encoding=encoding), start=1):
        line = line.rstrip("\n")
        new_document = _NEW_DOCUMENT.match(line)
        is_comment = bool(new_document) or (not words and _is_comment(line))
        is_docstart = line.startswith("-DOCSTART-")
        if not line.strip() or new_document or is_docstart:
            if words:
                yield _row(words, labels, document, path, first_line)
                words, labels = [], []
            if new_document or is_docstart:
                documents += 1
                name = new_document["id"] if new_document else None
                document = name.strip() if name else f"document {documents}"
            continue
        if is_comment:
            continue
        fields = _fields(line, separator)
        if columns is None:
            columns, width = _columns(fields, tokens, tags, f"{path}:{number}"), len(fields)
        # Where the tag is just the last column, a short row would pass another column off as it.
        ragged = tags == "auto" and columns[1] == -1 and len(fields) != width
        if tags is not None and (len(fields) < 2 or ragged):
            raise UserError(
                f"{path}:{number}: {line!r} has {len(fields)} column(s), the file's first word has "
                f"{width}. Give the word its tag, or set data.columns.tags and data.separator."
            )
        try:
            words.append(fields[columns[0]])
            labels.append(fields[columns[1]])
        except IndexError:
            raise UserError(
                f"{path}:{number}: {line!r} has {len(fields)} column(s), the tag is expected in "
                f"column {columns[1]}. Give the word its tag, or set data.columns.tags and "
                "data.separator."
            ) from None
        if not labels[-1]:
            raise UserError(f"{path}:{number}: the word {words[-1]!r} has an empty tag.")
        if len(words) == 1:
            first_line = number
    if words:
        yield _row(words, labels, document, path, first_line)


def _is_comment(line: str) -> bool:
    """Tell a comment from a word: "# text" before the first tab, not "#<tab>O" or "# O"."""
    if _COMMENT_WITH_KEY.match(line):
        return True
    return bool(_COMMENT.match(line)) and "\t" not in line and not _TAG.match(line.split()[-1])


def _fields(line: str, separator: str | None) -> list[str]:
    if separator is not None:
        return [field.strip(" ") for field in line.split(separator)]
    # Not str.split(): it would cut a word at U+00A0 and drop such a word when it stands alone.
    return line.rstrip(" \t").split("\t") if "\t" in line else re.split(r" +", line.strip(" "))


def _columns(
    fields: list[str], tokens: str | int, tags: str | int | None, where: str
) -> tuple[int, int]:
    """Choose the columns from the first row: CoNLL-U like files number their words first."""
    if len(fields) < 2 and tags is not None:
        raise UserError(
            f"{where}: one column only ({fields[0]!r}). A CoNLL line is a word, a separator and a "
            "tag; set data.format if this is another format."
        )
    numbered = len(fields) > 2 and fields[0] == "1"
    token_column = _number(tokens, "tokens") if tokens != "auto" else (1 if numbered else 0)
    if tags is None:
        return token_column, token_column
    if tags != "auto":
        return token_column, _number(tags, "tags")
    if numbered:
        return token_column, 2
    return token_column, -1


def _number(value: str | int, column: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise UserError(
            f"data.columns.{column}: CoNLL columns are numbered from 0, not named; found "
            f"{value!r}. data.columns={{}} finds them by position."
        ) from None


def _row(
    words: list[str], tags: list[str], document: str | None, path: Path, line: int
) -> dict[str, Any]:
    return {"tokens": words, "tags": tags, "document": document, "where": f"{path}:{line}"}
