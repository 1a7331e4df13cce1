"""What the data doctor found in; tables for the terminal and a Markdown page out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.text import Text

from nlp_transfer.inspection import by_kind
from nlp_transfer.records import Table
from nlp_transfer.report.escaping import visible
from nlp_transfer.report.pages import MARKDOWN
from nlp_transfer.report.terminal import print_table, stdout_console

_MOST_LABELS = 20
_EDGE = 5  # of more labels, so many of the most and of the least frequent are shown
_STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan"}


def print_inspection(result: Mapping[str, Any], console: Console | None = None) -> None:
    """Print sizes, labels, and the findings by severity."""
    console = console or stdout_console()
    for table in (sizes(result), labels(result, _MOST_LABELS)):
        print_table(table, console)
    rows = _rows(result["findings"], list(result["splits"]))
    if rows:
        columns = ("", "split", "finding")
        print_table(Table("Findings", columns, tuple(rows), figures=False), console, cell=_styled)
    console.print(verdict([severity for severity, *_ in rows]), style="bold", highlight=False)
    if rows:
        console.print("Places and what to do: --markdown FILE, or --json.", highlight=False)


def markdown_page(result: Mapping[str, Any]) -> str:
    """Write sizes, labels, and the findings with all their examples, as Markdown."""
    kinds = by_kind(result["findings"])
    return MARKDOWN.get_template("inspection.md.jinja").render(
        tables=[sizes(result), labels(result)],
        kinds=kinds,
        verdict=verdict([same[0]["severity"] for same in kinds]),
    )


def verdict(severities: Sequence[str]) -> str:
    """Say in one line how many findings are shown of each severity."""
    counts = {severity: severities.count(severity) for severity in ("error", "warning")}
    named = [f"{n} {name}{'s' if n > 1 else ''}" for name, n in counts.items() if n]
    notes = f"{severities.count('info')} for your information"
    return f"{', '.join(named) or 'no errors, no warnings'}, {notes}"


def sizes(result: Mapping[str, Any]) -> Table:
    """Tabulate what each split holds, and what the tokenizer makes of it."""
    splits, ner = result["splits"], result["task"] == "ner"
    pieces = result.get("pieces", {}).get("splits", {})
    columns = [_sizes_of(splits[split], pieces.get(split), ner=ner) for split in splits]
    rows = [(name, *(column[name] for column in columns)) for name in columns[0]]
    shown = [row for row in rows if set(row[1:]) != {"0"} or row[0] != "documents"]
    return Table("Data", ("", *splits), tuple(shown))


def _sizes_of(
    split: Mapping[str, Any], pieces: Mapping[str, Any] | None, *, ner: bool
) -> dict[str, str]:
    unit = "sentence" if ner else "text"
    lengths = split["lengths"]["words"]
    shown = {f"{unit}s": f"{split['examples']:,}", "words": f"{split['words']:,}"}
    if ner:
        shown["entities"] = f"{split['entities']:,}"
    shown["documents"] = f"{split['documents']:,}"
    shown[f"words a {unit}: median, 95 %, most"] = (
        f"{lengths['median']:,}, {lengths['p95']:,}, {lengths['max']:,}"
    )
    if pieces:
        shown["pieces a word"] = f"{pieces['pieces_per_word']:.2f}"
        shown["words unknown to the tokenizer"] = f"{pieces['unknown_share']:.2%}"
        shown["words beyond the first window"] = f"{pieces['words_beyond_share']:.2%}"
        if ner:
            shown["entities beyond the first window"] = f"{pieces['entities_beyond_share']:.2%}"
        shown[f"pieces of the longest {unit}"] = f"{pieces['longest']:,}"
    return shown


def labels(result: Mapping[str, Any], most: int | None = None) -> Table:
    """Tabulate the labels, most frequent first; beyond `most`, those in the middle are left out."""
    splits = result["splits"]
    names = list(dict.fromkeys(name for split in splits.values() for name in split["labels"]))
    first = next(iter(splits.values()))["labels"]
    names.sort(key=lambda name: -first.get(name, 0))
    rows = [(name, *(f"{s['labels'].get(name, 0):,}" for s in splits.values())) for name in names]
    kind = "entity type" if result["task"] == "ner" else "class"
    if most and len(rows) > most:
        middle = (f"... {len(rows) - 2 * _EDGE} more", *("" for _ in splits))
        rows = [*rows[:_EDGE], middle, *rows[-_EDGE:]]
    return Table("Labels", (kind, *splits), tuple(rows))


def _rows(
    findings: Sequence[Mapping[str, Any]], known: Sequence[str]
) -> list[tuple[str, str, str]]:
    """List severity, splits and text of the findings of each kind."""
    rows = []
    facts: dict[str, list[str]] = {}  # of files: one row for the splits that have the same
    for same in by_kind(findings):
        first = same[0]
        if first["code"].startswith("file_"):
            for finding in same:
                facts.setdefault(finding["split"], []).append(finding["message"])
        else:
            rows.append((first["severity"], first["split"] or "", "\n".join(_lines(same))))
    for message in dict.fromkeys(map(", ".join, facts.values())):
        splits = [split for split, own in facts.items() if ", ".join(own) == message]
        named = "all" if len(splits) == len(known) > 1 else ", ".join(splits)
        rows.append(("info", named, f"file with {message}"))
    return rows


def _lines(same: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Say one finding, and its count in other splits; of more than notes, a place and a fix."""
    first, *others = same
    also = ", ".join(f"{finding['split']}: {finding['count']:,}" for finding in others)
    message = visible(first["message"])
    yield f"{message} ({also})" if also else message
    if first["severity"] != "info":
        for example in first["examples"][:1]:
            folder, slash, place = example["where"].replace("\\", "/").rpartition("/")
            text = example["text"].replace(folder + slash, "") if slash else example["text"]
            yield visible(f"{place}  {text}".strip())
        yield f"-> {first['fix']}"


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
