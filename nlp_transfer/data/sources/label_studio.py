"""A Label Studio export (JSON or JSON-MIN) in, one row a task out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.sources import jsonl
from nlp_transfer.data.sources.text_file import Errors
from nlp_transfer.errors import UserError


class _Task(NamedTuple):
    """A task of the full export, with the results of its one annotation; None: there is none."""

    where: str
    item: Mapping[str, Any]
    results: list[Mapping[str, Any]] | None

    def of(self, kind: str) -> list[Mapping[str, Any]]:
        """Return the results of a type; a choice about a region of the text is none about it."""
        found = [result for result in self.results or [] if result.get("type") == kind]
        return [r for r in found if kind == "labels" or "start" not in r["value"]]


def is_label_studio(item: Any) -> bool:
    """Tell an item of an export by its annotations, or by labelled regions of JSON-MIN."""
    if not isinstance(item, dict):
        return False
    if isinstance(item.get("data"), dict) and _annotations(item) is not None:
        return True
    return any(_is_regions(value) for value in item.values())


def read(
    path: Path,
    *,
    encoding: str,
    errors: Errors = "strict",
    drop_missing: bool = False,
    annotated: bool = True,
) -> Iterator[RawRow]:
    """Read the tasks of an export.

    drop_missing: a task without a completed annotation is a row without a text, not an error
    annotated:    False reads the texts alone, whatever their annotations
    returns:      rows of text and spans, or text and label; the choice of each question also
                  under the question's name, and label only where all tasks answer the same one
    raises:       UserError for a task with several annotations
    """
    items = jsonl.read_document(path, encoding=encoding, errors=errors)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise UserError(f"{path}: this is not a Label Studio export, a list of tasks.")
    if not all("data" in item for item in items):
        yield from _minimal(items, path)
        return
    tasks = [_task(item, _where(path, n, item), annotated) for n, item in enumerate(items)]
    missing = [task.where for task in tasks if task.results is None]
    if missing and not drop_missing:
        raise UserError(
            f"{missing[0]}: there is no completed annotation ({len(missing)} such task(s)). "
            "Annotate it, or leave such tasks out with data.drop_missing=true."
        )
    questions = sorted({str(r.get("from_name")) for task in tasks for r in task.of("choices")})
    has_spans = not questions or any(task.of("labels") for task in tasks)
    for task in tasks:
        if task.results is None:
            yield RawRow(task.where, dict.fromkeys(["text", "spans", "label", *questions]))
        elif not annotated:
            yield RawRow(task.where, _text_of(task))
        else:
            yield RawRow(task.where, _row(task, questions, has_spans=has_spans))


def _row(task: _Task, questions: Sequence[str], *, has_spans: bool) -> dict[str, Any]:
    row = _text_of(task)
    if has_spans:
        row["spans"] = [_region(result["value"], row["text"]) for result in task.of("labels")]
    for question in questions:
        chosen = [
            choice
            for result in task.of("choices")
            if str(result.get("from_name")) == question
            for choice in result["value"].get("choices", [])
        ]
        answer = chosen[0] if len(chosen) == 1 else chosen or None
        row.setdefault(question, answer)  # a question may be called "text"
        if len(questions) == 1:
            row["label"] = answer
    return row


def _task(item: Mapping[str, Any], where: str, annotated: bool) -> _Task:
    if not isinstance(item["data"], dict):
        raise UserError(f"{where}: its data are {item['data']!r}; they must be an object.")
    completed = [a for a in _annotations(item) or [] if not a.get("was_cancelled")]
    if not annotated:
        return _Task(where, item, [])
    if len(completed) > 1:
        by = ", ".join(str(a.get("completed_by", a.get("id", "?"))) for a in completed)
        raise UserError(
            f"{where}: {len(completed)} completed annotations (by {by}). Export one a task: which "
            "of them is right cannot be told here."
        )
    if not completed:
        return _Task(where, item, None)
    results = completed[0].get("result")
    if not isinstance(results, list):
        raise UserError(f"{where}: its annotation has no list of results, {results!r}.")
    for result in results:
        kind = str(result.get("type"))
        if kind in ("labels", "choices") and not isinstance(result.get("value"), dict):
            raise UserError(f"{where}: a result has the value {result.get('value')!r}.")
        if kind.endswith("labels") and kind != "labels":
            raise UserError(
                f"{where}: it has a result of type {kind}; regions of plain text are of type "
                "labels. Export a project whose text is a Text tag."
            )
    return _Task(where, item, results)


def _text_of(task: _Task) -> dict[str, Any]:
    """Find the text that the results are about: by their to_name, as "text", or the only one."""
    data = task.item["data"]
    targets = {str(r.get("to_name")) for kind in ("labels", "choices") for r in task.of(kind)}
    if len(targets) > 1:
        raise UserError(
            f"{task.where}: its results are about several texts, {', '.join(sorted(targets))}. "
            "Export a project with one."
        )
    texts = [key for key, value in data.items() if isinstance(value, str)]
    named = [key for key in (*targets, "text") if key in texts]
    if not named and len(texts) != 1:
        raise UserError(
            f"{task.where}: none of its data is surely the text ({', '.join(data)}). Call it text."
        )
    row = {"text": data[(named or texts)[0]], "id": data.get("id", task.item.get("id"))}
    return row | {key: data[key] for key in ("text_pair", "document") if key in data}


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
        spans = [region for key in sorted(regions) for region in item.get(key) or []]
        spans = [_region(region, str(item.get("text"))) for region in spans]
        others = {key: value for key, value in item.items() if key not in regions}
        yield RawRow(where, {**others, "spans": spans})


def _region(value: Mapping[str, Any], text: str) -> dict[str, Any]:
    """Take what a span is made of; the editor writes a line break in its text as \\n."""
    region = {key: value[key] for key in ("start", "end", "labels", "text") if key in value}
    if isinstance(region.get("text"), str) and "\\n" not in text:
        region["text"] = region["text"].replace("\\n", "\n")
    return region


def _annotations(item: Mapping[str, Any]) -> list[Any] | None:
    """Return the annotations of a task, called completions before 2021; None: it is no task."""
    found = item.get("annotations", item.get("completions"))
    return found if isinstance(found, list) and all(isinstance(a, dict) for a in found) else None


def _is_regions(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(v, dict) and {"start", "end", "labels"} <= v.keys() for v in value)
    )


def _where(path: Path, number: int, item: Mapping[str, Any]) -> str:
    named = f" (task {item['id']})" if "id" in item else ""
    return f"{path}: item {number}{named}"
