"""The models that a user names in, what predicts with them out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nlp_transfer.data.segmenters import checked_rule
from nlp_transfer.errors import UserError
from nlp_transfer.inference.adapters import Adapters
from nlp_transfer.inference.ensemble import Ensemble

Models = Ensemble | Adapters


def open_models(
    models: Sequence[str | Path],
    adapters: Sequence[str | Path] = (),
    *,
    precision: str = "auto",
    engine: str = "auto",
    device: str = "auto",
    scheme: str | None = None,
    words: str | None = None,
    min_precision: float | None = None,
    coverage: float | None = None,
) -> Models:
    """Load one or several models that answer as one, or a model with adapters that each answer.

    options: as `Predictor.from_run` has them
    raises:  UserError for options that do not go together, or what is no model
    """
    rule = None if words is None else checked_rule(words, "--words")
    if engine == "onnx" and (adapters or precision != "auto"):
        raise UserError(
            "--engine onnx: an ONNX model has its own precision, and takes no adapter. Leave out "
            "--precision and --adapter."
        )
    if not adapters:
        return Ensemble.from_runs(
            models,
            precision=precision,
            engine=engine,
            device=device,
            scheme=scheme,
            words=rule,
            min_precision=min_precision,
            coverage=coverage,
        )
    if len(models) > 1:
        raise UserError("--adapter: name one MODEL, the base of the adapters.")
    if scheme:
        raise UserError("--scheme: adapters of nlpt have IOB2 tags. Leave out --scheme.")
    base = str(models[0])
    return Adapters.load(
        base,
        adapters,
        precision=precision,
        device=device,
        words=rule,
        min_precision=min_precision,
        coverage=coverage,
    )
