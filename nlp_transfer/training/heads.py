"""Tasks and the model that is to learn them in; heads that strategies have fitted at once out."""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import zip_longest
from typing import Any

import numpy as np
from accelerate.utils import broadcast

from nlp_transfer.data.arrow_tables import iterate
from nlp_transfer.models.architecture import output_labels, output_layer, without_adapter
from nlp_transfer.models.build import LoadedModel
from nlp_transfer.strategies.context import LabelledInputs, OutputLayer, TrainingData
from nlp_transfer.training.examples import TaskWindows
from nlp_transfer.training.trainer import TransferTrainer
from nlp_transfer.training.weighting import objective

MOST_ITEMS = {"train": 20_000, "validation": 5_000}
"""Labelled items of a split that are read at most, texts or words."""


def fit_heads(tasks: Sequence[TaskWindows], loaded: LoadedModel, trainer: TransferTrainer) -> None:
    """Let the strategies set the output layer of every task; the trainer's clock counts the time.

    loaded: the model that learns all the tasks
    """
    start = time.monotonic()
    found: dict[str, dict[str, Any]] = {}
    for number, task in enumerate(tasks):
        layer = _output_layer(task, number, loaded, trainer)
        for strategy in tasks[0].recipe.strategies:
            if strategy.needs(task.recipe.task) is None:
                continue
            if figures := strategy.fit_head(layer):
                for parameter in layer.module.parameters():  # the same to the last bit
                    parameter.data.copy_(broadcast(parameter.data))
                of_tasks = found.setdefault(strategy.name, {})
                if number:
                    of_tasks.setdefault("tasks", {})[task.planned.name] = figures
                else:
                    of_tasks.update(figures)
    if found:
        trainer.clock.note_heads(found, time.monotonic() - start)


def _output_layer(
    task: TaskWindows, number: int, loaded: LoadedModel, trainer: TransferTrainer
) -> OutputLayer:
    """Describe the output layer of a task.

    number: of the task; a side task has a model of its own, by the encoder of the main one
    """
    own = loaded if number == 0 else task.loaded
    model = without_adapter(own.model)
    data = TrainingData(task.run, own, task.data["train"].encoded, task.data["train"].rows)
    module: Any = model.get_submodule(output_layer(model))
    return OutputLayer(
        module=module,
        labels=output_labels(model.config),
        class_weights=objective(data, smoothing=0).weights,
        read=partial(_read, task, number, loaded, module, trainer),
    )


def _read(
    task: TaskWindows,
    number: int,
    loaded: LoadedModel,
    module: Any,
    trainer: TransferTrainer,
    split: str,
) -> LabelledInputs:
    data, head = task.data[split], task.recipe.task.head
    labels = output_labels(task.loaded.model.config)
    classes = [head.classes_of(row, labels) for row in iterate(data.encoded.windows, ["labels"])]
    drawn = drawn_windows(classes, most=MOST_ITEMS[split])
    model: Any = loaded.model
    read = trainer.computing.output_inputs(
        data, model, module, task.recipe.task, list(drawn), number=number
    )
    counts = [len(of_window.labels) for of_window in read]
    return LabelledInputs(
        np.concatenate([of_window.inputs for of_window in read]),
        np.concatenate([of_window.labels for of_window in read]),
        np.repeat(list(drawn.values()), counts),
    )


def drawn_windows(classes: Sequence[Sequence[str]], *, most: int) -> Mapping[int, float]:
    """Draw windows that hold so many labelled items: all, or by turns one of each class.

    A window is of its rarest class. The same classes give the same windows.

    classes: of the labelled items of each window
    returns: their numbers, rising; and how much the items of each count, so that each class has the
             weight among them that it has in the whole
    """
    frequency = Counter(name for names in classes for name in names)
    groups: dict[str, list[int]] = defaultdict(list)
    for number, names in enumerate(classes):
        groups[min(names, key=lambda name: (frequency[name], name), default="")].append(number)
    shuffled = [
        random.Random(0).sample(groups[name], len(groups[name]))
        for name in sorted(groups, key=lambda name: (frequency[name], name))
    ]
    drawn: list[int] = []
    left = most
    for number in (n for turn in zip_longest(*shuffled) for n in turn if n is not None):
        left -= max(1, len(classes[number]))
        if drawn and left < 0:
            break
        drawn.append(number)
    kept = set(drawn)
    weights: dict[int, float] = {}
    for group in groups.values():
        mine = [number for number in group if number in kept]
        weights |= {number: len(group) / len(mine) for number in mine}
    mean = sum(weights.values()) / len(weights)
    return {number: weights[number] / mean for number in sorted(weights)}
