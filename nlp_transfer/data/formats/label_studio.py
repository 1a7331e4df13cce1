"""Label Studio's JSON: a list of tasks, read from its full export and from JSON-MIN."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from nlp_transfer.data.formats.base import SPAN_KEYS, TEXT_KEYS, Format, Look, Writer
from nlp_transfer.data.formats.jsonl import read_document
from nlp_transfer.data.formats.label_studio_tasks import (
    KEPT,
    Columns,
    Item,
    Task,
    annotations_of,
    key_of_text,
    read_task,
    several_texts,
)
from nlp_transfer.data.formats.results import (
    Result,
    entities_of,
    has_entities,
    item_of,
    labels_of,
    to_json,
)
from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.text_file import DataFile
from nlp_transfer.errors import UserError, shortened
from nlp_transfer.recipe import DataSection

_SAMPLED_BYTES = 1 << 20
_NEXT_ITEM = re.compile(r"[\s,]*")
# The names of the controls in Label Studio's own templates for NER.
_CONTROL = {"from_name": "label", "to_name": "text"}


def _is_task(item: object) -> bool:
    """Tell an item of an export by its annotations, or by what JSON-MIN says of a task."""
    if not isinstance(item, dict):
        return False
    if isinstance(item.get("data"), dict) and annotations_of(item) is not None:
        return True
    return {"annotator", "annotation_id"} <= item.keys() or any(map(_is_regions, item.values()))


def _recognises(look: Look) -> bool:
    """Look at the first tasks of a JSON list; one without entities may say nothing."""
    if not look.is_json or not look.text.startswith("["):
        return False
    text = look.file.begin().read(_SAMPLED_BYTES).decode("utf-8", errors="replace")
    text = text.lstrip("\ufeff \t\r\n")
    return text.startswith("[") and any(map(_is_task, _items(text)))


def _items(text: str) -> Iterator[Any]:
    """Yield the items of a JSON list, as far as they are whole."""
    decoder = json.JSONDecoder()
    after = 1
    while item := _NEXT_ITEM.match(text, after):
        try:
            found, after = decoder.raw_decode(text, item.end())
        except (ValueError, RecursionError):
            return
        yield found


def _read(file: DataFile, data: DataSection, *, annotated: bool) -> Iterator[RawRow]:
    """Read the tasks of an export.

    returns: rows of text and spans, or text and label; the choice of each question also under the
             question's name, and label only where all tasks answer the same one
    raises:  UserError for a task without a completed annotation, with several that differ, or
             whose labels may be about another of its texts
    """
    path, columns = file.path, data.columns
    items = read_document(file, data)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise UserError(f"{path}: this is not a Label Studio export, a list of tasks.")
    if not all("data" in item for item in items):
        yield from _minimal(items, path)
        return
    tasks = [read_task(item, _where(path, n, item), annotated) for n, item in enumerate(items)]
    missing = [task.where for task in tasks if task.results is None]
    if missing and not data.drop_missing:
        raise UserError(
            f"{missing[0]}: there is no completed annotation ({len(missing)} such task(s)). "
            "Annotate it, or leave such tasks out with data.drop_missing=true."
        )
    questions = sorted({str(r.get("from_name")) for task in tasks for r in task.of("choices")})
    has_spans = not questions or any(task.of("labels") for task in tasks)
    key = key_of_text([task for task in tasks if task.results is not None], columns)
    for task in tasks:
        if task.results is None:
            names = {"text", "spans", "label", *questions, *map(str, columns.values())}
            yield RawRow(task.where, dict.fromkeys(names))
            continue
        row = _data_of(task, key, columns, whole=not annotated)
        if annotated:
            row |= _answers(task, questions, key)
            if has_spans:
                row["spans"] = _spans(task, key)
        yield RawRow(task.where, row)


def _spans(task: Task, key: str) -> list[dict[str, Any]]:
    """Return the regions of a text; where there are regions of several, of the one of its name."""
    regions = task.of("labels")
    targets = {str(result.get("to_name")) for result in regions}
    if len(targets) > 1:
        if key not in targets:
            raise several_texts(task.where, targets)
        regions = [result for result in regions if result.get("to_name") == key]
    text = str(task.item["data"].get(key))
    return [_region(result["value"], text) for result in regions]


def _answers(task: Task, questions: Sequence[str], key: str) -> dict[str, Any]:
    """Return the choice of each question, and as label that of the only one."""
    chosen: dict[str, list[Any]] = {question: [] for question in questions}
    for result in task.of("choices"):
        chosen[str(result.get("from_name"))].extend(_choices(result["value"], task.where))
    answers = {
        question: found[0] if len(found) == 1 else found or None
        for question, found in chosen.items()
    }
    row = {question: answers[question] for question in questions if question not in ("text", key)}
    return row | ({"label": answers[questions[0]]} if len(questions) == 1 else {})


def _choices(value: Item, where: str) -> list[Any]:
    choices = value.get("choices", [])
    if not isinstance(choices, list):
        raise UserError(f"{where}: its choices are {choices!r}; they must be a list.")
    return choices


def _data_of(task: Task, key: str, columns: Columns, *, whole: bool) -> dict[str, Any]:
    """Return the text, and the parts of a task's data that are asked for, or the whole of them."""
    data = task.item["data"]
    if key not in data:
        raise UserError(
            f"{task.where}: its data have no {key!r}, which is the text. Found: "
            f"{shortened(list(data))}. Say which is: data.columns.text=KEY."
        )
    asked = {*KEPT, *map(str, columns.values())}
    row = {name: value for name, value in data.items() if whole or name in asked}
    row["id"] = data.get("id", task.item.get("id"))
    return row if "text" in columns else {**row, "text": data[key]}


