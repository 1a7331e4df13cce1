"""Soft prompts: virtual tokens learn before the text, the whole model stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from nlp_transfer.errors import UserError
from nlp_transfer.models.architecture import kept_modules
from nlp_transfer.models.fit import check_length
from nlp_transfer.recipe import ModelSection
from nlp_transfer.strategies.base import Stage
from nlp_transfer.strategies.context import RunContext, TransferRecipe
from nlp_transfer.strategies.parts.adapters import Adapter

if TYPE_CHECKING:
    from peft import PeftConfig

    from nlp_transfer.models.build import LoadedModel


class Prompt(Adapter):
    """Train virtual tokens and the head.

    source: Lester et al. 2021 (prompt), Li and Liang 2021 (prefix)
    """

    stage: ClassVar[Stage] = Stage.WEIGHTS
    # As full.
    order: ClassVar[int] = 80
    experimental: ClassVar[bool] = True

    name: Literal["prompt"] = "prompt"
    kind: Literal["prompt", "prefix"] = Field(
        "prompt", description="prompt: before the embeddings; prefix: before keys and values"
    )
    tokens: int = Field(
        20, ge=1, le=10_000, description="virtual tokens; they take room of model.max_pieces"
    )
    init: Literal["random", "vocabulary"] = Field(
        "random", description="vocabulary: each virtual token of a prompt starts as some piece"
    )

    @model_validator(mode="after")
    def _init_is_of_prompts(self) -> Prompt:
        if self.kind == "prefix" and self.init != "random":
            raise ValueError("init: vocabulary goes with kind: prompt; a prefix starts at random")
        return self

    def misfits(self, recipe: TransferRecipe) -> Iterator[str]:
        """Refuse layers that compute the pieces of the batch alone, too."""
        yield from super().misfits(recipe)
        if not recipe.training.padding:
            yield (
                "prompt: its virtual tokens stand before the pieces of every window, and "
                "training.padding is false: leave one of them out"
            )

    def _check_fits(self, loaded: LoadedModel, options: ModelSection) -> None:
        """Refuse windows that leave no room for the virtual tokens."""
        reader = f"this checkpoint behind {self.tokens} virtual tokens"
        check_length(loaded.model, options, reader=reader, reserved=self.tokens)

    def config(self, loaded: LoadedModel, task_type: str) -> PeftConfig:
        """Return the configuration of virtual tokens."""
        from peft import PrefixTuningConfig, PromptTuningConfig

        config = loaded.model.config
        sizes = {
            "task_type": task_type,
            "modules_to_save": kept_modules(loaded.model, loaded.new_parameters),
            "num_virtual_tokens": self.tokens,
            "num_layers": config.num_hidden_layers,
            "num_attention_heads": config.num_attention_heads,
            "num_transformer_submodules": 1,
        }
        if self.kind == "prefix":
            return PrefixTuningConfig(token_dim=config.hidden_size, **sizes)
        init = "SAMPLE_VOCAB" if self.init == "vocabulary" else "RANDOM"
        width = loaded.model.get_input_embeddings().embedding_dim
        return PromptTuningConfig(token_dim=width, prompt_tuning_init=init, **sizes)

    def choose_weights(self, loaded: LoadedModel, run: RunContext) -> LoadedModel:
        """Put the virtual tokens before the model; try them once, for not every family can."""
        import torch

        from nlp_transfer.models.trained import aligned

        self._check_fits(loaded, run.recipe.model)
        prompted = super().choose_weights(loaded, run)
        aligned(prompted.model)
        piece = torch.zeros((1, 1), dtype=torch.int64)
        try:
            with torch.no_grad():
                prompted.model(input_ids=piece, attention_mask=torch.ones_like(piece))
        except (ValueError, RuntimeError, TypeError) as error:
            raise UserError(
                f"strategies prompt: kind: {self.kind} does not work with a "
                f"{loaded.model.config.model_type!r} model: {str(error).splitlines()[0]} "
                "Choose kind: prompt."
            ) from None
        return prompted
