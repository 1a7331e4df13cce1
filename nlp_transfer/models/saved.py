"""A trained model in, its folder out; and what that folder says of the model read again.

The folder is as transformers writes it: weights, tokenizer, and config.json with the names of the
outputs. There, under `nlp_transfer`, our settings are. Beside an adapter this file is called
model_config.json, for transformers takes a folder with both for a whole model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from nlp_transfer.errors import UserError
from nlp_transfer.files import write_json
from nlp_transfer.models.architecture import (
    SETTINGS,
    is_adapted,
    position_limit,
    without_adapter,
)
from nlp_transfer.models.damage import explaining_damage
from nlp_transfer.models.finite import check_finite
from nlp_transfer.models.fit import COPY_AGAIN
from nlp_transfer.models.loading import (
    ADAPTED_FILE,
    ADAPTER_FILE,
    CONFIG_FILE,
    config_file,
    load_config,
)
from nlp_transfer.models.output_names import output_names
from nlp_transfer.models.readout import has_readout
from nlp_transfer.recipe import ModelSection

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

    from nlp_transfer.models.build import LoadedModel

_PARTS = ("task", "columns", "words", "calibration")


@dataclass(frozen=True)
class Settings:
    """What a model keeps of the recipe that it was trained by; of one from elsewhere, what is told.

    Sections are kept as JSON: the rooms that they belong to read them.
    """

    options: ModelSection
    """How it reads texts; of a model that does not say it, as a recipe that does not."""
    task: Mapping[str, Any] | None = None
    """None: it was trained elsewhere."""
    columns: Mapping[str, Any] = field(default_factory=dict)
    """Columns that it learned from, by role."""
    words: Mapping[str, Any] | None = None
    """How raw text is split for it."""
    scheme: str | None = None
    """Tag scheme of its labels, where it was trained elsewhere."""
    fast_cpu: bool = True
    """As `training.fast_cpu` said."""
    averages: bool = False
    """Whether its last layer gathers the mean of the pieces (see readout.py)."""
    calibration: Mapping[str, Any] | None = None
    """How its scores are corrected; None: they are not."""

    def as_dict(self) -> dict[str, Any]:
        """Return what config.json holds."""
        said = {
            "task": self.task,
            "max_pieces": self.options.max_pieces,
            "overlap": self.options.overlap,
            "columns": self.columns,
            "words": self.words,
            "scheme": self.scheme,
            "fast_cpu": None if self.fast_cpu else False,
            "pooling": "mean" if self.averages else None,
            "calibration": self.calibration,
        }
        return {name: value for name, value in said.items() if value is not None}

    def keep_in(self, config: PreTrainedConfig) -> None:
        """Let a configuration hold the settings when it is saved."""
        setattr(config, SETTINGS, self.as_dict())

    @classmethod
    def of(cls, config: PreTrainedConfig, folder: Path, setting: str) -> Settings:
        """Read the settings that a configuration holds.

        folder:  of the model
        setting: the argument or recipe key that named it, for error messages
        raises:  UserError for what nlpt does not write
        """
        said = getattr(config, SETTINGS, None) or {}
        if not isinstance(said, dict) or not all(
            isinstance(said.get(part) or {}, dict) for part in _PARTS
        ):
            raise UserError(
                f"{setting}: {SETTINGS} in {config_file(folder)} is not what nlpt writes. "
                f"{COPY_AGAIN}"
            )
        windows = {name: said[name] for name in ("max_pieces", "overlap") if name in said}
        try:
            options = ModelSection.model_validate({"checkpoint": str(folder), **windows})
        except ValidationError as error:
            raise not_ours(error, folder, setting) from None
        return cls(
            options,
            said.get("task"),
            said.get("columns") or {},
            said.get("words"),
            said.get("scheme"),
            fast_cpu=said.get("fast_cpu") is not False,
            averages=has_readout(config),
            calibration=said.get("calibration"),
        )

    def within(self, limit: int | None, folder: Path, setting: str) -> Settings:
        """Return the settings for a model that has so many positions (None: any number).

        raises: UserError where they say that it reads more
        """
        longest = self.options.max_pieces
        if limit is None or longest <= limit:
            return self
        if "max_pieces" in self.options.model_fields_set:
            raise UserError(
                f"{setting}: {SETTINGS}.max_pieces in {config_file(folder)} is {longest}, the "
                f"model reads at most {limit} pieces. Correct it there."
            )
        return replace(self, options=self.options.model_copy(update={"max_pieces": limit}))


def keep_calibration(model: PreTrainedModel, calibration: Mapping[str, Any] | None) -> None:
    """Let a model's configuration hold how its scores are corrected, or that they are not."""
    config = without_adapter(model).config
    said = {**getattr(config, SETTINGS, {}), "calibration": calibration}
    setattr(config, SETTINGS, {name: value for name, value in said.items() if value is not None})


