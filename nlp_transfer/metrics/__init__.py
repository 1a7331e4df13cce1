"""Gold and predicted labels in, figures as fractions out; no torch, no network.

>>> from nlp_transfer.metrics import EntityScorer
>>> scorer = EntityScorer()
>>> scorer.compute(references=[["B-PER", "O"]], predictions=[["B-PER", "O"]])["overall"]["f1"]
1.0
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nlp_transfer.metrics.modules import EntityScorer as EntityScorer
    from nlp_transfer.metrics.modules import TokenScorer as TokenScorer

__all__ = ["EntityScorer", "TokenScorer"]


def __getattr__(name: str) -> object:
    """Import on first use: `evaluate` itself imports torch."""
    if name not in __all__:
        raise AttributeError(f"module 'nlp_transfer.metrics' has no attribute {name!r}")
    from nlp_transfer.metrics import modules

    return getattr(modules, name)
