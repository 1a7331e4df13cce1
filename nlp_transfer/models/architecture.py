"""A model of any family in; its encoder, head, output layer, layers and positions out.

The answers hold under an adapter too: names are those that the model has without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import nn
    from transformers import PreTrainedConfig, PreTrainedModel

_PRETRAINED = ("Model", "ForMaskedLM", "ForPreTraining", "ForCausalLM")
"""How the names of architectures end that are not fine-tuned yet."""
SETTINGS = "nlp_transfer"
"""Under which key of a model's configuration our own settings are."""
EMBEDDINGS = -1
"""The depth of the embeddings; layers count from 0."""
SIDE_TASKS = "side_tasks"
"""The child of a model that learns several tasks which holds the models of the others."""
_POSITIONS = ("position_embeddings", "embed_positions")
"""What the families call their table of positions."""


def is_fine_tuned(config: PreTrainedConfig) -> bool:
    """Tell whether a checkpoint's head was trained for a task."""
    return not all(name.endswith(_PRETRAINED) for name in config.architectures or ())


def output_labels(config: PreTrainedConfig) -> list[str]:
    """List the labels of a model's configuration in the order of its outputs."""
    return [config.id2label[index] for index in range(len(config.id2label))]


def is_adapted(model: nn.Module) -> bool:
    """Tell whether an adapter of peft is around a model."""
    return hasattr(model, "peft_config")


def without_adapter(model: PreTrainedModel | PeftModel) -> PreTrainedModel:
    """Return the model itself; an adapter of peft may be around it, and stays inside it."""
    return model.get_base_model() if is_adapted(model) else model


def encoder(model: PreTrainedModel | PeftModel) -> PreTrainedModel:
    """Return what a model computes hidden states with; its head reads them."""
    return without_adapter(model).base_model


def in_encoder(model: PreTrainedModel, name: str) -> bool:
    """Tell a parameter of the encoder from one of the head, by its name."""
    return model.base_model is model or name.startswith(f"{model.base_model_prefix}.")


def within_encoder(model: PreTrainedModel, name: str) -> str:
    """Return the name that a part of a model has in its encoder alone."""
    return name.removeprefix(f"{model.base_model_prefix}.")


def readout_name(model: PreTrainedModel | PeftModel) -> str | None:
    """Name the layer without parameters (see readout.py), as it is called without an adapter."""
    name, modules = stack_of(without_adapter(model))
    has = len(modules) and next(modules[-1].parameters(), None) is None
    return f"{name}.{len(modules) - 1}" if has else None


def states_of_pieces(model: PreTrainedModel | PeftModel) -> int:
    """Count the layers that give a state of each piece: all but a readout."""
    layers: int = without_adapter(model).config.num_hidden_layers
    return layers - (readout_name(model) is not None)


def named_parameters(model: PreTrainedModel | PeftModel) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield the parameters that compute; an adapter trains a copy of the head in its place."""
    for name, parameter in without_adapter(model).named_parameters():
        if ".original_module." not in name:
            yield name.replace(".modules_to_save.default.", "."), parameter


def head_parameters(model: PreTrainedModel, new: Iterable[str] = ()) -> set[str]:
    """Name the parameters of the head: all outside the encoder, and what is new in it (a pooler).

    new: names of the parameters that start at random
    """
    names = {name for name, _ in model.named_parameters()}
    return {name for name in names if not in_encoder(model, name)} | (set(new) & names)


def head_modules(model: PreTrainedModel, new: Iterable[str]) -> list[str]:
    """Name the modules of the head: children outside the encoder, and a pooler that is new."""
    names = (within_encoder(model, name) for name in head_parameters(model, new))
    return sorted({name.partition(".")[0] for name in names})


def kept_modules(model: PreTrainedModel, new: Iterable[str]) -> list[str]:
    """Name the modules that an adapter has to bring: those of the head, and of a readout.

    Each by itself, for peft does not merge modules of several; what it calls the classifier it
    takes whole in any case.
    """
    readout, head = readout_name(model), head_parameters(model, new)
    kept = {"classifier"} & {*head_modules(model, new)}
    for name, part in model.named_modules():
        own = {f"{name}.{parameter}" for parameter, _ in part.named_parameters(recurse=False)}
        is_learned = bool(own & head) and not name.startswith("classifier")
        in_readout = readout is not None and name.startswith(f"{readout}.")
        if is_learned or (in_readout and next(part.buffers(recurse=False), None) is not None):
            kept.add(name)
    return sorted(kept)


def output_layer(model: PreTrainedModel) -> str:
    """Name the layer that gives the logits: the last of the head, whatever stands before what."""
    from torch import nn

    modules: Iterable[tuple[str, nn.Module]] = model.named_modules()
    linear = [name for name, module in modules if isinstance(module, nn.Linear)]
    side = f"{SIDE_TASKS}."
    return [n for n in linear if not in_encoder(model, n) and not n.startswith(side)][-1]


@dataclass(frozen=True)
class Layers:
    """The layers of an encoder that have weights of their own (ALBERT shares one)."""

    name: str
    """Of their list in the model; empty where they are not in one list."""
    modules: Sequence[nn.Module]

    def depth(self, parameter: str) -> int | None:
        """Return the layer of a parameter, EMBEDDINGS, or None for one that is above all layers."""
        if self.modules and parameter.startswith(f"{self.name}."):
            return int(parameter.removeprefix(f"{self.name}.").partition(".")[0])
        return EMBEDDINGS if "embedding" in parameter else None


def layers_of(model: nn.Module) -> Layers:
    """Find the layers of an encoder, a readout not counted: it has nothing to learn."""
    name, modules = stack_of(model)
    return Layers(name, [layer for layer in modules if next(layer.parameters(), None) is not None])


def stack_of(model: nn.Module) -> tuple[str, nn.ModuleList]:
    """Find the longest list of modules that is in no other; nameless and empty: it is not one."""
    from torch import nn

    lists: dict[str, nn.ModuleList] = {}
    for name, module in model.named_modules():  # a list comes before what it holds
        inside = any(name.startswith(f"{outer}.") for outer in lists)
        if isinstance(module, nn.ModuleList) and not inside:
            lists[name] = module
    longest = max(map(len, lists.values()), default=0)
    names = [name for name in lists if len(lists[name]) == longest]
    return (names[0], lists[names[0]]) if len(names) == 1 else ("", nn.ModuleList())


def embedding_rows(model: PreTrainedModel) -> int:
    """Count the pieces that a model has an embedding of."""
    embeddings = model.get_input_embeddings()
    return len(getattr(embeddings, "weight", embeddings))


def position_limit(model: nn.Module) -> int | None:
    """Count the pieces that a model has positions for; None where it computes them for any number.

    Told from the tables themselves: RoBERTa's positions start behind its padding id, those of MRA,
    Nystromformer and YOSO at 2, and I-BERT's table is not PyTorch's own.
    """
    modules = dict(model.named_modules())
    limits = []
    for name, module in modules.items():
        parent, _, last = name.rpartition(".")
        if last not in _POSITIONS or not hasattr(module, "weight"):
            continue
        padding = getattr(module, "padding_idx", None)
        limits.append(len(module.weight) - (0 if padding is None else padding + 1))
        numbers = getattr(modules[parent], "position_ids", None)
        if numbers is not None and padding is None:
            limits.append(len(module.weight) - int(numbers.min()))
    return min(limits, default=None)
