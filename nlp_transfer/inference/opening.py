"""The models that a user names in, what predicts with them out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nlp_transfer.data.segmenters import checked_rule
from nlp_transfer.errors import UserError
from nlp_transfer.inference.adapters import Adapters
from nlp_transfer.inference.ensemble import Ensemble
from nlp_transfer.inference.identity import model_sha256
from nlp_transfer.recipe import DataSection

Models = Ensemble | Adapters


@dataclass(frozen=True, kw_only=True)
class Opening:
    """One or several models that answer as one, or a model with adapters that each answer.

    All but models, adapters and device is what answers depend on beside the models; as
    `Predictor.from_run` has it.
    """

    models: Sequence[str | Path]
    adapters: Sequence[str | Path]
    device: str
    precision: str
    engine: str
    scheme: str | None
    words: str | None
    min_precision: float | None
    coverage: float | None

    def check_format(self, to: str) -> None:
        """Refuse a format of results that cannot hold the answers."""
        if len(self.adapters) > 1 and to != "jsonl":
            raise UserError(f"--to: answers of several adapters are written as jsonl, not {to}.")
        if self.coverage is not None and to != "jsonl":
            raise UserError(f"--coverage: sets of labels are written as jsonl, not {to}.")

    def load(self) -> Models:
        """Load what predicts.

        raises: UserError for options that do not go together, or what is no model
        """
        rule = None if self.words is None else checked_rule(self.words, "--words")
        if self.engine == "onnx" and (self.adapters or self.precision != "auto"):
            raise UserError(
                "--engine onnx: an ONNX model has its own precision, and takes no adapter. Leave "
                "out --precision and --adapter."
            )
        if not self.adapters:
            return Ensemble.from_runs(
                self.models,
                precision=self.precision,
                engine=self.engine,
                device=self.device,
                scheme=self.scheme,
                words=rule,
                min_precision=self.min_precision,
                coverage=self.coverage,
            )
        if len(self.models) > 1:
            raise UserError("--adapter: name one MODEL, the base of the adapters.")
        if self.scheme:
            raise UserError("--scheme: adapters of nlpt have IOB2 tags. Leave out --scheme.")
        return Adapters.load(
            str(self.models[0]),
            self.adapters,
            precision=self.precision,
            device=self.device,
            words=rule,
            min_precision=self.min_precision,
            coverage=self.coverage,
        )

    def job(self, predictor: Models, data: DataSection) -> dict[str, object]:
        """Say what results depend on beside the items: the models by their content, the options."""
        options: dict[str, Any] = asdict(self)
        where = ("models", "adapters", "device")
        return {
            "models": [model_sha256(Path(folder)) for folder in predictor.folders],
            # Where the input lies says nothing of it: its items do, as they are read.
            "input": data.model_dump(mode="json", exclude={"source"}),
            **{key: value for key, value in options.items() if key not in where},
            "computed in": predictor.precision,
        }
