"""What checkpoints make of a recipe's data in, which of them to start from out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from nlp_transfer.doctor.finding import counted
from nlp_transfer.inference.transfer import Expectation
from nlp_transfer.metrics.significance import holm
from nlp_transfer.metrics.transferability import p_of_difference
from nlp_transfer.records import Nouns
from nlp_transfer.report.terminal import print_table, stdout_console
from nlp_transfer.shown import Table

_LEVEL = 0.05


@dataclass(frozen=True)
class Ranked:
    """One checkpoint among others."""

    checkpoint: str
    rank: int
    """1 for the best."""
    found: Expectation
    learned: bool
    """Whether it is of a run that has learned this very training split."""

    @property
    def score(self) -> float:
        """By which they are ranked: LogME."""
        return self.found.log_me

    def as_dict(self) -> dict[str, Any]:
        found = self.found
        return {
            "checkpoint": self.checkpoint,
            "score": self.score,
            "rank": self.rank,
            "parameters": found.parameters,
            "seconds": round(found.seconds, 2),
            "pieces_per_word": found.pieces.pieces_per_word,
            "unknown_share": found.pieces.unknown_share,
            "cased": found.cased,
            "log_me": found.log_me,
            "h_score": found.h_score,
            "learned": self.learned,
        }


@dataclass(frozen=True, repr=False)
class Ranking:
    """Which checkpoint to start from."""

    recipe: str
    rows: tuple[Ranked, ...]
    """The best first."""
    not_distinguishable: tuple[str, ...]
    """Checkpoints of which the examples do not tell whether the best is better."""
    examples: int
    """That were read of the training split."""
    of_examples: int
    """That it has."""
    nouns: Nouns

    @property
    def best(self) -> Ranked:
        return self.rows[0]

    def __repr__(self) -> str:
        """Name the best; `rows` has all of them."""
        return f"<Ranking for {self.recipe}: {self.verdict()}>"

    def as_dict(self) -> dict[str, Any]:
        rows = [row.as_dict() for row in self.rows]
        return {"rows": rows, "not_distinguishable": list(self.not_distinguishable)}

    def verdict(self) -> str:
        """Say which is best, or that the examples cannot tell."""
        best, others = self.best.checkpoint, self.not_distinguishable
        if len(self.rows) == 1:
            return f"{best} alone cannot be ranked: name others beside it"
        if not others:
            return f"best: {best}"
        alike = ", ".join(others)
        return f"best: {best}, but these {self._read} cannot tell it from {alike}"

    def cautions(self) -> list[str]:
        """Say whose scores are too high."""
        return [
            f"{row.checkpoint} has learned this very training split: its score is too high."
            for row in self.rows
            if row.learned
        ]

    @property
    def _read(self) -> str:
        return counted(self.examples, self.nouns.example)

    def table(self) -> Table:
        """Set the checkpoints beside each other, the best first."""
        columns = (
            "checkpoint", "rank", "score", "", "parameters", "seconds", "cased", "pieces a word",
            "unknown words",
        )  # fmt: skip
        is_all = self.examples == self.of_examples
        share = self._read if is_all else f"{self._read} of {self.of_examples:,}"
        note = (
            f"score: LogME over the mean of all layers, in nats a label, of {share} of the "
            "training split; higher is better. It is no accuracy."
        )
        rows = tuple(self._cells(row) for row in self.rows)
        return Table(f"{self.recipe}: checkpoints to start from", columns, rows, note)

    def _cells(self, row: Ranked) -> tuple[str, ...]:
        alike = row.checkpoint in self.not_distinguishable
        found = row.found
        return (
            row.checkpoint,
            str(row.rank),
            f"{row.score:.4f}",
            "best" if row is self.best else "cannot tell from the best" if alike else "",
            f"{found.parameters:,}",
            f"{found.seconds:.1f}",
            "yes" if found.cased else "no",
            f"{found.pieces.pieces_per_word:.2f}",
            f"{found.pieces.unknown_share:.2%}",
        )


def ranking(
    recipe: str,
    found: Mapping[str, Expectation],
    *,
    examples: int,
    of_examples: int,
    learned: Collection[str],
    nouns: Nouns,
) -> Ranking:
    """Rank checkpoints by what was found of them, by name.

    learned: names of those that have learned this very training split
    """
    order = sorted(found, key=lambda name: (-found[name].log_me, found[name].parameters))
    rows = tuple(
        Ranked(name, rank, found[name], name in learned) for rank, name in enumerate(order, 1)
    )
    best, others = rows[0].found, rows[1:]
    p = [p_of_difference(best.log_me, row.score, best.without, row.found.without) for row in others]
    alike = tuple(row.checkpoint for row, p in zip(others, holm(p), strict=True) if p >= _LEVEL)
    return Ranking(recipe, rows, alike, examples, of_examples, nouns)


def print_ranking(found: Ranking) -> None:
    """Print the checkpoints, and which to take."""
    console = stdout_console()
    print_table(found.table(), console)
    for caution in found.cautions():
        console.print(caution, style="yellow", highlight=False, markup=False)
    console.print(found.verdict(), style="bold", highlight=False, markup=False)
