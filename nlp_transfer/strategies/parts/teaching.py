"""What a teacher makes of the training data in, what a student is compared with out.

The teacher reads each example through its own tokenizer and windows. Its predictions belong to
words (NER) or texts (classification), so the student may cut words and texts otherwise.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_transfer.data.arrow_tables import cache_folder, iterate
from nlp_transfer.errors import UserError
from nlp_transfer.manifest import is_kept, verifiable_folder
from nlp_transfer.models.architecture import output_labels, states_of_pieces
from nlp_transfer.models.fit import check_length
from nlp_transfer.strategies.context import Batch, FineTuned, TrainingData
from nlp_transfer.tasks.objective import IGNORED

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

_READ = ("words", "text", "text_pair", "document")
"""Columns of an example that a model reads."""

_TABLE = "table.npy"
_COMPARED = "the teacher, whose hidden states are compared,"


class SoftTargets:
    """The teacher's log-probabilities of every training word or text, mapped from disk."""

    def __init__(self, teacher: FineTuned, data: TrainingData) -> None:
        import numpy as np
        import pyarrow.compute as pc

        columns = data.train.windows.data
        self._positions = None
        if "positions" in columns.column_names:
            self._positions = data.train.windows.select_columns(["positions"])
            # Every word is owned by one window, in order: the windows' words are the table's rows.
            counts = pc.list_value_length(columns.column("positions")).to_numpy()
            self._first = np.concatenate([[0], np.cumsum(counts)])
            rows = int(self._first[-1])
        else:
            self._first = columns.column("example").to_numpy()
            rows = len(data.rows)
        self._table = _computed_once(teacher, data, rows)
        # Labels are the same by name; their order need not be.
        own = output_labels(data.loaded.model.config)
        self._order = [teacher.labels.index(label) for label in own]

    def compared(self, logits: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Pair the student's logits with the teacher's log-probabilities, labelled items only.

        logits:  (windows, pieces, labels) for NER, (windows, labels) for classification
        returns: both (items, labels)
        """
        import numpy as np
        import torch

        numbers = batch["windows"].tolist()
        if self._positions is None:
            rows = self._first[numbers]
            student, labels = logits, batch["labels"].reshape(len(numbers), -1)[:, 0]
        else:
            owned = self._positions[numbers]["positions"]
            counts = [len(positions) for positions in owned]
            pieces = np.concatenate([np.asarray(positions, np.int64) for positions in owned])
            windows = np.repeat(np.arange(len(numbers)), counts)
            rows = np.concatenate([np.arange(*self._first[[n, n + 1]]) for n in numbers])
            student, labels = logits[windows, pieces], batch["labels"][windows, pieces]
        taught = torch.from_numpy(self._table[rows][:, self._order]).to(logits.device)
        labelled = labels != IGNORED
        return student[labelled].float(), taught[labelled]


def layer_pairs(
    teacher: FineTuned, data: TrainingData, layers: Mapping[int, int] | None
) -> list[tuple[int, int]]:
    """Pair the student's layers with the teacher's, as indexes of their hidden states.

    layers: {student: teacher} from 0, or None to spread evenly with the last two paired
    raises: UserError when hidden states cannot be compared, or there is no such layer
    """
    own, others = data.loaded.model.config, teacher.loaded.model.config
    if own.hidden_size != others.hidden_size:
        raise UserError(
            f"strategies distillation: hidden compares states of one size; the teacher has "
            f"{others.hidden_size} values a piece, the student {own.hidden_size}. Leave hidden out."
        )
    if data.loaded.tokenizer.get_vocab() != teacher.loaded.tokenizer.get_vocab():
        raise UserError(
            "strategies distillation: hidden compares states piece by piece; the teacher has "
            "another tokenizer. Leave hidden out."
        )
    check_length(teacher.loaded.model, data.run.recipe.model, reader=_COMPARED)
    count, total = states_of_pieces(data.loaded.model), states_of_pieces(teacher.loaded.model)
    if layers is None:
        layers = {i: round((i + 1) * total / count) - 1 for i in range(count)}
    for student, taught in layers.items():
        if not 0 <= student < count or not 0 <= taught < total:
            raise UserError(
                f"strategies distillation: layers pairs {student} with {taught}; the student has "
                f"the layers 0 to {count - 1}, the teacher 0 to {total - 1}."
            )
    return [(student + 1, taught + 1) for student, taught in layers.items()]


def hidden_distance(
    states: Sequence[torch.Tensor],
    teacher: FineTuned,
    batch: Batch,
    pairs: Sequence[tuple[int, int]],
) -> torch.Tensor:
    """Add up the mean squared distance of a window's hidden states, once a labelled item.

    states:  the student's, each (windows, pieces, hidden), the embeddings' first
    returns: a scalar
    source:  Jiao et al. 2020 (TinyBERT), section 3.1
    """
    taught = teacher.hidden_states(batch)
    mask = batch["attention_mask"]
    pieces = mask.shape[1]  # a soft prompt has virtual tokens before them
    squares = sum(
        (states[s][:, -pieces:] - taught[t]).float().square().mean(dim=-1) for s, t in pairs
    )
    distance = (squares * mask).sum(dim=1) / mask.sum(dim=1) / len(pairs)
    items = (batch["labels"] != IGNORED).reshape(len(mask), -1).sum(dim=1)
    return (distance * items).sum()


def _computed_once(teacher: FineTuned, data: TrainingData, rows: int) -> NDArray[np.float32]:
    """Map the teacher's log-probabilities, (rows, labels), computed now if they are not kept."""
    import numpy as np
    from accelerate import PartialState

    folder = cache_folder() / "teachers" / _key(teacher, data)
    with PartialState().local_main_process_first():
        if not is_kept(folder):
            log.info("the teacher reads the training data once; kept in %s", folder)
            _write(folder, teacher.distributions(_examples(data)), rows, len(teacher.labels))
    table: NDArray[np.float32] = np.load(folder / _TABLE, mmap_mode="r")
    return table


def _write(
    folder: Path, distributions: Iterator[NDArray[np.floating[Any]]], rows: int, labels: int
) -> None:
    """Write a table; it is either whole or not there."""
    import numpy as np

    folder.parent.mkdir(parents=True, exist_ok=True)
    with verifiable_folder(folder, replace=True) as temporary:
        table = np.lib.format.open_memmap(temporary / _TABLE, "w+", np.float32, (rows, labels))
        start = 0
        for part in distributions:
            table[start : start + len(part)] = part
            start += len(part)
        assert start == rows
        table.flush()


def _key(teacher: FineTuned, data: TrainingData) -> str:
    """Name a table by all that it depends on: the teacher and the examples that it reads."""
    settings = {
        "labels": teacher.labels,
        "task": teacher.task.model_dump(mode="json"),
        "tokenizer": teacher.loaded.tokenizer.backend_tokenizer.to_str(),
        "max_pieces": teacher.options.max_pieces,
        "overlap": teacher.options.overlap,
        "precision": teacher.precision,
    }
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name, tensor in teacher.loaded.model.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.cpu().numpy().tobytes())
    for row in _examples(data):
        digest.update(json.dumps(row).encode())
    return digest.hexdigest()[:32]


def _examples(data: TrainingData) -> Iterator[dict[str, Any]]:
    """Go through the training examples as a model reads them, without their labels."""
    return iterate(data.rows, [name for name in _READ if name in data.rows.column_names])
