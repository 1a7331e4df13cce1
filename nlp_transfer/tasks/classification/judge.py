"""Texts with gold and predicted labels, as predictions.jsonl has them, in; what is right out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nlp_transfer.errors import UserError
from nlp_transfer.metrics.outcomes import Average, Judgement
from nlp_transfer.shown import Answer
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

    def shown(self, line: Line) -> tuple[str, Answer, Answer]:
        """Show the labels of a text, each with its probability where that is known."""
        pair = line.get("text_pair")
        scores = line.get("scores")
        known = scores if isinstance(scores, dict) else {}
        given = tuple((name, _score(known.get(name))) for name in sorted(_predicted(line, "")))
        gold = tuple((name, None) for name in sorted(_labels(line, "gold", "")))
        text = f"{line['text']}\n{pair}" if pair else str(line["text"])
        return text, Answer("gold", labels=gold), Answer("predicted", labels=given)


def _predicted(line: Line, where: str) -> frozenset[str]:
    return _labels(line, "labels" if "labels" in line else "label", where)


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


def _score(value: object) -> float | None:
    return value if isinstance(value, float) and 0 <= value <= 1 else None
