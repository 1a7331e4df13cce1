"""The figures of a run or an evaluation, as a value that shows itself in a shell or a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from nlp_transfer.data.raw_words import RawWords
from nlp_transfer.metrics.figures import Headline
from nlp_transfer.metrics.reliability import ConfidenceFigures
from nlp_transfer.records import LossLedger, Repeats
from nlp_transfer.report.tracked import tracked_figures
from nlp_transfer.tasks import task_named
from nlp_transfer.tasks.analysis import Analysis
from nlp_transfer.tasks.base import Task
from nlp_transfer.tasks.faces import Figures

SCHEMA = 1
"""Version of metrics.json; other programs read it."""

Fact = float | str | None


@dataclass(frozen=True)
class Unseen:
    """The examples of a split that are in no other."""

    examples: int
    headline: Headline | None
    """Of these alone; None where there are none."""

    def as_dict(self) -> dict[str, Any]:
        return {"examples": self.examples, **(self.headline.as_dict() if self.headline else {})}

    @classmethod
    def read(cls, task: Task, unseen: Mapping[str, Any]) -> Unseen:
        line = {name: value for name, value in unseen.items() if name != "examples"}
        return cls(unseen["examples"], task.scores.read_headline(line) if line else None)


@dataclass(frozen=True)
class SplitReport:
    """What is said of one split."""

    figures: Figures
    ledger: LossLedger
    repeats: Repeats | None
    """None in a report of an earlier version."""
    unseen: Unseen | None
    """None where no example is in another split too."""
    analysis: Analysis | None = None
    """None where the task has none, and in a report of an earlier version."""
    confidence: ConfidenceFigures | None = None
    """None where no answer has a score, and in a report of an earlier version."""

    def as_dict(self) -> dict[str, Any]:
        parts = {
            "ledger": self.ledger,
            "repeats": self.repeats,
            "unseen": self.unseen,
            "analysis": self.analysis,
            "confidence": self.confidence,
        }
        known = {name: part.as_dict() for name, part in parts.items() if part is not None}
        return {**self.figures.as_dict(), **known}

    @classmethod
    def read(cls, task: Task, split: Mapping[str, Any]) -> SplitReport:
        repeats, unseen, analysis = map(split.get, ("repeats", "unseen", "analysis"))
        confidence = split.get("confidence")
        return cls(
            task.scores.read(split),
            LossLedger(**split["ledger"]),
            Repeats(**repeats) if repeats else None,
            Unseen.read(task, unseen) if unseen else None,
            Analysis.read(analysis) if analysis is not None else None,
            ConfidenceFigures.read(confidence) if confidence is not None else None,
        )


@dataclass(frozen=True, repr=False)
class Report:
    """Every figure of a run or an evaluation."""

    task: Task
    recipe: str
    splits: Mapping[str, SplitReport]
    training: Mapping[str, Fact] | None = None
    words: RawWords | None = None
    """How raw text is split for the model."""
    tasks: Mapping[str, Report] = field(default_factory=dict)
    """Of other tasks that learned along, by their names."""
    notes: tuple[str, ...] = ()
    """Sentences a reader must see beside the figures, such as an uncased checkpoint."""

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """All figures as metrics.json holds them."""
        metrics: dict[str, Any] = {"schema": SCHEMA, "task": self.task.name, "recipe": self.recipe}
        metrics["splits"] = {name: split.as_dict() for name, split in self.splits.items()}
        if self.training is not None:
            metrics["training"] = dict(self.training)
        if self.words is not None:
            metrics["words"] = self.words.as_dict()
        if self.tasks:
            of_a_side = ("task", "splits", "words")
            metrics["tasks"] = {
                name: {key: side.metrics[key] for key in of_a_side if key in side.metrics}
                for name, side in self.tasks.items()
            }
        return {**metrics, "notes": list(self.notes)} if self.notes else metrics

    @property
    def named_figures(self) -> dict[str, float]:
        """Every number of metrics.json under a name of its own, as experiment trackers get it."""
        return tracked_figures(self)

    @classmethod
    def read(cls, metrics: Mapping[str, Any]) -> Report:
        """Read what metrics.json holds.

        raises: KeyError, TypeError or ValueError where it is no report of this version
        """
        task, words = task_named(metrics["task"]), metrics.get("words")
        splits = metrics["splits"].items()
        return cls(
            task=task,
            recipe=metrics.get("recipe", ""),
            splits={name: SplitReport.read(task, split) for name, split in splits},
            training=metrics.get("training"),
            words=RawWords.model_validate(words) if words else None,
            tasks={name: cls.read(side) for name, side in metrics.get("tasks", {}).items()},
            notes=tuple(metrics.get("notes", ())),
        )

    def __repr__(self) -> str:
        """Show the headline of each split, and how many notes there are; `metrics` has the rest."""
        shown = [f"{name} {split.figures.headline}" for name, split in self.splits.items()]
        if self.notes:
            shown.append(f"{len(self.notes)} note{'s' * (len(self.notes) > 1)}")
        return f"<Report of {self.recipe}: {'; '.join(shown) or 'no splits'}>"

    def _repr_html_(self) -> str:
        """Show headlines, notes and tables below a notebook's cell."""
        from nlp_transfer.report.pages import html_fragment

        return html_fragment(self)
