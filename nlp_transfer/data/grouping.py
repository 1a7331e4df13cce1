"""Rows of a table that hold one word each in, rows of whole sentences out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from nlp_transfer.data.columns import CANDIDATES
from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.spelling import are_tags
from nlp_transfer.errors import UserError, nearest
from nlp_transfer.recipe import Column, DataSection

# Names by which such columns are known, without case and signs ("Sentence #"), the surest first.
_NAMES: dict[str, tuple[str, ...]] = {
    "tokens": ("word", "words", "token", "tokens"),
    "tags": ("tag", "tags", "nertag", "nertags", "ner", "iob", "bio", "label", "labels", "entity"),
    "sentence": (
        "sentenceid", "sentenceidx", "sentenceindex", "sentencenumber", "sentenceno",
        "sentencenum", "sentid", "sentidx", "sentno", "sentnum", "sentence", "sent",
    ),
}  # fmt: skip
_ROLES: tuple[Column, ...] = ("tokens", "tags", "sentence")
_OF_A_SENTENCE = (*CANDIDATES["document"], *CANDIDATES["id"])
_LOOKED_AT = 100  # rows


@dataclass(frozen=True)
class _Columns:
    """Names of the columns of a table with one word a row."""

    tokens: str
    tags: str | None
    sentence: str | None
    known_as: Mapping[str, str]
    """How a row of a whole sentence calls the first two, where nobody names them."""


def known_column(names: Iterable[str], role: str) -> str | None:
    """Find the column that a role is known by."""
    plain = {re.sub(r"[\W_]+", "", name).lower(): name for name in reversed(list(names))}
    return next((plain[known] for known in _NAMES[role] if known in plain), None)


def whole_sentences(
    rows: Iterator[RawRow], data: DataSection, *, annotated: bool = True
) -> Iterator[RawRow]:
    """Group rows of one word each by their sentence; rows of whole sentences stay as they are.

    annotated: False takes rows without a tag too, if a column tells sentences apart
    raises:    UserError where words have tags, but no column tells sentences apart
    """
    head = list(islice(rows, _LOOKED_AT))
    columns = _columns(head, data, annotated=annotated)
    rows = chain(head, rows)
    if columns is None:
        return rows
    if columns.sentence is None:
        raise UserError(
            f"{head[0].where}: there is one word a row (column {columns.tokens!r}), and no column "
            f"that tells sentences apart. Found: {', '.join(head[0].values)}. Name it with "
            "data.columns.sentence=COLUMN; where empty lines end sentences, read the file with "
            "data.format=conll and data.separator."
        )
    return _grouped(rows, columns, columns.sentence)


def _columns(head: Sequence[RawRow], data: DataSection, *, annotated: bool) -> _Columns | None:
    """Find the columns of a table with one word a row; None where rows hold more."""
    if len(head) < 2:
        return None
    names = list(head[0].values)
    tokens, tags, sentence = (_column(names, role, data) for role in _ROLES)
    if tokens not in names or not all(_is_text(row.values.get(tokens)) for row in head):
        return None
    if tags not in names or not (
        annotated or are_tags([str(row.values.get(tags)) for row in head])
    ):
        tags = None
    if not annotated and "sentence" not in data.columns and sentence in CANDIDATES["text"]:
        sentence = None  # a text of its own
    if tags is None and (annotated or sentence is None):
        return None
    if not all(_is_one(row.values.get(tags or tokens)) for row in head):
        return None
    if sentence is not None and sentence not in names:
        raise UserError(
            f"data.columns.sentence: there is no column {sentence!r} in {head[0].where}. "
            f"Found: {', '.join(names)}.{nearest(sentence, names)}"
        )
    known_as = {tokens: "tokens"} if "tokens" not in data.columns else {}
    if tags is not None and annotated and "tags" not in data.columns:
        known_as[tags] = "tags"
    return _Columns(tokens, tags, sentence, known_as)


def _column(names: Sequence[str], role: Column, data: DataSection) -> str | None:
    given = data.columns.get(role)
    return known_column(names, role) if given is None else str(given)


def _is_text(value: object) -> bool:
    return _is_blank(value) or isinstance(value, str)


def _is_one(tag: object) -> bool:
    return not isinstance(tag, list | tuple) and not re.search(r"\s", str(tag).strip())


def _is_blank(value: object) -> bool:
    # A table with gaps has NaN, the one value that is not itself, in them.
    return value is None or value != value or (isinstance(value, str) and not value.strip())


def _grouped(rows: Iterable[RawRow], columns: _Columns, sentence: str) -> Iterator[RawRow]:
    """Begin a sentence at every other name of one; a name may stand on its first row only."""
    group: list[RawRow] = []
    current: Any = None
    was_blank = False
    longest = groups = 0
    for row in rows:
        name = row.values.get(sentence)
        is_new = not _is_blank(name) and (name != current or was_blank)
        ends = all(_is_blank(row.values.get(c)) for c in (columns.tokens, columns.tags) if c)
        if (is_new or ends) and group:
            yield _joined(group, columns)
            longest, groups, group = max(longest, len(group)), groups + 1, []
        current = name if is_new else current
        was_blank = _is_blank(name)
        if current is None:
            raise UserError(
                f"{row.where}: the first word has no sentence in column {sentence!r}. Name the "
                "column that tells sentences apart with data.columns.sentence=COLUMN."
            )
        if not ends:
            group.append(row)
    if group:
        yield _joined(group, columns)
    if groups and max(longest, len(group)) == 1:
        raise UserError(
            f"{row.where}: every row has a {sentence!r} of its own, so that each word would be a "
            "sentence. Name the column that tells sentences apart with data.columns.sentence="
            "COLUMN."
        )


def _joined(group: Sequence[RawRow], columns: _Columns) -> RawRow:
    """Make one row of the words of a sentence; what they have in common is said once."""
    values: dict[str, Any] = {}
    for name in group[0].values:
        found = [row.values.get(name) for row in group]
        differ = any(value != found[0] for value in found if not _is_blank(value))
        is_listed = name in (columns.tokens, columns.tags)
        said_once = name == columns.sentence or name in _OF_A_SENTENCE or not differ
        key = columns.known_as.get(name, name)
        values[key] = found[0] if said_once and not is_listed else found
    return RawRow(group[0].where, values)
