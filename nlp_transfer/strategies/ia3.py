"""IA3: learned vectors rescale keys, values and feed-forward activations (Liu et al. 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from nlp_transfer.errors import UserError
from nlp_transfer.models.architecture import kept_modules
from nlp_transfer.strategies.base import Stage
from nlp_transfer.strategies.parts.adapters import ModuleAdapter, check_modules

if TYPE_CHECKING:
    from peft import PeftConfig

    from nlp_transfer.models.build import LoadedModel


class Ia3(ModuleAdapter):
    """Train rescaling vectors and the head."""

    stage: ClassVar[Stage] = Stage.WEIGHTS
    # As full.
    order: ClassVar[int] = 70

    name: Literal["ia3"] = "ia3"
    target_modules: list[str] | None = Field(
        None,
        description="names of the modules to rescale; null: those peft knows for the family",
        examples=[["key", "value", "output.dense"]],
    )
    feedforward_modules: list[str] | None = Field(
        None,
        description="those of target_modules whose input is rescaled, not their output",
        examples=[["output.dense"]],
    )

    @model_validator(mode="after")
    def _both_or_none(self) -> Ia3:
        if (self.target_modules is None) != (self.feedforward_modules is None):
            raise ValueError("target_modules and feedforward_modules go together; give both")
        if set(self.feedforward_modules or ()) - set(self.target_modules or ()):
            raise ValueError("feedforward_modules must be among target_modules")
        return self

    def config(self, loaded: LoadedModel, task_type: str) -> PeftConfig:
        """Return the configuration of rescaling vectors."""
        from peft import IA3Config
        from peft.utils import TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING as KNOWN

        family = loaded.model.config.model_type
        if self.target_modules is None and family not in KNOWN:
            raise UserError(
                f"strategies ia3: peft does not know where to rescale a {family!r} model. Give the "
                "names of its key and value projections and of the second feed-forward layer as "
                "target_modules, the latter as feedforward_modules too."
            )
        check_modules(loaded.model, self.target_modules or (), "ia3: target_modules")
        return IA3Config(
            task_type=task_type,
            modules_to_save=kept_modules(loaded.model, loaded.new_parameters),
            target_modules=self.target_modules,
            feedforward_modules=self.feedforward_modules,
        )