def _minimal(items: list[dict[str, Any]], path: Path) -> Iterator[RawRow]:
    """Read JSON-MIN: the columns of the data, and the regions under the name of their control."""
    regions = {key for item in items for key, value in item.items() if _is_regions(value)}
    seen: dict[str, str] = {}
    for number, item in enumerate(items):
        where = _where(path, number, item)
        key = str(item["id"]) if item.get("id") is not None else where
        if seen.setdefault(key, where) != where:
            raise UserError(
                f"{where}: the same task as {seen[key]}, so it has several annotations. "
                "Export one a task."
            )
        found = [_listed(item[key], where) for key in sorted(regions & item.keys())]
        spans = [_region(region, str(item.get("text"))) for part in found for region in part]
        others = {key: _answer(value) for key, value in item.items() if key not in regions}
        yield RawRow(where, {**others, "spans": spans})


def _listed(value: object, where: str) -> list[Item]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(region, dict) for region in value):
        raise UserError(f"{where}: its regions are {value!r}; they must be a list of objects.")
    return value


def _answer(value: object) -> object:
    """Read several answers to one question as a list."""
    if isinstance(value, dict) and value.keys() == {"choices"}:
        return value["choices"]
    return value


def _region(value: Item, text: str) -> dict[str, Any]:
    """Take what a span is made of; the editor writes a line break in its text as \\n."""
    region = {key: value[key] for key in ("start", "end", "labels", "text") if key in value}
    if isinstance(region.get("text"), str) and "\\n" not in text:
        region["text"] = region["text"].replace("\\n", "\n")
    return region


def _is_regions(value: object) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(v, dict) and {"start", "end", "labels"} <= v.keys() for v in value)
    )


def _where(path: Path, number: int, item: Item) -> str:
    named = f" (task {item['id']})" if "id" in item else ""
    return f"{path}: item {number}{named}"


def _write(results: Iterable[Result], stream: TextIO) -> None:
    """Write tasks one after the other, ready to be imported."""
    stream.write("[")
    for number, result in enumerate(results):
        stream.write(",\n" if number else "\n")
        stream.write(to_json(_task(result), stream.encoding))
    stream.write("\n]\n")


def _task(result: Result) -> dict[str, Any]:
    """Make a task with one annotation: regions are of type labels, classes of type choices."""
    item = item_of(result)
    if has_entities(result):
        found = [
            {"start": start, "end": end, "text": item["text"][start:end], "labels": [entity_type]}
            for start, end, entity_type in entities_of(result)
        ]
        kind = "labels"
    else:
        found = [{"choices": labels_of(result)}]
        kind = "choices"
    regions = [
        {"id": f"r{number}", **_CONTROL, "type": kind, "value": value}
        for number, value in enumerate(found, start=1)
    ]
    return {"data": item, "annotations": [{"result": regions}]}


LABEL_STUDIO = Format(
    name="label-studio",
    recognises=_recognises,
    keys=TEXT_KEYS | SPAN_KEYS | {"drop_missing"},
    read=_read,
    writer=Writer(
        needs=(frozenset({"tokens", "entities"}), frozenset({"label"})),
        to_stream=_write,
        extension=".json",
    ),
)
