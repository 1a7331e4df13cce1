"""metrics.json in, titled tables out: what every form of the report shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nlp_transfer.doctor.repeats import amount, doubts, leaks
from nlp_transfer.metrics.bootstrap import interval_doubt
from nlp_transfer.records import Table

_COLUMNS = ("precision", "recall", "F1", "support")
_LEDGER_NAMES = {
    "sentences": "sentences or texts",
    "words": "words",
    "entities": "gold entities",
    "windows": "windows read by the model",
    "words_truncated": "words not read in full",
    "words_without_pieces": "words the tokenizer drops (read as unknown)",
    "entities_unseen_type": "gold entities of a type unseen in training",
    "labels_unseen": "gold labels unseen in training",
    "entities_truncated": "gold entities with a word not read in full",
    "entities_dropped": "gold entities that words cannot hold",
    "tags_repaired": "tags repaired on reading",
    "spans_trimmed": "spans trimmed of white space",
    "spans_expanded": "spans widened to whole words",
    "examples_dropped": "rows left out on reading",
    "pairs_incomplete": "rows of pairs without a second text (read alone)",
    "examples_added": "training examples added by strategies",
}
# Lines of the ledger that say nothing about the other task.
_NER_ONLY = {
    "entities", "words_without_pieces", "entities_unseen_type", "entities_truncated",
    "entities_dropped", "tags_repaired", "spans_trimmed", "spans_expanded",
}  # fmt: skip
_CLASSIFICATION_ONLY = {"labels_unseen", "pairs_incomplete"}
_COUNTS = {"sentences", "words", "entities", "windows"}
# What reading may have cost; most data has none of it, so a line appears where there is some.
_RARE = {
    "entities_truncated", "entities_dropped", "spans_trimmed", "spans_expanded",
    "examples_dropped", "pairs_incomplete", "examples_added",
}  # fmt: skip


def split_tables(metrics: Mapping[str, Any], split: str) -> list[Table]:
    """List the tables of one split, the headline first."""
    figures = metrics["splits"][split]
    tables = list(_entity_tables(figures) if "entity" in figures else _class_tables(figures))
    return [*tables, _ledger_table(figures, metrics)]


def training_table(training: Mapping[str, float | str | None]) -> Table:
    """Tabulate how long training took and how much learned."""
    rows = ((n.replace("_", " "), _fact(v)) for n, v in training.items() if v is not None)
    return Table("Training", ("", ""), tuple(rows))


def _fact(value: float | str) -> str:
    """Write a number for people: 1,234 or 0.9123."""
    if isinstance(value, float):
        return f"{value:,.4f}".rstrip("0").rstrip(".")
    return f"{value:,}" if isinstance(value, int) else value


def side_tasks(metrics: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the figures of other tasks that learned along, by name; each like metrics itself."""
    tasks: Mapping[str, Any] = metrics.get("tasks", {})
    return tasks


def headline(metrics: Mapping[str, Any], split: str) -> str:
    """Say the one figure that counts, with its interval."""
    return f"{split} {_with_interval(*headline_row(metrics['splits'][split]))}"


