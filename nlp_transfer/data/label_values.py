"""A tag or label as a row of any source writes it in, names of tags or classes out."""

from __future__ import annotations

import re
import unicodedata

from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection

WHOLE = re.compile(r"-?\d{1,18}")
"""A whole number that is not too long to be one."""
_WHOLE_FRACTION = re.compile(r"(-?\d{1,18})\.0+")


class LabelReader:
    """Reads the labels of one split.

    names: what integer labels stand for, by the recipe or by the source
    """

    def __init__(self, data: DataSection, names: tuple[str, ...] | None) -> None:
        self._data = data
        self._names = data.label_names or names

    @property
    def has_names(self) -> bool:
        """Whether integers have names."""
        return self._names is not None

    def name(self, value: object, where: str) -> str:
        """Name one tag or label, a text or a whole number."""
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, str):
            number = self._number(value.strip())
            if number is None:
                return _checked(value.strip(), where)
            value = number
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # a table with gaps keeps its integers as fractions
        if not isinstance(value, int):
            raise UserError(
                f"{where}: the label is {value!r}; a label is a name or a whole number. Leave "
                "rows without one out with data.drop_missing=true."
            )
        if self._names is None:
            return str(value)
        if not 0 <= value < len(self._names):
            raise UserError(
                f"{where}: label number {value} has no name; there are {len(self._names)} "
                f"(0 to {len(self._names) - 1}). Check data.label_names."
            )
        return self._names[value]

    def is_hidden(self, value: object) -> bool:
        """Tell a label that is not there; -1 among named numbers is the Hub's way to hide one."""
        if value is None:
            return True
        if isinstance(value, bool) or self._names is None or str(value) in self._names:
            return False
        return value == -1 or (isinstance(value, str) and value.strip() in ("-1", "-1.0"))

    def _number(self, text: str) -> int | None:
        """Take text for a number where the recipe names numbers: CSV and CoNLL files have text."""
        given = self._data.label_names
        if not given or text in given:
            return None
        whole = _WHOLE_FRACTION.fullmatch(text)
        digits = whole[1] if whole else text
        return int(digits) if WHOLE.fullmatch(digits) else None


def _checked(name: str, where: str) -> str:
    if not name:
        raise UserError(
            f"{where}: the label is empty. Leave such rows out with data.drop_missing=true."
        )
    if any(unicodedata.category(char) == "Cc" for char in name):
        raise UserError(f"{where}: the label {name!r} holds a line break or control character.")
    return name
