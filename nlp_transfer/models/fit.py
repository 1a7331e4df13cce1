"""A model as it was read in; UserError out where its files, tokenizer or windows do not fit it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_transfer.errors import UserError, shortened
from nlp_transfer.models.architecture import in_encoder, layers_of, position_limit, within_encoder
from nlp_transfer.models.loading import Weights
from nlp_transfer.recipe import ModelSection

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

COPY_AGAIN = "Copy the model again with all its files, or train it anew."
"""What to do about a trained model whose files are not all there."""
_SHOWN = 3  # names of weights in a message


def check_encoder(
    model: PreTrainedModel, weights: Weights, folder: Path, setting: str, *, advice: str
) -> None:
    """Refuse files that lack weights of an encoder, or hold layers that it has no place for.

    A head may start at random, and so may the pooler below it, which language models lack.

    setting: the argument or recipe key that named the model
    advice:  what to do about it
    """
    missing = [name for name in sorted(weights.random) if _is_encoders(model, name)]
    beyond = sorted(_unused_layers(model, weights.unused))
    if missing:
        total = sum(_is_encoders(model, name) for name, _ in model.named_parameters())
        count = f"{len(missing)} of the {total} weights of its encoder"
        fault = f"{count} are not in its files as config.json asks for them ({_some(missing)})"
    elif beyond:
        fault = f"its files hold layers that config.json does not ask for ({_some(beyond)})"
    else:
        return
    reasons = "".join(f" {reason}" for reason in _evidence(model, missing, weights))
    raise UserError(f"{setting}: {folder} does not fit together: {fault}.{reasons} {advice}")


def check_whole(model: PreTrainedModel, weights: Weights, folder: Path, setting: str) -> None:
    """Refuse files that do not hold all of a trained model: it would answer at random."""
    check_encoder(model, weights, folder, setting, advice=COPY_AGAIN)
    if weights.random:
        names = sorted(weights.random)
        reasons = "".join(f" {reason}" for reason in _evidence(model, names, weights))
        raise UserError(
            f"{setting}: {folder} does not hold its head as config.json asks for it "
            f"({_some(names)}), so its answers would be random.{reasons} {COPY_AGAIN}"
        )


def check_vocabulary(
    rows: int, tokenizer: PreTrainedTokenizerBase, folder: Path, setting: str
) -> None:
    """Refuse a tokenizer with pieces that a model has no embedding of.

    rows: of the model's table of embeddings
    """
    last = max(tokenizer.get_vocab().values(), default=-1)
    if last >= rows:
        piece = tokenizer.convert_ids_to_tokens(last)
        raise UserError(
            f"{setting}: the tokenizer in {folder} has {last + 1} pieces (the last is {piece!r}), "
            f"the model knows {rows}. Put the tokenizer that belongs to the model there, or give "
            "the model rows for the new pieces with transformers' resize_token_embeddings."
        )


def check_length(
    model: PreTrainedModel,
    options: ModelSection,
    *,
    reader: str = "this checkpoint",
    reserved: int = 0,
) -> None:
    """Refuse windows longer than the positions of a model, which a message calls `reader`.

    reserved: positions that are taken already
    """
    limit = position_limit(model)
    if limit is not None and options.max_pieces > limit - reserved:
        raise UserError(
            f"model.max_pieces is {options.max_pieces}, {reader} reads at most {limit - reserved} "
            f"pieces. Set model.max_pieces={limit - reserved}; longer texts are windowed."
        )


def check_layers(model: nn.Module, wanted: int, setting: str) -> None:
    """Refuse more layers than the encoder has.

    setting: the recipe key that asks for them
    """
    found = len(layers_of(model).modules)
    if wanted > found:
        raise UserError(
            f"strategies {setting} is {wanted}, this checkpoint has {found} layers of its own."
        )


def _is_encoders(model: PreTrainedModel, name: str) -> bool:
    """Tell a weight of the encoder from one of a head or pooler."""
    return in_encoder(model, name) and "pooler" not in name


def _unused_layers(model: PreTrainedModel, unused: Iterable[str]) -> Iterator[str]:
    """Yield the weights of layers behind the last one that a model has."""
    from torch import nn

    stacks = {
        within_encoder(model, name): len(module)
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList)
    }
    for name in unused:
        for match in re.finditer(r"\.(\d+)\.", name):
            stack = within_encoder(model, name[: match.start()])
            if int(match[1]) >= stacks.get(stack, int(match[1]) + 1):
                yield name


def _evidence(model: PreTrainedModel, missing: Sequence[str], weights: Weights) -> Iterator[str]:
    """Say what the files hold instead, and what that points to."""
    resized = [name for name in missing if name in weights.resized]
    if resized:
        there, wanted = weights.resized[resized[0]]
        yield f"Sizes differ: {resized[0]} is {_size(there)} there and {_size(wanted)} wanted."
    absent = [name for name in missing if name not in weights.resized]
    names = {*absent, *(within_encoder(model, name) for name in absent)}
    renamed = Counter(_prefixes(names, weights.unused))
    layers = [re.search(r"\.(\d+)\.", name) for name in absent]
    first = min((int(match[1]) for match in layers if match), default=0)
    if renamed:
        found, count = renamed.most_common(1)[0]
        yield f"{count} weights there begin with {found!r}: take this prefix off their names."
    elif absent and all(layers) and first:
        yield f"The files hold {first} of the layers that config.json asks for."
    elif missing and weights.unused:
        unused = sorted(weights.unused)
        yield f"{len(unused)} weights there are not the model's ({_some(unused)})."


def _prefixes(names: set[str], unused: Iterable[str]) -> Iterator[str]:
    """Yield what stands before the name of a missing weight in the name of an unused one."""
    for name in unused:
        parts = name.split(".")
        for cut in range(1, len(parts)):
            if ".".join(parts[cut:]) in names:
                yield ".".join(parts[:cut]) + "."
                break


def _some(names: Sequence[str]) -> str:
    return shortened(names, _SHOWN)


def _size(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape)) or "a single number"
