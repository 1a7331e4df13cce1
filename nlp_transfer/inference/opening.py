"""The models that a user names in, what predicts with them out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nlp_transfer.data.segmenters import checked_rule
from nlp_transfer.errors import UserError
from nlp_transfer.inference import found_engines
from nlp_transfer.inference.adapters import Adapters
from nlp_transfer.inference.compiled_model import is_code_kept
from nlp_transfer.inference.ensemble import Ensemble
from nlp_transfer.inference.found_engines import Found, exported_sha256
from nlp_transfer.inference.identity import model_sha256
from nlp_transfer.inference.onnx_model import find_model
from nlp_transfer.inference.precision import resolve_device
from nlp_transfer.processes import world_size
from nlp_transfer.recipe import DataSection

Models = Ensemble | Adapters

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Opening:
    """One or several models that answer as one, or a model with adapters that each answer.

    All but models, adapters, device and tokens_per_batch is what answers depend on beside the
    models; as `Predictor.from_run` has it.
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
    tokens_per_batch: int | None = None

    def check_format(self, to: str) -> None:
        """Refuse a format of results that cannot hold the answers."""
        if len(self.adapters) > 1 and to != "jsonl":
            raise UserError(f"--to: answers of several adapters are written as jsonl, not {to}.")
        if self.coverage is not None and to != "jsonl":
            raise UserError(f"--coverage: sets of labels are written as jsonl, not {to}.")

    def as_found(self) -> Opening:
        """Return the same with the engine that `nlpt bench` found for this model and this machine.

        It is as it was where the user has chosen, where nothing was found, and where several
        processes or models answer together.
        """
        is_open = (self.engine, self.precision) == ("auto", "auto") and not self.adapters
        if not is_open or len(self.models) > 1 or world_size() > 1:
            return self
        folder, computing = find_model(str(self.models[0]), "auto", "MODEL")
        device = resolve_device(self.device)
        if computing != "torch" or (findings := found_engines.read(folder, device)) is None:
            return self
        chosen = found_engines.choose(findings, lambda one: self._is_here(one, folder))
        if chosen is None:
            return self
        log.info("%s", found_engines.why(chosen, findings))
        return replace(
            self,
            engine=chosen.engine,
            precision=chosen.precision if chosen.engine != "onnx" else "auto",
            tokens_per_batch=chosen.tokens_per_batch,
        )

    def _is_here(self, found: Found, folder: Path) -> bool:
        if found.engine == "onnx":
            return found.sha256 == exported_sha256(self.models[0]) is not None
        return found.engine == "torch" or is_code_kept(folder, found.precision)

    def load(self) -> Models:
        """Load what predicts.

        raises: UserError for options that do not go together, or what is no model
        """
        rule = None if self.words is None else checked_rule(self.words, "--words")
        self._check_engine()
        if not self.adapters:
            return Ensemble.from_runs(
                self.models,
                precision=self.precision,
                engine=self.engine,
                tokens_per_batch=self.tokens_per_batch,
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

    def _check_engine(self) -> None:
        if self.engine == "onnx" and (self.adapters or self.precision != "auto"):
            raise UserError(
                "--engine onnx: an ONNX model has its own precision, and takes no adapter. Leave "
                "out --precision and --adapter."
            )
        if self.engine == "compiled" and self.adapters:
            raise UserError(
                "--engine compiled: adapters that share a base are not compiled. Make a model of "
                "each (nlpt merge RUN -o FOLDER), or leave out --engine."
            )

    def job(self, predictor: Models, data: DataSection) -> dict[str, object]:
        """Say what results depend on beside the items: the models by their content, the options."""
        options: dict[str, Any] = asdict(self)
        where = ("models", "adapters", "device", "tokens_per_batch")
        return {
            "models": [model_sha256(Path(folder)) for folder in predictor.folders],
            # Where the input lies says nothing of it: its items do, as they are read.
            "input": data.model_dump(mode="json", exclude={"source"}),
            **{key: value for key, value in options.items() if key not in where},
            "computed in": predictor.precision,
        }
