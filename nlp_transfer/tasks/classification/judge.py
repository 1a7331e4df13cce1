"""Texts with gold and predicted labels, as predictions.jsonl has them, in; what is right out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nlp_transfer.errors import UserError
from nlp_transfer.metrics.outcomes import Average, Judgement
from nlp_transfer.shown import Example
from nlp_transfer.tasks.classification.error_examples import example_of
from nlp_transfer.tasks.optional import Line


@dataclass(frozen=True)
class ClassificationJudge:
    """Judges texts by their labels."""

    average: ClassVar[Average] = "macro"
    shape: ClassVar[str] = '{"text": "...", "gold": [labels], "label": "..." or "labels": [...]}'

    def reads(self, line: Line) -> bool:
        return "text" in line and ("label" in line or "labels" in line)

    def judge(self, line: Line, where: str) -> Judgement:
        """Count the labels of one text."""
        text, pair = line.get("text"), line.get("text_pair")
        if not isinstance(text, str) or not isinstance(pair, str | None):
            raise UserError(f'{where}: "text", and "text_pair" where there is one, must be texts.')
        gold, given = _labels(line, "gold", where), _predicted(line, where)
        counts = {
            name: (int(name in gold and name in given), int(name in given), int(name in gold))
            for name in {*gold, *given}
        }
        content = "\x1e".join((text, "\x1f".join(sorted(gold)), *([pair] if pair else [])))
        return Judgement(counts, gold == given, content)

    def shown(self, line: Line, number: int) -> Example:
        """Show the labels of a text, each with its probability where that is known."""
        scores, where = line.get("scores"), line.get("where")
        known = scores.items() if isinstance(scores, dict) else ()
        return example_of(
            number,
            {
                "text": line["text"],
                "text_pair": line.get("text_pair"),
                "gold": sorted(_labels(line, "gold", "")),
                "labels": sorted(_predicted(line, "")),
                "scores": {n: s for n, s in known if isinstance(s, float) and 0 <= s <= 1},
                "where": where if isinstance(where, str) else "",
            },
        )


def _predicted(line: Line, where: str) -> frozenset[str]:
    if "labels" in line:
        return _labels(line, "labels", where)
    # null: none of the classes, as task.unknown has it.
    none = "label" in line and line["label"] is None
    return frozenset() if none else _labels(line, "label", where)


def _labels(line: Line, key: str, where: str) -> frozenset[str]:
    """Read a label, or a list of them."""
    value = line.get(key)
    names = [value] if isinstance(value, str) else value
    if isinstance(names, list) and set(map(type, names)) <= {str}:
        return frozenset(names)
    found = "is missing" if key not in line else f"is {str(value)[:60]!r}"
    raise UserError(
        f'{where}: "{key}" {found}; it must be a label or a list of labels. A line looks like '
        f"{ClassificationJudge.shape}."
    )