def save_model(loaded: LoadedModel, folder: Path) -> None:
    """Save a model or its adapters as safetensors, with tokenizer and named labels.

    raises: UserError for weights that are no numbers; nothing is written then
    """
    check_finite(loaded.model, "The model", advice="It is not saved.")
    loaded.model.save_pretrained(folder)
    limit = position_limit(without_adapter(loaded.model))
    if limit is not None and loaded.tokenizer.model_max_length > limit:
        loaded.tokenizer.model_max_length = limit  # transformers' pipeline cuts texts off by it
    loaded.tokenizer.save_pretrained(folder)
    if loaded.known is not None:
        loaded.known.save(folder)
    if is_adapted(loaded.model):
        # PEFT keeps no configuration of the base: without it an adapter has no label names.
        base = without_adapter(loaded.model)
        base.config.architectures = [type(base).__name__]
        base.config.save_pretrained(folder)
        (folder / CONFIG_FILE).rename(folder / ADAPTED_FILE)
        (folder / "README.md").unlink(missing_ok=True)  # a card full of placeholders


def adopt_settings(loaded: LoadedModel, adapter: Path) -> None:
    """Let the folder of an adapter say of itself what is said of the model that it became."""
    file = adapter / ADAPTED_FILE
    said = json.loads(file.read_text("utf-8"))
    write_json(file, {**said, SETTINGS: getattr(without_adapter(loaded.model).config, SETTINGS)})
    if loaded.known is not None:
        loaded.known.save(adapter)


def read_said(folder: Path, setting: str) -> dict[str, object]:
    """Read what the configuration in a model's folder says, as it stands there.

    setting: the argument or recipe key that named it, for error messages
    """
    file = config_file(folder)
    if not file.is_file():
        raise UserError(
            f"{folder}: an adapter without {ADAPTED_FILE} does not say its labels. Copy the "
            f"{ADAPTED_FILE} of its run beside {ADAPTER_FILE}."
        )
    with explaining_damage(folder, setting):
        said = json.loads(file.read_text("utf-8"))
    if not isinstance(said, dict):
        raise UserError(f"{setting}: {file} is no model's configuration. {COPY_AGAIN}")
    return said


def read_config(said: Mapping[str, object], folder: Path, setting: str) -> PreTrainedConfig:
    """Read the configuration of a fine-tuned model, with the labels that `said` names.

    said:   as `read_said` returns it
    raises: UserError where its outputs have no names
    """
    names = output_names(said, f"{setting}: {config_file(folder)}")
    config = load_config(folder, setting)
    config.id2label = dict(enumerate(names))
    config.label2id = {name: number for number, name in enumerate(names)}
    return config


def not_ours(error: ValidationError, folder: Path, setting: str) -> UserError:
    """Say which of the settings in a model's folder cannot be what nlpt wrote."""
    fault = error.errors()[0]
    where = ".".join(map(str, fault["loc"]))
    return UserError(
        f"{setting}: {SETTINGS} in {config_file(folder)}: {where} is "
        f"{fault['input']!r:.60}, which nlpt did not write. {COPY_AGAIN}"
    )
