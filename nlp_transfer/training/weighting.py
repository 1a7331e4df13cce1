"""A recipe and its training windows in, how much each label and each window counts out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from sklearn.utils.class_weight import compute_class_weight

from nlp_transfer.data.arrow_tables import iterate
from nlp_transfer.errors import UserError, nearest
from nlp_transfer.models.architecture import output_labels
from nlp_transfer.recipe import TrainingSection
from nlp_transfer.strategies.context import TrainingData
from nlp_transfer.tasks.objective import Objective


def objective(data: TrainingData, *, smoothing: float) -> Objective:
    """Read what is made smaller from a recipe's training section.

    smoothing: share of each target that is spread over the other labels
    raises:    UserError when weights are given for a class that the data has not
    """
    training = data.run.recipe.training
    weights = _label_weights(data, training) if training.class_weights else None
    return Objective(smoothing, training.focal_gamma, weights)


def window_weights(learned: Sequence[TrainingData]) -> list[float] | None:
    """Weigh the windows of all tasks as `training.sampling` says; None where all weigh the same."""
    if learned[0].run.recipe.training.sampling != "balanced":
        return None
    return [weight for data in learned for weight in _by_rarest_class(data)]


def _by_rarest_class(data: TrainingData) -> list[float]:
    """Weigh each window by the rarest of its classes, so that all classes are drawn alike.

    For NER the classes of a window are its entity types; a window without entities counts as a
    class of its own.
    """
    classes = [
        {name for name in names if name != "O"} or {"O"} for names in _classes_by_window(data)
    ]
    counts = Counter(name for names in classes for name in names)
    return [max(1 / counts[name] for name in names) for names in classes]


def _label_weights(data: TrainingData, training: TrainingSection) -> tuple[float, ...]:
    """Return a weight for every output of the model."""
    by_output = _classes(data)
    classes = list(dict.fromkeys(by_output))
    given = training.class_weights
    if isinstance(given, dict):
        for name in given:
            if name not in classes:
                raise UserError(
                    f"training.class_weights: the data has no class {name!r} "
                    f"({', '.join(classes)}).{nearest(name, classes)}"
                )
        return tuple(given.get(name, 1.0) for name in by_output)
    seen = [name for names in _classes_by_window(data) for name in names]
    if not seen:
        raise UserError(
            f"training.class_weights: the task {data.run.recipe.task.name} has no classes. Leave "
            "it out."
        )
    present = sorted(set(seen))  # a type of which train has nothing has no frequency
    balanced = compute_class_weight("balanced", classes=np.array(present), y=np.array(seen))
    weights = dict(zip(present, balanced.tolist(), strict=True))
    return tuple(weights.get(name, 1.0) for name in by_output)


def _classes(data: TrainingData) -> list[str]:
    """List the class of each of the model's outputs."""
    labels = output_labels(data.loaded.model.config)
    return [data.run.recipe.task.head.class_of(label) for label in labels]


def _classes_by_window(data: TrainingData) -> Iterable[Sequence[str]]:
    """List the classes of each window's labelled items."""
    by_output, head = _classes(data), data.run.recipe.task.head
    for window in iterate(data.train.windows, ["labels"]):
        yield head.classes_of(window, by_output)
