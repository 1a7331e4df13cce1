"""The one batched engine: encoded examples in, label probabilities out, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from nlp_transfer.errors import UserError
from nlp_transfer.inference.precision import autocast
from nlp_transfer.records import EncodedSplit

if TYPE_CHECKING:
    import numpy as np
    import torch
    from datasets import Dataset
    from numpy.typing import NDArray

    from nlp_transfer.tasks.base import Task
    from nlp_transfer.tasks.faces import WindowRow

_LOOK_AHEAD = 4096  # windows sorted by length at a time
_CPU_TOKENS = 1024  # what its caches hold; 8192 took 1.2 times as long
_GPU_TOKENS = 8192
_FEW_BATCHES = 8


def predict_distributions(
    model: Any,
    task: Task,
    encoded: Iterable[Sequence[WindowRow]],
    *,
    pad_id: int,
    tokens_per_batch: int | None,
    precision: str,
    fast_cpu: bool,
    features: bool = False,
) -> Iterator[NDArray[np.floating[Any]]]:
    """Compute the log-probabilities of the labels, which `task.decoder.decode` chooses from.

    encoded:          the windows of each example, possibly none
    tokens_per_batch: pieces of one batch, padding included; None: as many as suit the device
    precision:        "bf16", "fp16" or "fp32"
    fast_cpu:         compute by our operations on a CPU, one block of windows at a time: nothing is
                      changed while the caller has the results
    features:         behind the labels of a text, tell what the model knows of it
    yields:           (words, labels) for NER, (1, labels) for classification, one an example; or
                      (1, labels + 1 + hidden), see models/features.py
    """
    from nlp_transfer.models.fast_cpu import return_memory, sped_up
    from nlp_transfer.models.features import features_behind_logits

    labels = len(model.config.id2label)
    on_cpu = model.device.type == "cpu"
    budget = tokens_per_batch or suitable_tokens(model)
    stream = iter(encoded)
    model.eval()
    while examples := list(_take(stream, _LOOK_AHEAD)):
        windows = [window for example in examples for window in example]
        telling = features_behind_logits(model) if features else nullcontext()
        with sped_up(model, enabled=fast_cpu), telling:
            done = iter(_in_order(model, task, windows, pad_id, budget, precision))
        if on_cpu and fast_cpu:
            return_memory()
        for example in examples:
            yield task.decoder.stitch(list(islice(done, len(example))), labels)


@contextmanager
def kept_ready(models: Iterable[Any]) -> Iterator[None]:
    """Keep what is done once a call for several of them, in this thread: changes, cast weights.

    models: that compute by our operations on a CPU
    """
    import torch

    from nlp_transfer.models.fast_cpu import sped_up

    with ExitStack() as undo:
        for model in models:
            undo.enter_context(sped_up(model))
        # The outermost autocast keeps what was cast within it, though it casts nothing itself.
        undo.enter_context(torch.autocast("cpu", enabled=False))
        yield


def suitable_tokens(model: Any) -> int:
    """Return how many pieces of a batch suit the device of a model, padding included."""
    return _CPU_TOKENS if model.device.type == "cpu" else _GPU_TOKENS


def _in_order(
    model: Any, task: Task, windows: Sequence[WindowRow], pad_id: int, budget: int, precision: str
) -> list[NDArray[np.float32]]:
    """Compute windows in batches of like lengths; return their outputs in the windows' order.

    On a CPU the last batch is filled up with its last window, for the reason of `token_batches`; of
    few batches only to the next number of those that lengths have, since it would cost as much.
    """
    import torch

    outputs: list[Any] = [None] * len(windows)
    # Around all batches, so that weights are cast once and not for every batch; in inference mode
    # PyTorch would not keep what it cast.
    with torch.no_grad(), autocast(model.device.type, precision):
        batches = list(token_batches(windows, budget))
        for number, batch in enumerate(batches):
            chosen = batch.windows
            if number and model.device.type == "cpu":  # a first one may be all that there is
                full = budget // batch.length
                wanted = full if len(batches) > _FEW_BATCHES else min(full, _rounded(len(chosen)))
                chosen = chosen + chosen[-1:] * (wanted - len(chosen))
            rows = [windows[i] for i in chosen]
            found = _outputs(model, task, rows, pad_id, batch.length)
            for i, output in zip(chosen, found, strict=True):
                outputs[i] = output
    return outputs


def _take(stream: Iterator[Sequence[WindowRow]], windows: int) -> Iterator[Sequence[WindowRow]]:
    for example in stream:
        yield example
        windows -= max(1, len(example))
        if windows <= 0:
            return


@dataclass(frozen=True)
class Batch:
    """Windows of like lengths."""

    windows: list[int]
    """Their indexes."""
    length: int
    """Pieces that each is padded to."""


def token_batches(windows: Sequence[WindowRow], tokens: int) -> Iterator[Batch]:
    """Group windows of like lengths, each batch within the budget when padded.

    A CPU's matrix library makes code for each shape of batch, and keeps it: so few lengths occur.
    """
    lengths = [len(window["input_ids"]) for window in windows]
    longest = max(lengths, default=0)  # more pieces than a window's a model may not have places for
    batch = Batch([], 0)
    for index in sorted(range(len(windows)), key=lambda i: -lengths[i]):
        if batch.windows and batch.length * (len(batch.windows) + 1) > tokens:
            yield batch
            batch = Batch([], 0)
        if not batch.windows:
            batch = Batch([], min(_rounded(lengths[index]), longest))
        batch.windows.append(index)
    if batch.windows:
        yield batch


def _rounded(pieces: int) -> int:
    """Round up to a number of four binary digits and zeros: at most an eighth more."""
    step = 1 << max(0, pieces.bit_length() - 4)
    return -(-pieces // step) * step


def _outputs(
    model: Any, task: Task, windows: Sequence[WindowRow], pad_id: int, length: int
) -> list[NDArray[np.float32]]:
    """Compute a batch, in halves where memory does not suffice for it."""
    from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size

    try:
        logits = _logits(model, task, windows, pad_id, length)
    except RuntimeError as error:
        if not should_reduce_batch_size(error) or len(windows) == 1:
            raise
        clear_device_cache(garbage_collection=True)
        half = len(windows) // 2
        parts = (windows[:half], windows[half:])
        return [row for part in parts for row in _outputs(model, task, part, pad_id, length)]
    outputs = task.decoder.window_outputs(logits, windows)
    check_outputs(outputs)
    return outputs


class NotFiniteError(UserError):
    """A model computes NaN or infinite values."""


def check_outputs(outputs: Iterable[NDArray[np.float32]]) -> None:
    """Refuse outputs that are no numbers: any label could be chosen from them."""
    import numpy as np

    if not all(np.isfinite(output).all() for output in outputs):
        raise NotFiniteError(
            "MODEL: it computes NaN or infinite values, from which no label can be chosen. Try "
            "--precision fp32; if they stay, its config.json or its weights are damaged: copy the "
            "model again."
        )


def _logits(
    model: Any, task: Task, windows: Sequence[WindowRow], pad_id: int, length: int
) -> torch.Tensor:
    batch = task.windows.collate(windows, pad_id, length)
    batch.pop("labels")
    inputs = {name: tensor.to(model.device) for name, tensor in batch.items()}
    logits: torch.Tensor = model(**inputs).logits
    return logits


def windows_by_example(
    encoded: EncodedSplit, examples: Dataset, numbers: Iterable[int]
) -> Iterator[list[WindowRow]]:
    """Go through the examples with the given numbers, each with its windows, in order.

    examples: the split that was encoded; an example without words has no window
    """
    first: dict[int, int] = {}
    count: dict[int, int] = {}
    for row, example in enumerate(encoded.windows["example"]):
        first.setdefault(example, row)
        count[example] = count.get(example, 0) + 1
    for number in numbers:
        if not 0 <= number < len(examples):
            raise IndexError(number)
        start = first.get(number, 0)
        yield [encoded.windows[start + i] for i in range(count.get(number, 0))]
