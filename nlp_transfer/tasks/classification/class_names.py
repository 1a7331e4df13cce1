"""The labels found in all splits in; the same labels as classes out, judged alike in any format.

A table of text (CSV) and one of values (JSON, Parquet) hold the same data: labels that are all
numbers are numbers in both.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping

from nlp_transfer.data.label_values import WHOLE
from nlp_transfer.errors import UserError, shortened

log = logging.getLogger(__name__)

Renames = Mapping[str, str | None]
"""A label as it was read, to its class; None: it hides a label."""

_NUMBER = re.compile(r"[+-]?\d{1,18}(\.\d*)?(e[+-]?\d{1,3})?")
_SHOWN = 8


def settle(found: Mapping[str, set[str]], declared: tuple[str, ...] | None) -> dict[str, Renames]:
    """Judge the labels of all splits together.

    found:    the labels of each split
    declared: classes that the recipe names: those are right as they are
    returns:  by split, labels that are to be read in another way
    raises:   UserError for numbers that are no classes
    """
    known = set(declared or ())
    hidden = {split for split, names in found.items() if names == {"-1"} - known}
    names = {name for split in found if split not in hidden for name in found[split]} - known
    numbers = {name: float(name) for name in names if _NUMBER.fullmatch(name)}
    _check_same(numbers)
    _check_scores(numbers, names)
    renames: dict[str, str | None] = {}
    if len(numbers) == len(names) and not known:
        whole = _whole(numbers)
        hidden_one = _minus_one({whole.get(name, name) for name in names})
        renames = {name: hidden_one.get(to, to) for name, to in whole.items()} | hidden_one
    return {split: {"-1": None} if split in hidden else renames for split in found}


def joined(names: Iterable[str]) -> tuple[str, str] | None:
    """Find a label that is several in one, such as "joy, anger" beside "joy"; and its separator."""
    names = set(names)
    for mark in ",;|":
        parts = {n: {part.strip() for part in n.split(mark)} - {""} for n in names if mark in n}
        counts = Counter(part for found in parts.values() for part in found)
        for name, found in sorted(parts.items()):
            if len(found) > 1 and any(part in names or counts[part] > 1 for part in found):
                return name, mark
    return None


def check_joined(names: set[str]) -> None:
    """Refuse labels that are several in one."""
    if found := joined(names):
        name, mark = found
        raise UserError(
            f'The label {name!r} is several, separated by "{mark}". Read them so with '
            f'data.label_separator="{mark}"; if it is one class, list all in task.classes.'
        )


def _check_same(numbers: Mapping[str, float]) -> None:
    """Refuse 1 and 1.0 as two classes; 1.1 and 1.10 are no numbers but, say, sections."""
    by_value: dict[float, str] = {}
    for name, value in sorted(numbers.items()):
        other = by_value.setdefault(value, name)
        if other != name and value.is_integer():
            raise UserError(
                f"The labels {other!r} and {name!r} mean the same number. Write it in one way."
            )


def _check_scores(numbers: Mapping[str, float], names: set[str]) -> None:
    """Refuse measured numbers as classes."""
    fractions = [name for name, value in numbers.items() if not value.is_integer()]
    if not fractions or len(numbers) <= len(names) / 2:
        return
    decimals = {len(name.partition(".")[2]) for name in numbers}
    plain = all(map(_is_plain, numbers)) or (len(decimals) == 1 and 0 not in decimals)
    if len(set(numbers.values())) < len(numbers) or not plain:
        return  # written as no program writes numbers: 1.9, 1.10
    ordered = sorted(numbers, key=numbers.__getitem__)
    first = min(fractions, key=numbers.__getitem__)
    raise UserError(
        f"The labels are numbers with fractions ({shortened(ordered, _SHOWN)}): the label is "
        f"{first}, and a class is a name or a whole number. Scores cannot be classified; round "
        f"them to classes first. If each of these {len(ordered)} is a class of its own, list them "
        f"in task.classes=['{ordered[0]}', ...]."
    )


def _is_plain(number: str) -> bool:
    value = float(number)
    return number in (repr(value), str(int(value)), f"{value:.1f}")


def _whole(numbers: Mapping[str, float]) -> dict[str, str]:
    """Write 1.0 as 1: a table with gaps keeps its integers as fractions."""
    whole = all(value.is_integer() and _is_plain(name) for name, value in numbers.items())
    return {n: str(int(v)) for n, v in numbers.items() if n != str(int(v))} if whole else {}


def _minus_one(names: set[str]) -> dict[str, str | None]:
    """Take -1 for a class where it is the opposite of 1, else for the Hub's hidden label."""
    if "-1" not in names:
        return {}
    if names <= {"-1", "0", "1"} and "1" in names:
        log.warning(
            "The label -1 is read as a class, the opposite of 1. If it means that the label is "
            "not known, name the others: data.label_names=[...]"
        )
        return {}
    return {"-1": None} if all(map(WHOLE.fullmatch, names)) else {}
