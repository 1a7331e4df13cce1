"""The figures of a run or an evaluation, as a value that shows itself in a shell or a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, repr=False)
class Report:
    """Every figure of a run or an evaluation: what metrics.json holds."""

    metrics: Mapping[str, Any]

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences a reader must see beside the figures, such as an uncased checkpoint."""
        return tuple(self.metrics.get("notes", ()))

    def __repr__(self) -> str:
        """Show the headline of each split, and how many notes there are; `metrics` has the rest."""
        from nlp_transfer.report.tables import headline

        shown = [headline(self.metrics, split) for split in self.metrics.get("splits", ())]
        if self.notes:
            shown.append(f"{len(self.notes)} note{'s' * (len(self.notes) > 1)}")
        return f"<Report of {self.metrics.get('recipe')}: {'; '.join(shown) or 'no splits'}>"

    def _repr_html_(self) -> str:
        """Show headlines, notes and tables below a notebook's cell."""
        from nlp_transfer.report.pages import html_fragment

        return html_fragment(self)
