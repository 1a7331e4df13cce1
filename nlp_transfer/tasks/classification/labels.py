"""A label as a row of any source writes it in, names of classes out."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TypeGuard

from nlp_transfer.data.label_values import LabelReader
from nlp_transfer.data.written_lists import listed
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection

_QUOTED_BRACKET = re.compile(r"""[\[({]\s*[\[({'"]""")
Bit = int | float | str
_BITS: Mapping[Bit, bool] = {0: False, 1: True, "0": False, "1": True}  # True is 1 and 1.0 too


class ClassReader(LabelReader):
    """Reads the classes of the texts of one split."""

    def __init__(self, data: DataSection, names: tuple[str, ...] | None) -> None:
        super().__init__(data, names)
        self.cut: set[str] = set()
        """Labels as they stood between the separators of a table's fields."""
        self._pair_at = ""  # of [0, 1]: two numbers of classes, or no and yes for two classes
        self._other_lists = False

    def one(self, value: object, where: str) -> list[str] | None:
        """Read the label of a text that has exactly one; None: it has none that we know."""
        if self.is_hidden(value):
            return None
        if isinstance(value, str) and not value.strip():
            raise UserError(
                f"{where}: the label is empty. If a text may have several labels, or none: "
                "task.multi_label=true; else leave such rows out with data.drop_missing=true."
            )
        items = self._listed(value, where, sure=True)
        if items is None:
            return [self._class(value, where)]
        if len(items) == 1:
            return [self._class(items[0], where)]  # doccano's way
        named = ", and name the classes with data.label_names=[...]" if _is_bits(items) else ""
        raise UserError(
            f"{where}: the label is a list, {items!r}. If a text may have several labels, set "
            f"task.multi_label=true{named}."
        )

    def several(self, value: object, where: str) -> list[str] | None:
        """Read the labels of a text that may have any number of them; None: they are not known."""
        if self.is_hidden(value):
            return None
        items = self._listed(value, where, sure=False)
        if items is None and isinstance(value, str):
            parts = [part for part in value.split(self._data.label_separator) if part.strip()]
            self.cut.update(part.strip() for part in parts)
            items = [*parts]
        if items is None:
            raise UserError(f"{where}: the labels are {value!r}; they must be a list.")
        chosen = self._multi_hot(items, where) if _is_bits(items) else None
        if chosen is None:
            _check_not_counts(items, where)
        self._other_lists |= bool(items) and not (len(items) == 2 and _is_bits(items))
        return sorted({self._class(i, where) for i in items} if chosen is None else chosen)

    def finish(self) -> None:
        """Refuse, at the end of a split, lists of 0 and 1 that can be read in two ways."""
        if not self._pair_at:
            return
        if self._names is None and not self._other_lists:
            raise _unnamed(self._pair_at, 2)
        if self._names and len(self._names) == 2 and self._other_lists:
            raise UserError(
                f"{self._pair_at}: the labels 0 and 1 are two classes, or a no and a yes for each "
                "of the two; other rows have lists of another length. Write names, not numbers."
            )

    def _class(self, value: object, where: str) -> str:
        """Name a class; whether numbers with fractions are any is judged when all are known."""
        if self._names is None and isinstance(value, float) and math.isfinite(value % 1):
            return repr(value) if value % 1 else str(int(value))
        return self.name(value, where)

    def _listed(self, value: object, where: str, *, sure: bool) -> list[object] | None:
        if isinstance(value, str) and value.strip() in (self._names or ()):
            return None
        found = listed(value, sure=sure)
        if found is None and isinstance(value, str) and _QUOTED_BRACKET.match(value.strip()):
            raise UserError(
                f"{where}: the label begins like a list, but is none that can be read: "
                f"{value[:60]!r}. Correct it, or list it in data.label_names if it is a name."
            )
        return found

    def _multi_hot(self, bits: Sequence[Bit], where: str) -> list[str] | None:
        """Name the classes of a yes or no for each; None where these are numbers of classes."""
        repeats = len({_BITS[bit] for bit in bits}) < len(bits)  # numbers of classes never do
        if not repeats:
            self._pair_at = self._pair_at or where
        if self._names is None:
            if repeats:
                raise _unnamed(where, len(bits))
            return None
        if len(bits) == len(self._names):
            return [name for name, bit in zip(self._names, bits, strict=True) if _BITS[bit]]
        if repeats:
            raise UserError(
                f"{where}: the labels say 0 or 1 for {len(bits)} classes, but there are "
                f"{len(self._names)} names ({', '.join(self._names)}). Check data.label_names."
            )
        return None


def _is_bits(items: Sequence[object]) -> TypeGuard[Sequence[Bit]]:
    are_bits = (isinstance(item, int | float | str) and item in _BITS for item in items)
    return len(items) > 1 and all(are_bits)


def _check_not_counts(items: Sequence[object], where: str) -> None:
    """Refuse [2, 0, 0] and [1, -1, -1]: a list of the numbers of classes has each of them once."""
    numbers = [item for item in items if isinstance(item, int | float)]
    if len(numbers) == len(items) and len(set(numbers)) < len(numbers):
        raise UserError(
            f"{where}: the labels are {items!r}, a number for each class and not the numbers of "
            "classes. Write 0 or 1 for each, and name the classes with data.label_names=[...]."
        )


def _unnamed(where: str, width: int) -> UserError:
    names = ", ".join(f"NAME{number}" for number in range(1, min(width, 3) + 1))
    return UserError(
        f"{where}: the labels are {width} numbers 0 or 1, a yes or no for each class. Name the "
        f"classes in their order: data.label_names=[{names}{', ...' if width > 3 else ''}]. If "
        "they are numbers of classes, name those."
    )
