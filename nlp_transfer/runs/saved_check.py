"""The folder of a model that was saved, and the model itself, in; a refusal where they differ.

It comes before the checkpoints go: a model that was saved in part, of shards say, is the loss of a
whole training. Shapes are told from the files; then the model is read again as `nlpt predict` reads
it, which refuses what lacks a weight, and answers a few examples as it did before.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open

from nlp_transfer.errors import UserError, shortened
from nlp_transfer.inference.engine import predict_distributions, windows_by_example
from nlp_transfer.models.architecture import without_adapter
from nlp_transfer.models.build import LoadedModel
from nlp_transfer.models.saved import read_config, read_said
from nlp_transfer.models.trained import read_model
from nlp_transfer.training.examples import TaskWindows

_EXAMPLES = 2
_WITHIN = 1e-3
"""How far log-probabilities may differ in fp32: adapters are merged when they are read again."""
_KEPT = "The checkpoints are kept: nothing of the training is lost. Please report this."


def verify_saved(folder: Path, loaded: LoadedModel, task: TaskWindows) -> None:
    """Check that the files of a model are all of it, and that it answers as before it was saved.

    raises: UserError for what is missing, empty or other than it was
    """
    verify_files(folder, loaded)
    if getattr(without_adapter(loaded.model).config, "auto_map", None):
        return  # its code came with the checkpoint: no other command runs it
    config = read_config(read_said(folder, "model"), folder, "model")
    again = read_model(task.recipe.task.head.auto_class, config, folder, "model")
    again.to(loaded.model.device)
    before, after = (_answers(model, loaded, task) for model in (loaded.model, again))
    for ours, theirs in zip(before, after, strict=True):
        if ours.shape != theirs.shape or not np.allclose(ours, theirs, rtol=_WITHIN, atol=_WITHIN):
            raise UserError(
                f"{folder}: the model that was saved answers otherwise than the one that was "
                f"trained. {_KEPT}"
            )


def verify_files(folder: Path, loaded: LoadedModel) -> None:
    """Check that no weight is missing in the files of a model, or other than it is in memory.

    raises: UserError that names some that are
    """
    shapes = dict(_stored_shapes(folder))
    empty = [name for name, shape in shapes.items() if 0 in shape]
    if empty or not shapes:
        raise UserError(
            f"{folder}: {len(empty)} of {len(shapes)} weights were saved empty "
            f"({shortened(empty, 3)}). {_KEPT}"
        )
    if (folder / "adapter_config.json").is_file():
        return  # holds what learned only, by other names; reading it again tells the rest
    saved = sum(map(_size, shapes.values()))
    parameters = sum(parameter.numel() for parameter in loaded.model.parameters())
    if saved < parameters:
        raise UserError(
            f"{folder}: {saved:,} values were saved, the model has {parameters:,} parameters. "
            f"{_KEPT}"
        )


def _stored_shapes(folder: Path) -> Sequence[tuple[str, Sequence[int]]]:
    """Read name and shape of every weight, which stand at the beginning of a file."""
    found = []
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as weights:
            found += [(name, weights.get_slice(name).get_shape()) for name in weights.keys()]  # noqa: SIM118
    return found


def _size(shape: Sequence[int]) -> int:
    return int(np.prod(shape, dtype=np.int64))


def _answers(model: Any, loaded: LoadedModel, task: TaskWindows) -> list[Any]:
    """Compute what a model says of the first validation examples, in fp32."""
    data = task.data["validation"]
    numbers = range(min(_EXAMPLES, len(data.rows)))
    return list(
        predict_distributions(
            model,
            task.recipe.task,
            windows_by_example(data.encoded, data.rows, numbers),
            pad_id=loaded.tokenizer.pad_token_id,
            tokens_per_batch=None,
            precision="fp32",
            fast_cpu=False,
        )
    )
