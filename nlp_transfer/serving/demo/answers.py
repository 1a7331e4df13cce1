"""A text or a file in, what a model says of it out; both are bounded as requests are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nlp_transfer.data.formats import format_of
from nlp_transfer.data.formats.writing import write_results
from nlp_transfer.data.input_options import input_section, with_options
from nlp_transfer.data.inputs import check_inputs, read_items
from nlp_transfer.data.items import Item, ItemReader
from nlp_transfer.data.text_file import DataFile
from nlp_transfer.errors import UserError
from nlp_transfer.inference.predictor import Predictor
from nlp_transfer.recipe import DataSection
from nlp_transfer.serving.limits import Limits
from nlp_transfer.serving.reading import check_text, size_of

FORMATS = ("text", "jsonl", "json", "csv", "tsv", "conll")
"""That are read on the page: of tables such as Parquet a small file can hold gigabytes."""
_ADVICE = "Write a text."


def reads_pairs(model: Predictor) -> bool:
    """Tell whether a model has learned from pairs of texts."""
    return "text_pair" in model.columns


def answer_text(model: Predictor, text: str, pair: str, limits: Limits) -> dict[str, Any]:
    """Predict one text, as `nlpt predict` does.

    pair:   its second text, for a model of pairs
    raises: UserError where there is no text, or one that is too long
    """
    if not text.strip():
        raise UserError("There is no text yet. Write one first.")
    given = {"text": text, "text_pair": pair} if reads_pairs(model) else {"text": text}
    reader = ItemReader(model.columns, word_lists=model.task.results.word_lists, advice=_ADVICE)
    check_text(reader.item(given, 1), "text", limits)
    return next(model([given]))


def predict_file(model: Predictor, file: Path, output: Path, limits: Limits) -> None:
    """Write the objects that `nlpt predict` writes of a file.

    raises: UserError for a file that cannot be read, or holds nothing or too much
    """
    data = input_section(str(file), "auto", {})
    try:
        _check_format(file, data)
        check_inputs(data)
        items = list(_bounded(read_items(data, model.columns), limits))
    except UserError as error:  # its visitors need not know where a server keeps their files
        raise UserError(_of_a_visitor(str(error), file)) from None
    if not items:
        raise UserError(f"{file.name}: there is nothing to predict, it holds no text.")
    write_results(model(items), to="jsonl", output=output)


@with_options()
def _check_format(file: Path, data: DataSection) -> None:
    with DataFile(file) as looked_at:
        name = format_of(looked_at, data, annotated=False).name
    if name not in FORMATS:
        raise UserError(
            f"{file}: {name} is not read on this page ({', '.join(FORMATS)}). nlpt predict does."
        )


def _bounded(items: Iterator[Item], limits: Limits) -> Iterator[Item]:
    """Hand items on as long as they are few enough, and none is too long."""
    characters = 0
    for number, item in enumerate(items, start=1):
        check_text(item, f"item {number}", limits)
        characters += size_of(item)
        if number > limits.texts or characters > limits.waiting_characters:
            raise UserError(
                f"The file holds too much. At most {limits.texts:,} texts of together "
                f"{limits.waiting_characters:,} characters; nlpt predict takes files of any size."
            )
        yield item


def _of_a_visitor(message: str, file: Path) -> str:
    """Say what is wrong to somebody who has a page and no command line."""
    options = " (Options are those of nlpt predict.)" if " --" in message else ""
    return message.replace(str(file), file.name) + options
