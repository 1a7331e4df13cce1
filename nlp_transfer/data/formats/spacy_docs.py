"""A spaCy DocBin (.spacy): documents with tokens and tags, a text, a label."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from nlp_transfer.data.formats.base import Format
from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.text_file import DataFile
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection


def _read(file: DataFile, data: DataSection, *, annotated: bool) -> Iterator[RawRow]:
    """Read the gold entities and categories of a file that `DocBin.to_disk` has written.

    returns: rows of text, and tokens with IOB2 tags where entities are annotated, and label (a list
             unless it is one) where categories are
    raises:  UserError where spaCy is missing, or a document has neither
    """
    for number, doc in enumerate(_docs(file)):
        where = f"{file.path}: item {number}"
        values: dict[str, Any] = {"text": doc.text}
        if doc.has_annotation("ENT_IOB"):
            values |= _tagged(doc, where)
        if doc.cats:
            values["label"] = _label(doc.cats, where)
        if len(values) == 1:
            raise UserError(
                f"{where}: neither doc.ents nor doc.cats is set. Annotate the document; one "
                "without entities says so with doc.ents = []."
            )
        yield RawRow(where, values)


def _docs(file: DataFile) -> Iterator[Any]:
    path = file.path
    try:
        spacy = import_module("spacy")
    except ImportError:
        raise UserError(f"{path}: spaCy's files are read by spaCy: pip install spacy") from None
    try:
        docs = spacy.tokens.DocBin().from_bytes(file.begin().read())
        yield from docs.get_docs(spacy.blank("xx").vocab)
    except (ValueError, LookupError, TypeError, AttributeError, OSError, zlib.error) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(f"{path}: this is not a DocBin that spaCy reads: {reason}") from None


def _tagged(doc: Any, where: str) -> dict[str, list[str]]:
    """Return the words, without spaCy's tokens of white space, and their tags."""
    tags = ["O"] * len(doc)
    for entity in doc.ents:
        if entity[0].is_space or entity[-1].is_space or not entity.label_:
            raise UserError(
                f"{where}: the entity {entity.text!r} ({entity.label_}) has no type, or begins or "
                "ends with white space. Correct it."
            )
        tags[entity.start : entity.end] = [f"I-{entity.label_}"] * len(entity)
        tags[entity.start] = f"B-{entity.label_}"
    words = [token for token in doc if not token.is_space]
    return {"tokens": [token.text for token in words], "tags": [tags[token.i] for token in words]}


def _label(cats: dict[str, float], where: str) -> str | list[str]:
    unsure = [name for name, value in cats.items() if value not in (0, 1)]
    if unsure:
        raise UserError(
            f"{where}: the category {unsure[0]!r} has the value {cats[unsure[0]]}; gold is 0 or 1. "
            "These may be predictions."
        )
    chosen = [name for name, value in cats.items() if value]
    return chosen[0] if len(chosen) == 1 else chosen


SPACY = Format(
    name="spacy", extensions=(".spacy",), keys=frozenset({"scheme", "drop_missing"}), read=_read
)
