"""Where the predictions of one split fail: a value that tasks make, and metrics.json keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, field
from operator import add
from typing import Any

from nlp_transfer.metrics.figures import Score, Scores, read_scores, scores_dict
from nlp_transfer.shown import Examples, Grid

MOST_MISTAKES = 50
MOST_REPEATED = 50
MOST_PAIRS = 50
"""What metrics.json keeps of each, the worst first."""
_COLUMN = "column "
"""What the names of attributes begin with that are columns of the data."""
_LONGEST = 160
"""Characters of a text in a table."""


def beginning(text: str) -> str:
    """Cut a text off where it is long."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def slice_name(attribute: str, value: str) -> str:
    """Write a slice for people.

    >>> slice_name("entity_length", "2 words")
    'entity length: 2 words'
    """
    return f"{attribute_name(attribute)}: {value}"


def attribute_name(attribute: str) -> str:
    """Write for people what slices are cut by; the name of a column stays as it is."""
    return attribute if attribute.startswith(_COLUMN) else attribute.replace("_", " ")


@dataclass(frozen=True)
class Mistake:
    """A wrong answer, and how sure the model was of it."""

    example: int
    """Number in the split, from 1: for the last split the line in predictions.jsonl."""
    kind: str
    text: str
    """The words of the wrong answer, or the beginning of the text that it is of."""
    gold: str
    """Type, or labels; empty where there is nothing."""
    predicted: str
    """The same."""
    score: float
    """What the model gives the wrong answer, 0 to 1."""
    where: str = ""
    """file:line, where known."""
    gold_text: str = ""
    """The words that it should have been of, where these are others."""


@dataclass(frozen=True)
class RepeatedMistake:
    """The same mistake with the same words, at several places.

    >>> print(RepeatedMistake("Apple", "ORG", "MISC", 7))
    Apple: ORG predicted as MISC, 7 times
    """

    text: str
    gold: str
    """Type, or labels; empty where there is nothing."""
    predicted: str
    """The same."""
    count: int
    found: str = ""
    """The words that were found instead of `text`, where these are others."""

    def __str__(self) -> str:
        if not self.predicted:
            what = f"{self.gold} missed"
        elif self.found:
            what = f"{self.gold} predicted as {self.predicted} {self.found!r}"
        else:
            what = f"{self.gold or 'nothing'} predicted as {self.predicted}"
        return f"{self.text}: {what}, {self.count:,} times"


@dataclass(frozen=True)
class ConfusedPair:
    """How often one label was taken for another."""

    gold: str
    """Empty: there is none."""
    predicted: str
    """Empty: nothing was found."""
    count: int


@dataclass(frozen=True)
class ErrorCounts:
    """Entities of both sides, each in one of these.

    gold = correct + wrong_type + wrong_borders + wrong_type_and_borders + missed; of all types
    together, predicted is the same with spurious in place of missed.
    """

    gold: int = 0
    predicted: int = 0
    correct: int = 0
    wrong_type: int = 0
    wrong_borders: int = 0
    wrong_type_and_borders: int = 0
    missed: int = 0
    spurious: int = 0
    """Of a single type, the other errors are of its gold entities, these of its predicted ones."""

    def __add__(self, other: ErrorCounts) -> ErrorCounts:
        return ErrorCounts(*map(add, astuple(self), astuple(other)))


@dataclass(frozen=True)
class Analysis:
    """Slices, confusions and mistakes of one split."""

    overall: Score | None = None
    """Micro-averaged over all items, to set slices against."""
    slices: Mapping[str, Scores] = field(default_factory=dict)
    """By attribute ("entity_length") and value ("2 words"), with intervals."""
    errors: Mapping[str, ErrorCounts] = field(default_factory=dict)
    """By type, where entities are looked for."""
    confusion: Grid | None = None
    """Gold by predicted; None where a text may have several labels, or there is nothing."""
    pairs: tuple[ConfusedPair, ...] = ()
    """The most frequent first."""
    mistakes: tuple[Mistake, ...] = ()
    """The most confident first."""
    repeated: tuple[RepeatedMistake, ...] = ()
    """The most frequent first."""
    notes: tuple[str, ...] = ()
    """What could not be looked at, and why."""
    examples: Examples | None = field(default=None, compare=False, repr=False)
    """To look through; metrics.json does not keep them, predictions.jsonl does."""

    def as_dict(self) -> dict[str, Any]:
        """Write what metrics.json keeps; parts that have nothing are left out."""
        parts = {
            "overall": self.overall.as_dict() if self.overall else None,
            "slices": {name: scores_dict(values) for name, values in self.slices.items()},
            "errors": self._errors_dict(),
            "confusion": _grid_dict(self.confusion) if self.confusion else None,
            **{
                name: [asdict(item) for item in getattr(self, name)]
                for name in ("pairs", "mistakes", "repeated")
            },
            "notes": list(self.notes),
        }
        return {name: part for name, part in parts.items() if part}

    def all_errors(self) -> ErrorCounts:
        """Add up the errors of all types."""
        return sum(self.errors.values(), ErrorCounts())

    def _errors_dict(self) -> dict[str, Any]:
        if not self.errors:
            return {}
        per_type = {name: asdict(counts) for name, counts in self.errors.items()}
        return {"overall": asdict(self.all_errors()), "per_type": per_type}

    @classmethod
    def read(cls, analysis: Mapping[str, Any]) -> Analysis:
        """Read what `as_dict` wrote.

        raises: KeyError, TypeError or ValueError where it is something else
        """
        slices, overall = analysis.get("slices", {}), analysis.get("overall")
        errors = analysis.get("errors", {"per_type": {}})["per_type"]
        grid = analysis.get("confusion")
        return cls(
            overall=Score.read(overall) if overall else None,
            slices={name: read_scores(values) for name, values in slices.items()},
            errors={name: ErrorCounts(**counts) for name, counts in errors.items()},
            confusion=_read_grid(grid) if grid else None,
            pairs=tuple(ConfusedPair(**pair) for pair in analysis.get("pairs", ())),
            mistakes=tuple(Mistake(**mistake) for mistake in analysis.get("mistakes", ())),
            repeated=tuple(RepeatedMistake(**again) for again in analysis.get("repeated", ())),
            notes=tuple(analysis.get("notes", ())),
        )


def shareable(analysis: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out of what `as_dict` wrote all that quotes the data: words, places, its columns."""
    kept = {name: part for name, part in analysis.items() if name not in ("mistakes", "repeated")}
    slices = kept.get("slices", {}).items()
    return {**kept, "slices": {name: of for name, of in slices if not name.startswith(_COLUMN)}}


def _grid_dict(grid: Grid) -> dict[str, Any]:
    return {
        "title": grid.title,
        "gold": list(grid.rows),
        "predicted": list(grid.columns),
        "counts": [list(row) for row in grid.counts],
        "note": grid.note,
    }


def _read_grid(grid: Mapping[str, Any]) -> Grid:
    counts = tuple(tuple(map(int, row)) for row in grid["counts"])
    return Grid(
        grid["title"], tuple(grid["gold"]), tuple(grid["predicted"]), counts, note=grid["note"]
    )
