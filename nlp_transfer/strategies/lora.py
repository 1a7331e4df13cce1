"""LoRA: small low-rank matrices learn beside the frozen weights (Hu et al. 2021)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from nlp_transfer.errors import UserError
from nlp_transfer.models.architecture import kept_modules
from nlp_transfer.strategies.base import Stage
from nlp_transfer.strategies.context import RunContext
from nlp_transfer.strategies.parts.adapters import ModuleAdapter, check_modules

if TYPE_CHECKING:
    from peft import PeftConfig

    from nlp_transfer.models.build import LoadedModel


def _expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from None
    return text


_Patterns = dict[
    Annotated[str, AfterValidator(_expression)], Annotated[int, Field(ge=1, le=100_000)]
]


class Lora(ModuleAdapter):
    """Train low-rank adapters and the head."""

    stage: ClassVar[Stage] = Stage.WEIGHTS
    # As full.
    order: ClassVar[int] = 60

    name: Literal["lora"] = "lora"
    rank: int = Field(16, ge=1, le=100_000, description="of the two factors of each change")
    alpha: int = Field(32, ge=1, le=10**6, description="usually twice the rank")
    dropout: float = Field(0.05, ge=0, lt=1, description="of what an adapter reads")
    target_modules: str | list[str] = Field(
        "all-linear",
        description="names of the modules to adapt, or all-linear",
        examples=[["query", "value"]],
    )
    rank_pattern: _Patterns = Field(
        default_factory=dict,
        description="another rank for modules whose name ends so (regular expressions)",
        examples=[{r"query": 8}],
    )
    alpha_pattern: _Patterns = Field(
        default_factory=dict, description="likewise, another alpha", examples=[{"query": 16}]
    )
    dora: bool = Field(
        False, description="learn the length of each weight's columns apart (Liu et al. 2024)"
    )
    rslora: bool = Field(
        False, description="scale by alpha over the root of the rank (Kalajdzievski 2023)"
    )

    def config(self, loaded: LoadedModel, task_type: str) -> PeftConfig:
        """Return the configuration of low-rank matrices."""
        from peft import LoraConfig

        if isinstance(self.target_modules, list):
            check_modules(loaded.model, self.target_modules, "lora: target_modules")
        return LoraConfig(
            task_type=task_type,
            modules_to_save=kept_modules(loaded.model, loaded.new_parameters),
            r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            target_modules=self.target_modules,
            rank_pattern=dict(self.rank_pattern),
            alpha_pattern=dict(self.alpha_pattern),
            use_dora=self.dora,
            use_rslora=self.rslora,
        )

    def choose_weights(self, loaded: LoadedModel, run: RunContext) -> LoadedModel:
        """Wrap the model; patterns that match no adapted module are refused."""
        adapted = super().choose_weights(loaded, run)
        modules = adapted.model.base_model.targeted_module_names
        for key in ("rank_pattern", "alpha_pattern"):
            for pattern in getattr(self, key):
                if not any(re.match(rf"(.*\.)?({pattern})$", module) for module in modules):
                    raise UserError(
                        f"strategies lora: {key}: {pattern!r} is the end of no adapted module's "
                        f"name. They are called for instance {', '.join(modules[:3])}."
                    )
        return adapted
