"""A run folder, or a predictions.jsonl of any tool, in; what is right of each example out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

from nlp_transfer.data.formats.jsonl import parse
from nlp_transfer.data.visible import shown
from nlp_transfer.errors import UserError, shortened
from nlp_transfer.manifest import check_file
from nlp_transfer.metrics.outcomes import Judgement, Outcomes
from nlp_transfer.runs.run_folder import RunFolder
from nlp_transfer.tasks import TASK_NAMES, names_with, task_named
from nlp_transfer.tasks.base import Task
from nlp_transfer.tasks.optional import Judge, Line

FILE = "predictions.jsonl"
# What comes from strangers is bounded: a sentence of a million words is a tenth of it.
_MOST_BYTES, _MOST_LINES, _MOST_GROUPS = 1 << 26, 10_000_000, 20_000
_DIGEST_BYTES = 12


@dataclass(frozen=True)
class Predictions:
    """What a file of predictions says of a test set."""

    path: Path
    """As it was named: a run folder or a file."""
    task: Task
    judge: Judge
    outcomes: Outcomes
    split: str | None
    """Which one it is, where a run says so."""
    reported: float | None
    """The figure that a run has in its report."""
    digests: bytes
    """Of text and gold of each example, one after the other."""

    def content(self, number: int) -> bytes:
        """Return the digest of an example, from 0; nothing beyond the last one."""
        return self.digests[number * _DIGEST_BYTES : (number + 1) * _DIGEST_BYTES]


def file_of(path: Path) -> Path:
    """Return the file of predictions of a run folder, or the file that is named.

    raises: UserError where there are none
    """
    if path.is_file():
        return path
    if not path.is_dir():
        raise UserError(f"{path}: this is neither a run folder nor a file.")
    if RunFolder(path).state() == "unfinished":
        raise UserError(
            f"{path}: this run is not finished, so it has no predictions yet. Run its command "
            "again, or leave it out."
        )
    if not (path / FILE).is_file():
        raise UserError(
            f"{path}: there is no {FILE} here. Name the folder of a finished run, or a file."
        )
    return path / FILE


def read_predictions(path: Path) -> Predictions:
    """Judge every example of a run or a file.

    raises: UserError for what cannot be read or is damaged, and for a task whose figure is no F1
    """
    file = file_of(path)
    check_file(file)
    first = next(lines(file), None)
    if first is None:
        raise UserError(f"{file}: it holds no predictions.")
    metrics = _metrics(path)
    task = _task_of(file, first, metrics)
    judge = task.judge
    if judge is None:
        raise UserError(
            f"{path}: predictions of task {task.name} cannot be compared: its "
            f"{task.scores.headline} "
            "is not made of counts an example. nlpt compare knows "
            f"{' and '.join(names_with(lambda task: task.judge))}."
        )
    digests = bytearray()
    judged = _judged(file, judge, digests)
    outcomes = Outcomes.of(task.scores.headline, judge.average, judged)
    if len(outcomes.groups) > _MOST_GROUPS:
        raise UserError(
            f"{file}: {len(outcomes.groups):,} different types or labels; {_MOST_GROUPS:,} are "
            "what can be compared. Is another field given as label?"
        )
    split = next(reversed(metrics.get("splits") or ()), None)  # the last one is written
    reported = _reported(task, metrics["splits"][split]) if split else None
    return Predictions(path, task, judge, outcomes, split, reported, bytes(digests))


def lines(file: Path) -> Iterator[Line]:
    """Read the JSON objects of a file, one a line.

    raises: UserError that names the line which cannot be read
    """
    return (_parsed(text, file, number) for number, text in enumerate(_texts(file), start=1))


def lines_at(file: Path, numbers: Sequence[int]) -> Iterator[tuple[int, Line]]:
    """Read some lines of a file, by their numbers from 0, which rise."""
    wanted = set(numbers)
    last = max(wanted, default=-1)
    for number, text in enumerate(islice(_texts(file), last + 1)):
        if number in wanted:
            yield number, _parsed(text, file, number + 1)


def _texts(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        read = partial(stream.readline, _MOST_BYTES + 1)
        for number, text in enumerate(iter(read, b""), start=1):
            if len(text) > _MOST_BYTES or number > _MOST_LINES:
                raise UserError(
                    f"{file}:{number}: too long: {_MOST_LINES:,} lines of {_MOST_BYTES:,} bytes "
                    "are read. Write one example a line."
                )
            yield text


def _parsed(text: bytes, file: Path, number: int) -> Line:
    try:
        line = parse(text.decode("utf-8-sig"), file, number)
    except UnicodeDecodeError as error:
        raise UserError(f"{file}:{number}: this is not UTF-8 ({error.reason}).") from None
    if not isinstance(line, dict):
        raise UserError(
            f"{file}:{number}: this is no JSON object but {shown(str(line))}. {_shapes()}"
        )
    return line


def same_test_set(sides: Sequence[Predictions]) -> None:
    """Refuse predictions for different texts, or with different gold.

    raises: UserError that says how many examples there are and which is the first to differ
    """
    first = sides[0]
    for other in sides[1:]:
        if other.digests == first.digests:
            continue
        numbers = range(max(len(first.outcomes), len(other.outcomes)))
        line = 1 + next(n for n in numbers if first.content(n) != other.content(n))
        raise UserError(
            f"{first.path} and {other.path} are not about the same test set, so nothing can be "
            f"said of which is better. {_difference(first, other, line)}"
        )


def _difference(first: Predictions, other: Predictions, line: int) -> str:
    """Say what differs between two test sets, whose lines do from this one on."""
    if first.task.name != other.task.name:
        return f"The tasks are {first.task.name} and {other.task.name}."
    ours, theirs = len(first.outcomes), len(other.outcomes)
    if ours == theirs and _contents(first) == _contents(other):
        return f"They hold the same {ours:,} examples in another order, from line {line} on."
    texts = _text_at(first, line), _text_at(other, line)
    if texts[0] == texts[1]:
        said = f"the gold of {texts[0]} differs"
    else:
        said = f"{texts[0]} in the first, {texts[1]} in the second"
    return (
        f"They hold {ours:,} and {theirs:,} examples. Line {line} is the first to differ: {said}."
    )


def _contents(side: Predictions) -> list[bytes]:
    return sorted(side.content(number) for number in range(len(side.outcomes)))


def _text_at(side: Predictions, number: int) -> str:
    found = next(lines_at(file_of(side.path), [number - 1]), None)
    return shown(side.judge.shown(found[1], number).text) if found else "no such line"


def _judged(file: Path, judge: Judge, digests: bytearray) -> Iterator[Judgement]:
    """Judge the examples of a file, and gather what tells its test set from others."""
    for number, line in enumerate(lines(file), start=1):
        judgement = judge.judge(line, f"{file}:{number}")
        content = judgement.content.encode("utf-8")
        digests += blake2b(content, digest_size=_DIGEST_BYTES).digest()
        yield judgement


def _metrics(path: Path) -> Mapping[str, Any]:
    """Read what a finished run says of itself; nothing for a file alone."""
    folder = RunFolder(path)
    return folder.read_json("metrics.json") if folder.state() == "finished" else {}


def _reported(task: Task, split: Mapping[str, Any]) -> float | None:
    """Read the headline of a split; nothing where another version wrote it."""
    try:
        return task.scores.read(split).headline.value
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _task_of(file: Path, line: Line, metrics: Mapping[str, Any]) -> Task:
    """Take the task that a run names, else the one whose lines look like this."""
    if metrics.get("task") in TASK_NAMES:
        return task_named(metrics["task"])
    for task in map(task_named, TASK_NAMES):
        if task.judge and task.judge.reads(line):
            return task
    keys = shortened([shown(key) for key in line], 12) or "none"
    raise UserError(f"{file}:1: no task has lines with these keys: {keys}. {_shapes()}")


def _shapes() -> str:
    """Show what lines may look like."""
    judges = [task.judge for task in map(task_named, names_with(lambda task: task.judge))]
    return f"Lines look like {' or '.join(judge.shape for judge in judges if judge)}."
