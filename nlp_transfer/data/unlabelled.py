"""A file of texts in, rows without labels out, as a task reads them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nlp_transfer.data.inputs import read_inputs
from nlp_transfer.data.items import Item, ItemReader
from nlp_transfer.data.tables import iterate
from nlp_transfer.data.words import split_words
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection, WordRule
from nlp_transfer.records import Splits


def unlabelled_rows(
    path: str, *, task: str, setting: str, words: WordRule = "unicode"
) -> Iterator[dict[str, Any]]:
    """Read texts, without those that are empty.

    path:    text file (one text a line), JSON lines, CSV... as `nlpt predict` reads them
    task:    for "ner" texts are split into words
    setting: the recipe key that names the file, for error messages
    words:   how they are split
    returns: {words, where} or {text, text_pair, where}
    """
    if not Path(path).is_file():
        raise UserError(f"{setting}: there is no file {path!r}.")
    items = ItemReader({}).items(read_inputs(DataSection(source=path)))
    for number, item in enumerate(items, start=1):
        row = _words(item, words) if task == "ner" else _text(item)
        if row.get("words") or row.get("text", "").strip():
            yield {**row, "where": f"{path}:{number}"}


def _words(item: Item, rule: WordRule) -> dict[str, Any]:
    if item.tokens is not None:
        return {"words": item.tokens}
    return {"words": [word.text for word in split_words(item.as_text(), rule)]}


def _text(item: Item) -> dict[str, Any]:
    return {"text": item.as_text(), "text_pair": item.text_pair}


def known_texts(splits: Splits) -> set[tuple[str, ...]]:
    """Collect the texts of every split, as `text_key` gives them."""
    return {text_key(row) for split in splits for row in iterate(splits[split])}


def text_key(row: dict[str, Any]) -> tuple[str, ...]:
    """Return what makes two rows the same text."""
    if "words" in row:
        return tuple(row["words"])
    return (row["text"], row.get("text_pair") or "")
