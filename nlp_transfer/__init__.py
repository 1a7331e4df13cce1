"""nlp_transfer: from labelled text to a trustworthy, published model.

>>> from nlp_transfer import finetune, load_recipe, Predictor
>>> report = finetune(load_recipe("quickstart-ner"))
>>> report
<Report of quickstart-ner: validation entity F1 ...; test entity F1 ...>
>>> for result in Predictor.from_run("runs/quickstart-ner")(["Ada Lovelace wrote to Paris."]):
...     print(result["entities"])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "Ensemble",
    "Predictor",
    "Report",
    "UserError",
    "__version__",
    "finetune",
    "load_recipe",
    "pretrain",
]

if TYPE_CHECKING:
    from nlp_transfer.errors import UserError
    from nlp_transfer.flows.finetune import finetune
    from nlp_transfer.flows.pretrain import pretrain
    from nlp_transfer.flows.recipes import load_recipe
    from nlp_transfer.inference.ensemble import Ensemble
    from nlp_transfer.inference.predictor import Predictor
    from nlp_transfer.report.report import Report

_HOMES = {
    "Ensemble": "nlp_transfer.inference.ensemble",
    "Predictor": "nlp_transfer.inference.predictor",
    "Report": "nlp_transfer.report.report",
    "UserError": "nlp_transfer.errors",
    "finetune": "nlp_transfer.flows.finetune",
    "load_recipe": "nlp_transfer.flows.recipes",
    "pretrain": "nlp_transfer.flows.pretrain",
}


def __getattr__(name: str) -> Any:
    """Import on first use, so that `import nlp_transfer` and `nlpt --help` stay fast."""
    if name not in _HOMES:
        raise AttributeError(f"module 'nlp_transfer' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
