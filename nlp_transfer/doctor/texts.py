"""Texts to classify in, findings about how they are written out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nlp_transfer.data.visible import shown
from nlp_transfer.doctor.characters import FAULTS, Fault, faults_of, says_something
from nlp_transfer.doctor.finding import Finding, Tally, counted
from nlp_transfer.doctor.rows import columns
from nlp_transfer.records import Splits

_LONG_TEXT = 500
# A whole CSV field with its quotes still on, quotes inside doubled.
_QUOTED = re.compile(r'\s*"(?:[^"]|"")*"\s*', re.DOTALL)

_FAULTS = {
    "outer_blanks": Fault(
        "info",
        "that begin or end with white space",
        "Strip them: it hides copies of one text from one another.",
    ),
    "line_breaks": Fault(
        "info",
        "with a line break inside",
        "Nothing to do here; tools that read line by line count them wrong.",
    ),
    "empty_texts": Fault(
        "warning",
        "without a letter, digit or picture",
        "Leave them out, or check data.columns.text.",
    ),
    "long_texts": Fault(
        "info",
        f"of more than {_LONG_TEXT} words",
        "Read in windows here unless the recipe says task.long_texts=truncate; other tools cut "
        "them off.",
    ),
    **FAULTS,
}


def texts(splits: Splits) -> Iterator[Finding]:
    """Find texts with stray white space, markup, or nothing to read."""
    for split in splits:
        tallies = {code: Tally() for code in _FAULTS}
        for where, *pair in columns(splits[split], "where", "text", "text_pair"):
            for text in pair:
                for code in () if text is None else _text_faults(text):
                    tallies[code].add(where, shown(text))
        for code, tally in tallies.items():
            if tally.count:
                fault = _FAULTS[code]
                message = f"{counted(tally.count, 'text')} {fault.message}"
                yield tally.finding(code, fault.severity, message, fault.fix, split=split)


def _text_faults(text: str) -> Iterator[str]:
    if text != text.strip():
        yield "outer_blanks"
    if "\n" in text or "\r" in text:
        yield "line_breaks"
    if not says_something(text):
        yield "empty_texts"
    if text.count(" ") >= _LONG_TEXT and len(text.split()) > _LONG_TEXT:
        yield "long_texts"
    yield from faults_of(text)


def quotes(splits: Splits) -> Iterator[Finding]:
    """Find texts whose enclosing quotes were read as part of the text."""
    for split in splits:
        total = len(splits[split])
        quoted, sure = Tally(), False
        for where, text in columns(splits[split], "where", "text"):
            if '"' in text and _QUOTED.fullmatch(text):
                sure = sure or '""' in text.strip()[1:-1]
                quoted.add(where, shown(text))
        # Quotes around a text are at home in a few texts, not in most of them.
        if quoted.count and (sure or quoted.count > total / 2):
            yield quoted.finding(
                "quoted_texts",
                "warning",
                f"{counted(quoted.count, 'text')} in quotes, as a CSV file encloses its fields",
                "Set data.quoted=true if the quotes are not part of the texts.",
                split=split,
            )