def headline_row(figures: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Return the name and the row of the one figure that counts."""
    if "entity" in figures:
        return "entity F1", figures["entity"]["overall"]
    return "macro F1", figures["class"]["macro"]


def caveats(metrics: Mapping[str, Any], split: str) -> list[str]:
    """Say why the interval may mean little, what repeats, and the headline of what is new."""
    figures = metrics["splits"][split]
    count = figures["ledger"]["sentences"]
    low, high = headline_row(figures)[1]["f1_ci95"]
    doubt = interval_doubt(low, high, count)
    few = [f"{split}: {doubt}."] if doubt else []
    return [*_repeats(figures, split), *few]


def _repeats(figures: Mapping[str, Any], split: str) -> list[str]:
    repeats = figures.get("repeats")
    if not repeats:  # a report of an earlier version
        return []
    ner = "entity" in figures
    of = amount(figures["ledger"]["sentences"], ner=ner)
    said = [f"{split}: {doubt}." for doubt in doubts(repeats, of, ner=ner)]
    leak = leaks(repeats, of)
    return [f"{split}: {leak}. {_without_leaks(figures)}", *said] if leak else said


def _without_leaks(figures: Mapping[str, Any]) -> str:
    unseen = figures["unseen"]
    if not unseen["examples"]:
        return "Nothing is left to measure on."
    figure = _with_interval(headline_row(figures)[0], unseen)
    return f"On the other {unseen['examples']:,}: {figure}."


def _with_interval(name: str, row: Mapping[str, Any]) -> str:
    low, high = row["f1_ci95"]
    return f"{name} {row['f1']:.4f} (95 % interval {low:.4f} to {high:.4f})"


def _entity_tables(figures: Mapping[str, Any]) -> Iterator[Table]:
    entity = figures["entity"]
    rows = [_row(name, row) for name, row in entity["per_type"].items()]
    yield Table(
        "Entities",
        ("type", *_COLUMNS),
        (*rows, _row("overall", entity["overall"])),
        "Strict CoNLL scores: an entity counts only if its type and all its words are right.",
    )
    yield Table(
        "Partial credit",
        ("match", "precision", "recall", "F1"),
        tuple(_row(name, row)[:4] for name, row in figures["partial_credit"].items()),
        "strict: borders and type; exact: borders; partial: an overlap counts half; "
        "type: type of an overlap.",
    )
    token = figures["token"]
    yield Table(
        "Words, tag by tag",
        ("tag", *_COLUMNS),
        (*(_row(name, row) for name, row in token["per_tag"].items()), *_averages(token)),
        "NOT the CoNLL figure: every word counts, O too. Do not compare these with entity F1.",
    )


def _class_tables(figures: Mapping[str, Any]) -> Iterator[Table]:
    table = figures["class"]
    rows = [_row(name, row) for name, row in table["per_label"].items()]
    extra = (
        [("ROC AUC (one against rest)", "", "", _figure(table["roc_auc"]), "")]
        if "roc_auc" in table
        else []
    )
    yield Table(
        "Classes",
        ("label", *_COLUMNS),
        (*rows, *_averages(table), *extra),
        "macro is the mean over the classes; weighted counts each class by its support.",
    )


def _averages(table: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name in ("micro", "macro", "weighted"):
        yield _row(f"{name} average", table[name])
    yield ("accuracy", "", "", _figure(table["accuracy"]), "")


def ledger_lines(ledger: Mapping[str, int], task: str) -> dict[str, int]:
    """Pick the lines of a ledger that mean something for a task, under their full names."""
    hidden = _CLASSIFICATION_ONLY if task == "ner" else _NER_ONLY
    return {
        text: ledger[name]
        for name, text in _LEDGER_NAMES.items()
        if name not in hidden and (name not in _RARE or ledger[name])
    }


def _ledger_table(figures: Mapping[str, Any], metrics: Mapping[str, Any]) -> Table:
    ledger: Mapping[str, int] = figures["ledger"]
    lost = sum(count for name, count in ledger.items() if name not in _COUNTS)
    note = "Nothing was lost." if not lost else "Every one of these is counted in the scores above."
    repeats = figures.get("repeats")
    of = amount(ledger["sentences"], ner=metrics["task"] == "ner")
    if repeats and (leak := leaks(repeats, of)):
        note += f" But {leak}."
    lines = ledger_lines(ledger, metrics["task"])
    shown = [(text, f"{count:,}") for text, count in lines.items()]
    if words := metrics.get("words"):
        what = (
            f"training sentences of {words['sentences']:,} whose raw text splits into their words"
        )
        shown.append((what, f"{words['same']:,}"))
    return Table("Loss ledger", ("what", "count"), tuple(shown), note)


def _row(name: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    support = f"{row['support']:,}" if "support" in row else ""
    return (name, _figure(row["precision"]), _figure(row["recall"]), _figure(row["f1"]), support)


def _figure(value: float) -> str:
    return f"{value:.4f}"
