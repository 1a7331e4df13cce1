"""Feature extraction: the encoder, or its lower part, keeps its pretrained weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from nlp_transfer.models.architecture import head_parameters, layers_of
from nlp_transfer.models.fit import check_layers
from nlp_transfer.models.shared_encoder import output_layers
from nlp_transfer.strategies.base import HEAD, WEIGHTS, Stage, Strategy
from nlp_transfer.strategies.context import OutputLayer, RunContext, TransferRecipe

if TYPE_CHECKING:
    from nlp_transfer.models.build import LoadedModel


class Frozen(Strategy):
    """Freeze the encoder, or with `layers: N` its embeddings and lowest N layers."""

    stage: ClassVar[Stage] = Stage.WEIGHTS
    # As full.
    order: ClassVar[int] = 40

    exclusive: ClassVar[tuple[str, ...]] = (WEIGHTS,)

    name: Literal["frozen"] = "frozen"
    layers: int | None = Field(
        None,
        ge=0,
        le=1000,
        examples=[2],
        description="freeze embeddings and the lowest N layers; null: the whole encoder",
    )
    head: Literal["fitted", "trained"] | None = Field(
        None,
        description="of a wholly frozen encoder: fitted by logistic regression, without gradient "
        "steps, or trained by them; null: fitted. With layers it is always trained",
    )

    @property
    def takes_steps(self) -> bool:
        """Not where the head is fitted, for then nothing else learns."""
        return self.layers is not None or self.head == "trained"

    def misfits(self, recipe: TransferRecipe) -> Iterator[str]:
        """Refuse a fitted head where it cannot be, and strategies that need steps beside it."""
        if self.layers is not None and self.head is not None:
            yield (
                f"frozen: head: {self.head} is for a wholly frozen encoder; with layers: "
                f"{self.layers} the head is trained. Leave one of them out"
            )
        if self.takes_steps:
            return
        if recipe.task.soft_loss is None:
            yield f"frozen: a head for {recipe.task.name} cannot be fitted; write head: trained"
        for other in recipe.strategies:
            if other.acts_on_steps() or HEAD in other.exclusive:
                yield (
                    f"strategy '{other.name}' has no effect beside 'frozen', which fits the head "
                    "without gradient steps; leave it out, or give frozen layers: N or head: "
                    "trained"
                )

    @property
    def in_words(self) -> str:
        if self.layers is None:
            return "encoder frozen"
        names = {0: "embeddings", 1: "lowest layer"}
        return f"{names.get(self.layers, f'lowest {self.layers} layers')} frozen"

    def choose_weights(self, loaded: LoadedModel, run: RunContext) -> LoadedModel:
        """Turn off the gradients of the frozen parameters."""
        model = loaded.model
        if not self.takes_steps:
            fitted = tuple(f"{layer}." for layer in output_layers(model))
            for name, parameter in model.named_parameters():
                parameter.requires_grad = name.startswith(fitted)
            return loaded
        if self.layers is not None:
            check_layers(model, self.layers, "frozen: layers")
        head, layers = head_parameters(model, loaded.new_parameters), layers_of(model)
        for name, parameter in model.named_parameters():
            parameter.requires_grad = name in head or not self._is_frozen(layers.depth(name))
        return loaded

    def fit_head(self, layer: OutputLayer) -> Mapping[str, Any]:
        """Set the output layer by logistic regression, where no steps are taken."""
        if self.takes_steps:
            return {}
        from nlp_transfer.strategies.parts.fitted_head import fit_output_layer

        return fit_output_layer(layer, c=None, name=self.name)

    def _is_frozen(self, depth: int | None) -> bool:
        return self.layers is None or (depth is not None and depth < self.layers)
