"""LoRA: small low-rank matrices learn beside the frozen weights (Hu et al. 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from nlp_transfer.strategies.adapters import Adapter

if TYPE_CHECKING:
    from peft import PeftConfig


class Lora(Adapter):
    """Train low-rank adapters and the head."""

    name: Literal["lora"] = "lora"
    rank: int = Field(16, ge=1)
    alpha: int = Field(32, ge=1, description="usually twice the rank")
    dropout: float = Field(0.05, ge=0, lt=1)
    target_modules: str | list[str] = Field(
        "all-linear", description="names of the modules to adapt, or all-linear"
    )
    dora: bool = Field(
        False, description="learn the length of each weight's columns apart (Liu et al. 2024)"
    )
    rslora: bool = Field(
        False, description="scale by alpha over the root of the rank (Kalajdzievski 2023)"
    )

    def config(self, **shared: Any) -> PeftConfig:
        """Return the configuration of low-rank matrices."""
        from peft import LoraConfig

        return LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            target_modules=self.target_modules,
            use_dora=self.dora,
            use_rslora=self.rslora,
            **shared,
        )
