"""A task of a full Label Studio export in, its one annotation and its text out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from nlp_transfer.data import offsets
from nlp_transfer.errors import UserError, shortened
from nlp_transfer.recipe import Column

Item = Mapping[str, Any]
Columns = Mapping[Column, str | int]

KEPT = ("text_pair", "document")
"""Keys of a task's data that are read beside its text, and are never the text."""
_UNITS: tuple[offsets.Unit, ...] = ("characters", "utf16")
_TEMPLATE_NAME = "text"
"""The name that templates give to the tag of the text, whatever part of the data it shows."""


class Task(NamedTuple):
    """A task of the full export, with the results of its one annotation; None: there is none."""

    where: str
    item: Item
    results: list[Item] | None

    def of(self, kind: str, question: str | None = None) -> list[Item]:
        """Return the results of a type; a choice about a region of the text is none about it."""
        found = [result for result in self.results or [] if result.get("type") == kind]
        return [
            result
            for result in found
            if (kind == "labels" or "start" not in result["value"])
            and question in (None, str(result.get("from_name")))
        ]


def read_task(item: Item, where: str, annotated: bool) -> Task:
    """Check a task, and choose its annotation: the ground truth, or what all annotators say.

    annotated: False reads its data alone
    """
    if not isinstance(item["data"], dict):
        raise UserError(f"{where}: its data are {item['data']!r}; they must be an object.")
    if not annotated:
        return Task(where, item, [])
    completed = [a for a in annotations_of(item) or [] if not a.get("was_cancelled")]
    truths = [annotation for annotation in completed if annotation.get("ground_truth") is True]
    found = [_results(annotation, where) for annotation in truths or completed]
    if any(_said(results) != _said(found[0]) for results in found):
        by = ", ".join(str(a.get("completed_by", a.get("id", "?"))) for a in completed)
        raise UserError(
            f"{where}: {len(completed)} completed annotations that differ (by {by}). Mark the "
            "right one as ground truth, or export one a task: which of them is right cannot be "
            "told here."
        )
    return Task(where, item, found[0] if found else None)


def _results(annotation: Item, where: str) -> list[Item]:
    """Check the results of one annotation."""
    results = annotation.get("result")
    if not isinstance(results, list):
        raise UserError(f"{where}: its annotation has no list of results, {results!r}.")
    for result in results:
        if not isinstance(result, dict):
            raise UserError(f"{where}: a result is {result!r}; it must be an object.")
        kind = str(result.get("type"))
        if kind in ("labels", "choices") and not isinstance(result.get("value"), dict):
            raise UserError(f"{where}: a result has the value {result.get('value')!r}.")
        if kind.endswith("labels") and kind != "labels":
            raise UserError(
                f"{where}: it has a result of type {kind}; regions of plain text are of type "
                "labels. Export a project whose text is a Text tag."
            )
    return results


def _said(results: list[Item]) -> list[str]:
    """Return what results say, without who drew them and when."""
    keys = ("type", "from_name", "to_name", "value")
    return sorted(repr([result.get(key) for key in keys]) for result in results)


def annotations_of(item: Item) -> list[Any] | None:
    """Return the annotations of a task, called completions before 2021; None: it is no task."""
    found = item.get("annotations", item.get("completions"))
    return found if isinstance(found, list) and all(isinstance(a, dict) for a in found) else None


def key_of_text(tasks: Sequence[Task], columns: Columns) -> str:
    """Find which text of their data the results of all tasks are about.

    The recipe says so, or what the labelled regions cover, or the name of the tag that they are
    about, or there is only one. The tag's name is no key of the data, though most give both the
    same; "text" is the templates' own name, so beside another text it proves nothing.
    """
    if "text" in columns or not tasks:
        return str(columns.get("text", _TEMPLATE_NAME))
    first = tasks[0].item["data"]
    texts: list[str] = [key for key in first if key not in KEPT and _is_text(key, tasks)]
    targets = _targets(tasks, columns)
    if len(texts) == 1:
        return texts[0]
    covering = [key for key in texts if all(_covers(key, task) for task in tasks)]
    if len(covering) == 1 and any(task.of("labels") for task in tasks):
        return covering[0]
    if named := [key for key in texts if key in targets and key != _TEMPLATE_NAME]:
        return named[0]
    rivals = [key for key in texts if any(len(t.item["data"][key].split()) > 1 for t in tasks)]
    if _TEMPLATE_NAME in texts and (not targets or set(rivals) <= {_TEMPLATE_NAME}):
        return _TEMPLATE_NAME
    raise UserError(
        f"{tasks[0].where}: none of its data is surely the text ({shortened(list(first))}) "
        "that the labels are about. Say which: data.columns.text=KEY."
    )


def _targets(tasks: Sequence[Task], columns: Columns) -> set[str]:
    """Name the tags that results are about; of one question only, where the recipe says which."""
    asked = str(columns["label"]) if "label" in columns else None
    results = [r for task in tasks for r in (*task.of("labels"), *task.of("choices", asked))]
    targets = {str(result.get("to_name")) for result in results}
    if len(targets) > 1:
        raise several_texts(tasks[0].where, targets)
    return targets


def several_texts(where: str, targets: set[str]) -> UserError:
    return UserError(
        f"{where}: the results are about several texts, {', '.join(sorted(targets))}. Say which to "
        "read with data.columns.text=KEY, and whose choices with data.columns.label=QUESTION; or "
        "export a project with one."
    )


def _is_text(key: str, tasks: Sequence[Task]) -> bool:
    return all(isinstance(task.item["data"].get(key), str) for task in tasks)


def _covers(key: str, task: Task) -> bool:
    """Tell whether a text is what a task's regions say that they cover, in characters or UTF-16."""
    text = task.item["data"][key]
    regions = [result["value"] for result in task.of("labels")]
    places = [(unit, offsets.borders(text, unit)) for unit in _UNITS]
    return all(
        isinstance(value.get("start"), int)
        and isinstance(value.get("end"), int)
        and any(
            not offsets.fault(text, at, value["start"], value["end"], _said_text(value), unit)
            for unit, at in places
        )
        for value in regions
    )


def _said_text(value: Item) -> str | None:
    said = value.get("text")
    return said.replace("\\n", "\n") if isinstance(said, str) else None
