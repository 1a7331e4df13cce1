"""What the data doctor found in; tables for the terminal and a Markdown page out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.text import Text

from nlp_transfer.doctor.finding import SEVERITIES, Finding, Severity
from nlp_transfer.doctor.pieces import PieceFigures, Pieces
from nlp_transfer.doctor.summary import Summary
from nlp_transfer.report.escaping import visible
from nlp_transfer.report.pages import MARKDOWN
from nlp_transfer.report.terminal import print_table, stdout_console
from nlp_transfer.shown import Table
from nlp_transfer.tasks.base import Task
from nlp_transfer.tasks.faces import Rows

SCHEMA = 1
_MOST_LABELS = 20
_EDGE = 5  # of more labels, so many of the most and of the least frequent are shown
_STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan"}


@dataclass(frozen=True)
class Inspection:
    """What the data of a recipe hold, and what is doubtful about them."""

    task: Task
    splits: Mapping[str, Summary]
    findings: tuple[Finding, ...]
    """Errors first."""
    pieces: Pieces | None = None
    """None where no tokenizer was asked."""

    def as_dict(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "task": self.task.name,
            "splits": {name: split.as_dict() for name, split in self.splits.items()},
            **({"pieces": asdict(self.pieces)} if self.pieces else {}),
            "findings": [finding.as_dict() for finding in self.findings],
        }

    def kinds(self) -> list[list[Finding]]:
        """Put the findings of one kind in different splits together: people count them as one."""
        kinds: dict[tuple[str, str], list[Finding]] = {}
        for finding in self.findings:
            kinds.setdefault((finding.severity, finding.code), []).append(finding)
        return list(kinds.values())

    def at_least(self, severity: Severity) -> int:
        """Count the kinds of findings of a severity or above."""
        wanted = SEVERITIES[: SEVERITIES.index(severity) + 1]
        return sum(same[0].severity in wanted for same in self.kinds())


def print_inspection(found: Inspection, console: Console | None = None) -> None:
    """Print sizes, labels, and the findings by severity."""
    console = console or stdout_console()
    for table in _tables(found, _MOST_LABELS):
        print_table(table, console)
    rows = _rows(found)
    if rows:
        columns = ("", "split", "finding")
        print_table(Table("Findings", columns, tuple(rows), figures=False), console, cell=_styled)
    console.print(verdict([severity for severity, *_ in rows]), style="bold", highlight=False)
    if rows:
        console.print("Places and what to do: --markdown FILE, or --json.", highlight=False)


def markdown_page(found: Inspection) -> str:
    """Write sizes, labels, and the findings with all their examples, as Markdown."""
    kinds = found.kinds()
    return MARKDOWN.get_template("inspection.md.jinja").render(
        tables=_tables(found), kinds=kinds, verdict=verdict([same[0].severity for same in kinds])
    )


def verdict(severities: Sequence[str]) -> str:
    """Say in one line how many findings are shown of each severity."""
    counts = {severity: severities.count(severity) for severity in ("error", "warning")}
    named = [f"{n} {name}{'s' if n > 1 else ''}" for name, n in counts.items() if n]
    notes = f"{severities.count('info')} for your information"
    return f"{', '.join(named) or 'no errors, no warnings'}, {notes}"


def _tables(found: Inspection, most: int | None = None) -> list[Table]:
    """List sizes and labels; not every task has labels.

    most: of labels that are shown
    """
    return [table for table in (sizes(found), labels(found, most)) if table.rows]


def sizes(found: Inspection) -> Table:
    """Tabulate what each split holds, and what the tokenizer makes of it."""
    pieces = found.pieces.splits if found.pieces else {}
    columns = [
        {**_sizes_of(split, found.task.rows), **_pieces_of(pieces.get(name), found.task.rows)}
        for name, split in found.splits.items()
    ]
    rows = [(name, *(column[name] for column in columns)) for name in columns[0]]
    shown = [row for row in rows if set(row[1:]) != {"0"} or row[0] != "documents"]
    return Table("Data", ("", *found.splits), tuple(shown))


def _sizes_of(split: Summary, rows: Rows) -> dict[str, str]:
    unit, lengths = rows.nouns.example, split.lengths["words"]
    return {
        f"{unit}s": f"{split.examples:,}",
        "words": f"{split.words:,}",
        **({rows.nouns.items: f"{split.entities:,}"} if rows.spans else {}),
        "documents": f"{split.documents:,}",
        f"words a {unit}: median, 95 %, most": (
            f"{lengths.median:,}, {lengths.p95:,}, {lengths.max:,}"
        ),
    }


def _pieces_of(pieces: PieceFigures | None, rows: Rows) -> dict[str, str]:
    if not pieces:
        return {}
    beyond = {f"{rows.nouns.items} beyond the first window": f"{pieces.entities_beyond_share:.2%}"}
    return {
        "pieces a word": f"{pieces.pieces_per_word:.2f}",
        "words unknown to the tokenizer": f"{pieces.unknown_share:.2%}",
        "words beyond the first window": f"{pieces.words_beyond_share:.2%}",
        **(beyond if rows.spans else {}),
        f"pieces of the longest {rows.nouns.example}": f"{pieces.longest:,}",
    }


def labels(found: Inspection, most: int | None = None) -> Table:
    """Tabulate the labels, most frequent first; beyond `most`, those in the middle are left out."""
    counts = [split.labels for split in found.splits.values()]
    names = sorted(
        dict.fromkeys(n for own in counts for n in own), key=lambda n: -counts[0].get(n, 0)
    )
    rows = [(name, *(f"{own.get(name, 0):,}" for own in counts)) for name in names]
    nouns = found.task.rows.nouns
    kind = f"{nouns.item} {nouns.label}" if found.task.rows.spans else nouns.label
    if most and len(rows) > most:
        middle = (f"... {len(rows) - 2 * _EDGE} more", *("" for _ in counts))
        rows = [*rows[:_EDGE], middle, *rows[-_EDGE:]]
    return Table("Labels", (kind, *found.splits), tuple(rows))


def _rows(found: Inspection) -> list[tuple[str, str, str]]:
    """List severity, splits and text of the findings of each kind."""
    rows: list[tuple[str, str, str]] = []
    facts: dict[str | None, list[str]] = {}  # of files: one row for the splits that have the same
    for same in found.kinds():
        first = same[0]
        if first.code.startswith("file_"):
            for finding in same:
                facts.setdefault(finding.split, []).append(finding.message)
        else:
            rows.append((first.severity, first.split or "", "\n".join(_lines(same))))
    for message in dict.fromkeys(map(", ".join, facts.values())):
        splits = [split for split, own in facts.items() if ", ".join(own) == message]
        every = len(splits) == len(found.splits) > 1
        named = "all" if every else ", ".join(map(str, splits))
        rows.append(("info", named, f"file with {message}"))
    return rows


def _lines(same: Sequence[Finding]) -> Iterator[str]:
    """Say one finding, and its count in other splits; of more than notes, a place and a fix."""
    first, *others = same
    also = ", ".join(f"{finding.split}: {finding.count:,}" for finding in others)
    message = visible(first.message)
    yield f"{message} ({also})" if also else message
    if first.severity != "info":
        for example in first.examples[:1]:
            folder, slash, place = example.where.replace("\\", "/").rpartition("/")
            text = example.text.replace(folder + slash, "") if slash else example.text
            yield visible(f"{place}  {text}".strip())
        yield f"-> {first.fix}"


def _styled(text: str, column: int) -> RenderableType:
    """Give a severity its colour, and cut a place off where it does not fit."""
    if column < 2:
        return Text(text, _STYLES.get(text, ""))
    message, *places = text.split("\n")
    return Group(
        Text(message),
        *(
            Text(line)
            if line.startswith("-> ")
            else Text(line, "dim", no_wrap=True, overflow="ellipsis")
            for line in places
        ),
    )
