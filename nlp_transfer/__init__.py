"""nlp_transfer: from labelled text to a trustworthy, published model.

>>> from nlp_transfer import finetune, load_recipe, Predictor
>>> report = finetune(load_recipe("quickstart-ner"))
>>> report
<Report of quickstart-ner: validation entity F1 ...; test entity F1 ...>
>>> for result in Predictor.from_run("runs/quickstart-ner")(["Ada Lovelace wrote to Paris."]):
...     print(result["entities"])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from nlp_transfer.errors import UserError as UserError
    from nlp_transfer.flows.bench import bench as bench
    from nlp_transfer.flows.compare import compare as compare
    from nlp_transfer.flows.demo import demo as demo
    from nlp_transfer.flows.demo import write_space as write_space
    from nlp_transfer.flows.dry_run import dry_run as dry_run
    from nlp_transfer.flows.evaluate import evaluate as evaluate
    from nlp_transfer.flows.export import export as export
    from nlp_transfer.flows.finetune import finetune as finetune
    from nlp_transfer.flows.inspect import inspect as inspect
    from nlp_transfer.flows.inspect import inspect_files as inspect_files
    from nlp_transfer.flows.merge import merge as merge
    from nlp_transfer.flows.predict import predict as predict
    from nlp_transfer.flows.prepare import prepare as prepare
    from nlp_transfer.flows.pretrain import pretrain as pretrain
    from nlp_transfer.flows.publish import publish_model as publish_model
    from nlp_transfer.flows.publish import write_publication as write_publication
    from nlp_transfer.flows.rank import rank_checkpoints as rank_checkpoints
    from nlp_transfer.flows.recipes import load_recipe as load_recipe
    from nlp_transfer.flows.recipes import resolve as resolve
    from nlp_transfer.flows.recipes import validate as validate
    from nlp_transfer.flows.report import read_report as read_report
    from nlp_transfer.flows.serve import dockerfile as dockerfile
    from nlp_transfer.flows.serve import serve as serve
    from nlp_transfer.flows.study import study as study
    from nlp_transfer.flows.verify import verify as verify
    from nlp_transfer.inference.ensemble import Ensemble as Ensemble
    from nlp_transfer.inference.predictor import Predictor as Predictor
    from nlp_transfer.report.report import Report as Report

_HOMES = {
    "Ensemble": "inference.ensemble",
    "Predictor": "inference.predictor",
    "Report": "report.report",
    "UserError": "errors",
    "bench": "flows.bench",
    "compare": "flows.compare",
    "demo": "flows.demo",
    "dockerfile": "flows.serve",
    "dry_run": "flows.dry_run",
    "evaluate": "flows.evaluate",
    "export": "flows.export",
    "finetune": "flows.finetune",
    "inspect": "flows.inspect",
    "inspect_files": "flows.inspect",
    "load_recipe": "flows.recipes",
    "merge": "flows.merge",
    "predict": "flows.predict",
    "prepare": "flows.prepare",
    "pretrain": "flows.pretrain",
    "publish_model": "flows.publish",
    "rank_checkpoints": "flows.rank",
    "read_report": "flows.report",
    "resolve": "flows.recipes",
    "serve": "flows.serve",
    "study": "flows.study",
    "validate": "flows.recipes",
    "verify": "flows.verify",
    "write_publication": "flows.publish",
    "write_space": "flows.demo",
}
"""What the package offers: every flow, and the values that they give and take."""

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> object:
    """Import on first use, so that `import nlp_transfer` and `nlpt --help` stay fast."""
    if name not in _HOMES:
        raise AttributeError(f"module 'nlp_transfer' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"nlp_transfer.{_HOMES[name]}"), name)
