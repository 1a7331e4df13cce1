"""A file of texts in, items without labels out."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from nlp_transfer.data.inputs import read_rows
from nlp_transfer.data.items import Item, ItemReader, kept_columns
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection

log = logging.getLogger(__name__)

_HOW_TO = (
    "Keys and options named here are not for this file. Save it as UTF-8, one text a line, or with "
    "the texts in a column `text`."
)


def unlabelled_items(path: str, *, setting: str, data: DataSection) -> Iterator[tuple[str, Item]]:
    """Read texts, without those that are empty, each with its place for people.

    path:    text file (one text a line), JSON lines, CSV... as `nlpt predict` reads them
    setting: the recipe key that names the file, for error messages
    data:    the labelled data: what a model reads of it is looked for in the same columns
    """
    if not Path(path).is_file():
        raise UserError(f"{setting}: there is no file {path!r}.")
    columns = kept_columns(dict(data.columns.items()))
    try:
        rows = read_rows(DataSection(source=path), columns)
        number = some = 0
        for number, item in enumerate(ItemReader(columns, answers=False).items(rows), start=1):
            if item.as_text().strip():
                some += 1
                yield f"{path}:{number}", item
        if not some:
            log.warning("%s: %s holds no text", setting, path)
        elif some < number:
            log.info("%s: %d of %d texts of %s are empty", setting, number - some, number, path)
    except UserError as error:
        raise UserError(f"{setting}: {error}\n{_HOW_TO}") from None
