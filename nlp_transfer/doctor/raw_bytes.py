"""The text files behind the splits in, findings about their bytes out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_transfer.data.formats import promised_format
from nlp_transfer.data.formats.delimited import CSV
from nlp_transfer.data.formats.jsonl import JSONL
from nlp_transfer.data.text_file import DataFile
from nlp_transfer.doctor.finding import Finding, Tally, counted
from nlp_transfer.doctor.rows import columns
from nlp_transfer.records import Splits

if TYPE_CHECKING:
    from datasets import Dataset

_PLACE = re.compile(r"(.+?):(?:\d+| .*)")  # "path:12", "path: item 3", "path: dev: item 3"
_TABLES = (JSONL, CSV)
_LONGEST_LINE = 1 << 20
_HEAD = 4096


@dataclass
class _Facts:
    """What the lines of one split's files are like."""

    lines: int = 0
    crlf: int = 0
    lf: int = 0
    cr: int = 0
    marks: Tally = field(default_factory=Tally)
    white: Tally = field(default_factory=Tally)
    tabs: int = 0
    """Lines of white space that hold one tab and nothing else."""
    trailing: Tally = field(default_factory=Tally)
    comments: Tally = field(default_factory=Tally)


def files(splits: Splits) -> Iterator[Finding]:
    """Find byte order marks, odd line ends, lines of white space, comments.

    Files are read as bytes and in one pass, once more: the rows that were made of them do not say
    how lines end. Binary and vanished files are passed over.
    """
    for split in splits:
        facts, found = _Facts(), False
        for path in _paths(splits[split]):
            found = _scan(path, facts) or found
        if found:
            yield from _line_ends(facts, split)
            yield from _odd_lines(facts, split)


def _paths(rows: Dataset) -> list[Path]:
    """List the files that rows come from, in the order of the rows."""
    names: dict[str, None] = {}
    for (where,) in columns(rows, "where"):
        match = _PLACE.fullmatch(where or "")
        if match:
            names[match[1]] = None
    return [path for path in map(Path, names) if path.is_file()]


def _scan(path: Path, facts: _Facts) -> bool:
    """Add the facts of one file; return whether it is text."""
    with DataFile(path) as data:
        file = data.begin()
        head = file.read(_HEAD)
        if b"\0" in head or head.startswith((b"PAR1", b"ARROW1")):
            return False
        file.seek(0)
        if head.startswith(b"\xef\xbb\xbf"):
            facts.marks.add(f"{path}:1", "EF BB BF")
        table = promised_format(path) in _TABLES
        number = blank = 0
        ended = True  # whether the last chunk ended its line
        while line := file.readline(_LONGEST_LINE):
            number += ended
            ended = line.endswith(b"\n")
            _count_ends(line, facts)
            stripped = line.strip()
            blank = 0 if stripped else blank + 1
            if not stripped and (content := line.rstrip(b"\r\n")):
                facts.tabs += content == b"\t"
                facts.white.add(f"{path}:{number}", repr(content.decode("latin-1")))
            elif not table and line.startswith((b"# ", b"#\n", b"#\r")):
                facts.comments.add(f"{path}:{number}", stripped.decode("utf-8", "replace")[:100])
        facts.lines += number
        for last in range(blank):
            facts.trailing.add(f"{path}:{number - blank + 1 + last}", "")
    return True


def _count_ends(line: bytes, facts: _Facts) -> None:
    crlf = line.endswith(b"\r\n")
    facts.crlf += crlf
    facts.lf += line.endswith(b"\n") and not crlf
    facts.cr += line.count(b"\r") - crlf


def _line_ends(facts: _Facts, split: str) -> Iterator[Finding]:
    kinds = {"CRLF": facts.crlf, "LF": facts.lf, "CR": facts.cr}
    used = {name: count for name, count in kinds.items() if count}
    if len(used) > 1:
        each = ", ".join(f"{count:,} {name}" for name, count in used.items())
        yield Finding(
            "file_mixed_line_ends",
            "info",
            f"mixed line ends ({each})",
            "Save the file with one kind of line end; here all are understood.",
            count=sum(used.values()) - max(used.values()),
            split=split,
        )
    elif "LF" not in used and used:
        name, count = next(iter(used.items()))
        yield Finding(
            f"file_{name.lower()}",
            "info",
            f"{name} line ends",
            "Nothing to do here; careless readers keep the \\r in the last column.",
            count=count,
            split=split,
        )


def _odd_lines(facts: _Facts, split: str) -> Iterator[Finding]:
    for code, tally, message, fix in (
        (
            "file_byte_order_mark",
            facts.marks,
            "a byte order mark at the start",
            "Nothing to do here: it is not read as text.",
        ),
        (
            "file_white_lines",
            facts.white,
            f"{counted(facts.white.count, 'line')} of white space only ({facts.tabs:,} of one tab)",
            "They end a sentence here; readers that look for empty lines join the sentences.",
        ),
        (
            "file_trailing_blank_lines",
            facts.trailing,
            f"{counted(facts.trailing.count, 'blank line')} at the end",
            "Nothing to do here: no empty sentence is made of it.",
        ),
        (
            "file_comments",
            facts.comments,
            counted(facts.comments.count, "comment line"),
            "Nothing to do: lines that start with # and a blank are no words.",
        ),
    ):
        if tally.count:
            yield tally.finding(code, "info", message, fix, split=split)
