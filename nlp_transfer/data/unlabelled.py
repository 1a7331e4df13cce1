"""A file of texts in, items without labels out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nlp_transfer.data.inputs import read_inputs
from nlp_transfer.data.items import Item, ItemReader
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection


def unlabelled_items(path: str, *, setting: str) -> Iterator[tuple[str, Item]]:
    """Read texts, without those that are empty, each with its place for people.

    path:    text file (one text a line), JSON lines, CSV... as `nlpt predict` reads them
    setting: the recipe key that names the file, for error messages
    """
    if not Path(path).is_file():
        raise UserError(f"{setting}: there is no file {path!r}.")
    items = ItemReader({}).items(read_inputs(DataSection(source=path)))
    for number, item in enumerate(items, start=1):
        if item.as_text().strip():
            yield f"{path}:{number}", item
