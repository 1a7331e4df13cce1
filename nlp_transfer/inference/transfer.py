"""A checkpoint and a few labelled examples in, how well it is expected to learn them out."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf_shrinkage

from nlp_transfer.doctor.pieces import PieceFigures, count_pieces
from nlp_transfer.errors import UserError
from nlp_transfer.inference.engine import NotFiniteError
from nlp_transfer.inference.frozen_features import Items, read_items
from nlp_transfer.inference.precision import resolve_precision, usable_precision
from nlp_transfer.inference.sample import Sample, draw_sample
from nlp_transfer.logs import quiet
from nlp_transfer.metrics.transferability import Moments, h_score, log_me
from nlp_transfer.models.build import LoadedModel, NewHead, build_model
from nlp_transfer.models.checkpoint import resolve_checkpoint
from nlp_transfer.recipe import ModelSection, Recipe, Section
from nlp_transfer.records import Splits
from nlp_transfer.tasks.base import Task

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES, WORDS = 1_000, 60_000
"""The most that are read of a training split: seconds, whatever it holds."""
GROUPS = 10
"""Groups of examples; the score is computed again without each."""


@dataclass(frozen=True)
class Expectation:
    """What a checkpoint, as it is, makes of labelled examples."""

    log_me: float
    h_score: float
    """With a shrunk covariance."""
    without: NDArray[np.float64]
    """(groups,): log_me without each group of examples."""
    items: int
    """Words or texts that were read."""
    parameters: int
    """Of the checkpoint, with a head for this data."""
    seconds: float
    """That loading, reading and scoring took."""
    cased: bool
    pieces: PieceFigures
    """What the tokenizer makes of the examples."""


@dataclass(frozen=True)
class Probe:
    """Examples of a recipe's training split, through which checkpoints are looked at."""

    recipe: Recipe[Task, Section]
    splits: Splits
    """Of the drawn examples alone."""
    sample: Sample
    device: str

    @classmethod
    def of(cls, recipe: Recipe[Task, Section], splits: Splits, *, device: str) -> Probe:
        """Draw the examples.

        device: from `resolve_device`
        """
        rows = recipe.task.rows
        sample = draw_sample(splits["train"], rows, examples=EXAMPLES, words=WORDS, groups=GROUPS)
        return cls(recipe, replace(splits, datasets={"train": sample.rows}), sample, device)

    def find(self, checkpoint: str) -> Path:
        """Find or download the files of a checkpoint."""
        own = self._options(checkpoint)
        return resolve_checkpoint(checkpoint, revision=own.revision, setting=checkpoint)

    def build(self, checkpoint: str) -> LoadedModel:
        """Load a checkpoint as fine-tuning would begin with it; code beside it is never run."""
        return build_model(self.find(checkpoint), self._head, self._options(checkpoint))

    @property
    def _head(self) -> NewHead:
        return self.recipe.task.head.new(self.splits.labels)

    def _options(self, checkpoint: str) -> ModelSection:
        options = self.recipe.model
        revision = options.revision if checkpoint == options.checkpoint else None
        own = {"checkpoint": checkpoint, "revision": revision, "trust_remote_code": False}
        # Hidden states are read, no head: a layer that pools for one would be none of them.
        pooling = "auto" if self._head.reads_pieces else "first"
        return options.model_copy(update={**own, "pooling": pooling})

    def measure(self, checkpoint: str) -> Expectation:
        """Read the examples once with a checkpoint, and score what it makes of them."""
        start = time.monotonic()
        with quiet():  # what there is to say of it was said when it was checked
            loaded = self.build(checkpoint)
        task, options = self.recipe.task, self._options(checkpoint)
        try:
            items = self._items(loaded, options)
        except NotFiniteError:
            raise UserError(
                f"{checkpoint}: it computes NaN or infinite values. Try training.precision=fp32; "
                "if they stay, its files are damaged: copy the checkpoint again."
            ) from None
        parts = [
            Moments.of(items.features[own], items.labels[own])
            for own in _each(self.sample.groups[items.examples])
        ]
        whole = sum(parts[1:], parts[0])
        pieces, _ = count_pieces(
            self.splits, task.rows, loaded.tokenizer, options, windowed=task.windows.whole
        )
        return Expectation(
            log_me=log_me(whole),
            h_score=h_score(whole, shrinkage=ledoit_wolf_shrinkage(items.features)),
            without=np.array([log_me(whole - part) for part in parts]),
            items=len(items.features),
            parameters=sum(weights.numel() for weights in loaded.model.parameters()),
            seconds=time.monotonic() - start,
            cased=not pieces.uncased,
            pieces=pieces.splits["train"],
        )

    def _items(self, loaded: LoadedModel, options: ModelSection) -> Items:
        training = self.recipe.training
        model = loaded.model.eval().to(self.device)
        wanted = resolve_precision(training.precision, self.device)
        precision = usable_precision(model, wanted, fast_cpu=training.fast_cpu)
        return read_items(
            loaded,
            self.recipe.task,
            self.splits["train"],
            options,
            precision=precision,
            fast_cpu=training.fast_cpu,
        )


def _each(groups: NDArray[np.int64]) -> list[NDArray[np.bool_]]:
    """Say of each group which items are in it; leave out those without any."""
    return [groups == group for group in np.unique(groups)]
