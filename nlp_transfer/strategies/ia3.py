"""IA3: learned vectors rescale keys, values and feed-forward activations (Liu et al. 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from nlp_transfer.strategies.adapters import Adapter

if TYPE_CHECKING:
    from peft import PeftConfig


class Ia3(Adapter):
    """Train rescaling vectors and the head."""

    name: Literal["ia3"] = "ia3"
    target_modules: list[str] | None = Field(
        None, description="names of the modules to rescale; null: those peft knows for the family"
    )
    feedforward_modules: list[str] | None = Field(
        None, description="those of target_modules whose input is rescaled, not their output"
    )

    @model_validator(mode="after")
    def _both_or_none(self) -> Ia3:
        if (self.target_modules is None) != (self.feedforward_modules is None):
            raise ValueError("target_modules and feedforward_modules go together; give both")
        if set(self.feedforward_modules or ()) - set(self.target_modules or ()):
            raise ValueError("feedforward_modules must be among target_modules")
        return self

    def config(self, **shared: Any) -> PeftConfig:
        """Return the configuration of rescaling vectors."""
        from peft import IA3Config

        return IA3Config(
            target_modules=self.target_modules,
            feedforward_modules=self.feedforward_modules,
            **shared,
        )
