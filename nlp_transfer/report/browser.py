"""Examples in, the data of a page's example browser out: small, and safe inside of HTML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from markupsafe import Markup

from nlp_transfer.shown import Answer, Example, Examples

MOST_BYTES = 4_500_000
"""Of all examples of a browser: a page is to be opened, sent and searched with ease."""

# What would end a script element or a line, turns what follows it, or is no character in UTF-8.
_UNSAFE = re.compile("[<\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_WHERE = re.compile(r"(.*):(\d+)")

Value: TypeAlias = "str | int | list[Value]"


@dataclass
class _Names:
    """Gives each name a number; rows have the numbers."""

    numbers: dict[str, int] = field(default_factory=dict)

    def __call__(self, name: str) -> int:
        return self.numbers.setdefault(name, len(self.numbers))

    def all(self, names: Iterable[str]) -> list[Value]:
        return list(map(self, names))


def browser_data(examples: Examples) -> tuple[Markup, int]:
    """Write examples as JSON, those with mistakes first where not all of them fit.

    returns: {"names": [name], "rows": [row]}, and how many rows there are. A row is
             [number, text, [[side, marks, labels]], kinds, types, slices, where]: names by their
             numbers; marks flat, four numbers each: label, start, end (code points), score;
             labels flat, label and score; scores in thousandths, -1 where there is none; where is
             empty, or file and line
    """
    names = _Names()
    kept: list[tuple[int, str]] = []
    size = 0
    for place, example in _worst_first(examples):
        row = _json(_row(example, names))
        size += len(row.encode("utf-8")) + 1
        if size > MOST_BYTES:
            break
        kept.append((place, row))
    rows = ",\n".join(row for _, row in sorted(kept))
    return Markup(f'{{"names":{_json(list(names.numbers))},"rows":[\n{rows}\n]}}'), len(kept)


def _worst_first(examples: Examples) -> list[tuple[int, Example]]:
    return sorted(enumerate(examples.examples), key=lambda placed: not placed[1].kinds)


def _row(example: Example, names: _Names) -> list[Value]:
    return [
        example.number,
        example.text,
        [[names(a.side), list(_marks(a, names)), list(_labels(a, names))] for a in example.answers],
        *map(names.all, (example.kinds, example.types, example.slices)),
        _where(example.where, names),
    ]


def _marks(answer: Answer, names: _Names) -> Iterator[Value]:
    for mark in answer.marks:
        yield from (names(mark.label), mark.start, mark.end, _thousandths(mark.score))


def _labels(answer: Answer, names: _Names) -> Iterator[Value]:
    for label, score in answer.labels:
        yield from (names(label), _thousandths(score))


def _thousandths(score: float | None) -> int:
    return -1 if score is None else round(1000 * score)


def _where(where: str, names: _Names) -> list[Value]:
    """Split file and line, for files are few."""
    if found := _WHERE.fullmatch(where):
        return [names(found[1]), int(found[2])]
    return [names(where), 0] if where else []


def _json(value: Value) -> str:
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", written)
