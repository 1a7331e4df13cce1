"""The best row of a study, and those that it cannot be told from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nlp_transfer.comparisons.comparison import Comparison, compare_runs
from nlp_transfer.errors import UserError
from nlp_transfer.metrics.significance import holm
from nlp_transfer.studies.folder import StudyFolder
from nlp_transfer.studies.results import RowResult


@dataclass(frozen=True)
class Compared:
    """All finished rows, each set beside the best one."""

    by_row: Mapping[str, Comparison]
    """The best is a, the row is b; p is corrected for all of them."""
    problems: Mapping[str, str]
    """Why a row could not be compared, by its name."""

    @property
    def alike(self) -> list[str]:
        """Name the rows of which the examples do not tell whether the best is better."""
        return [name for name, found in self.by_row.items() if found.verdict != "a"]


def compare_with_best(folder: StudyFolder, best: RowResult, rows: Sequence[RowResult]) -> Compared:
    """Compare the best row with every other finished one, by predictions of validation."""
    found: dict[str, Comparison] = {}
    problems: dict[str, str] = {}
    for row in rows:
        if not row.is_finished or row.name == best.name:
            continue
        sides = [[folder.run(run).path for run in side.runs] for side in (best, row)]
        try:
            found[row.name] = compare_runs(*sides)
        except UserError as error:  # rows that read other data, say
            problems[row.name] = str(error)
    corrected = holm([one.headline.p for one in found.values()])
    pairs = zip(found.items(), corrected, strict=True)
    all_rows = len(found) + 1
    return Compared({name: one.corrected(p, sides=all_rows) for (name, one), p in pairs}, problems)
