"""Figures as values: `as_dict` writes them as metrics.json has them, `read` reads them there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

Interval = tuple[float, float]
"""The ends of a 95 % interval."""

COLUMNS = ("precision", "recall", "F1", "support")
"""What `Score.cells` has beside the name."""


@dataclass(frozen=True)
class Score:
    """One line of a table: fractions, from 0 to 1."""

    precision: float
    recall: float
    f1: float
    support: int | None = None
    """How many gold items it is about; None where all lines are about the same."""
    f1_ci95: Interval | None = None

    @classmethod
    def of_counts(
        cls, correct: float, predicted: int, gold: int, *, counted: bool = False
    ) -> Score:
        """Compute a line from how many are right, 0 where there is nothing to divide by.

        counted: whether the line says how many gold items there are
        """
        return cls(
            correct / predicted if predicted else 0.0,
            correct / gold if gold else 0.0,
            2 * correct / (predicted + gold) if predicted + gold else 0.0,
            gold if counted else None,
        )

    def cells(self, name: str) -> tuple[str, ...]:
        """Write the line under a name for a table with COLUMNS."""
        support = "" if self.support is None else f"{self.support:,}"
        return (name, *map(four_digits, (self.precision, self.recall, self.f1)), support)

    def as_dict(self) -> dict[str, Any]:
        line = {name: value for name, value in asdict(self).items() if value is not None}
        return {**line, "f1_ci95": list(self.f1_ci95)} if self.f1_ci95 else line

    @classmethod
    def read(cls, line: Mapping[str, Any]) -> Score:
        interval = line.get("f1_ci95")
        low, high = interval or (0.0, 0.0)
        figures = {name: value for name, value in line.items() if name != "f1_ci95"}
        for name, value in {**figures, "f1_ci95": low, "its end": high}.items():
            if not isinstance(value, int | float):
                raise TypeError(f"{name} is {value!r:.40}, no number")
        return cls(**figures, f1_ci95=(low, high) if interval else None)


def four_digits(fraction: float) -> str:
    """Write a fraction for people."""
    return f"{fraction:.4f}"


Scores = Mapping[str, Score]
"""By the name of a type, tag or class."""


def percent(fraction: float) -> str:
    """Write a fraction for a sentence.

    >>> percent(0.3427)
    '34.3 %'
    """
    return f"{100 * fraction:.1f} %"


def best_and_worst(scores: Scores, *, least: int = 10) -> str:
    """Name what has the highest and the lowest F1; nothing where there are not two.

    least: of gold items that one must have, for of fewer a figure says little
    """
    ranked = sorted(
        (score.f1, name) for name, score in scores.items() if (score.support or 0) >= least
    )
    if len(ranked) < 2:
        return ""
    (worst, worst_name), (best, best_name) = ranked[0], ranked[-1]
    return f"Best is {best_name} (F1 {best:.4f}), worst {worst_name} ({worst:.4f})."


def scores_dict(scores: Scores) -> dict[str, Any]:
    """Write every line."""
    return {name: score.as_dict() for name, score in scores.items()}


def read_scores(lines: Mapping[str, Mapping[str, Any]]) -> dict[str, Score]:
    """Read what `scores_dict` wrote."""
    return {name: Score.read(line) for name, line in lines.items()}


@dataclass(frozen=True)
class EntityFigures:
    """Scores of entities: whole ones, and with partial credit."""

    overall: Score
    per_type: Scores
    partial_credit: Scores
    """By matching: strict, exact, partial, type."""

    def as_dict(self) -> dict[str, Any]:
        return {
            "entity": {"overall": self.overall.as_dict(), "per_type": scores_dict(self.per_type)},
            "partial_credit": scores_dict(self.partial_credit),
        }

    @classmethod
    def read(cls, figures: Mapping[str, Any]) -> EntityFigures:
        entity = figures["entity"]
        per_type = read_scores(entity["per_type"])
        credit = read_scores(figures["partial_credit"])
        return cls(Score.read(entity["overall"]), per_type, credit)


_FURTHER = {
    "balanced_accuracy": "balanced accuracy",
    "mcc": "MCC",
    "roc_auc": "ROC AUC (one against rest)",
    "average_precision": "average precision (one against rest)",
}
"""What is not defined for all labels, and what people call it."""


@dataclass(frozen=True)
class LabelFigures:
    """Scores of single labels: the tags of words, or the classes of texts."""

    per_label: Scores
    micro: Score
    macro: Score
    weighted: Score
    accuracy: float
    roc_auc: float | None = None
    """Mean one-against-rest area; None where it is not defined, or was not asked for."""
    average_precision: float | None = None
    """Mean one-against-rest area below precision by recall; the same."""
    mcc: float | None = None
    """Matthews correlation coefficient, -1 to 1, where items have one label each; the same."""
    balanced_accuracy: float | None = None
    """Mean recall of the gold labels, where items have one label each; the same."""

    def cells(self) -> list[tuple[str, ...]]:
        """Write all lines for a table with COLUMNS."""
        lines = [score.cells(name) for name, score in self.per_label.items()]
        averages = {"micro": self.micro, "macro": self.macro, "weighted": self.weighted}
        lines += [score.cells(f"{name} average") for name, score in averages.items()]
        lines.append(("accuracy", "", "", four_digits(self.accuracy), ""))
        further = zip(_FURTHER.values(), self._further().values(), strict=True)
        lines += [(text, "", "", four_digits(of), "") for text, of in further if of is not None]
        return lines

    def _further(self) -> dict[str, float | None]:
        return {name: getattr(self, name) for name in _FURTHER}

    def as_dict(self, per_label: str = "per_label") -> dict[str, Any]:
        """Write the figures; per_label: the key of the lines."""
        figures = {
            per_label: scores_dict(self.per_label),
            "micro": self.micro.as_dict(),
            "macro": self.macro.as_dict(),
            "weighted": self.weighted.as_dict(),
            "accuracy": self.accuracy,
        }
        further = self._further().items()
        return {**figures, **{name: figure for name, figure in further if figure is not None}}

    @classmethod
    def read(cls, figures: Mapping[str, Any], per_label: str = "per_label") -> LabelFigures:
        micro, macro, weighted = (Score.read(figures[n]) for n in ("micro", "macro", "weighted"))
        per_label_scores = read_scores(figures[per_label])
        further = {name: figures.get(name) for name in _FURTHER}
        return cls(per_label_scores, micro, macro, weighted, figures["accuracy"], **further)


@dataclass(frozen=True)
class Headline:
    """The one figure of a split that counts.

    >>> str(Headline("macro F1", "f1", {"f1": 0.5, "support": 4}, (0.4, 0.6)))
    'macro F1 0.5000 (95 % interval 0.4000 to 0.6000)'
    """

    name: str
    """What people call it."""
    key: str
    """What metrics.json calls it."""
    line: Mapping[str, float]
    """The figure under its key, and what stands beside it."""
    interval: Interval

    @property
    def value(self) -> float:
        """The figure itself."""
        return self.line[self.key]

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.name} {self.value:.4f} (95 % interval {low:.4f} to {high:.4f})"

    def as_dict(self) -> dict[str, Any]:
        return {**self.line, f"{self.key}_ci95": list(self.interval)}

    @classmethod
    def read(cls, name: str, key: str, line: Mapping[str, Any]) -> Headline:
        low, high = line[f"{key}_ci95"]
        beside = {k: value for k, value in line.items() if k != f"{key}_ci95"}
        return cls(name, key, beside, (low, high))
