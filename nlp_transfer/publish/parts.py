"""What of a run goes to the Hub."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Parts:
    """What goes beside model, recipe, figures and card, and whether it is checked."""

    merge: bool = False
    """An adapter goes as the whole model that it makes of its base."""
    onnx: bool = False
    report: bool = False
    check: bool = True
    """Measure transformers' own pipeline for the card; download what was uploaded again."""

    @property
    def options(self) -> list[str]:
        """Write the options of the command that say so."""
        flags = {
            "--merge": self.merge,
            "--with-onnx": self.onnx,
            "--with-report": self.report,
            "--no-check": not self.check,
        }
        return [flag for flag, given in flags.items() if given]
