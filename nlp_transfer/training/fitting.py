"""Windows and a model that is to learn in; the trained models, and what they predict, out."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import nn
from transformers import TrainerCallback, TrainingArguments, set_seed

from nlp_transfer.doctor.finding import counted
from nlp_transfer.models.build import LoadedModel
from nlp_transfer.models.saved import keep_calibration
from nlp_transfer.models.shared_encoder import release_sides
from nlp_transfer.records import Prediction
from nlp_transfer.strategies.context import Outcome
from nlp_transfer.strategies.plan import Plan
from nlp_transfer.strategies.steps import takes_steps
from nlp_transfer.tasks.calibrating import calibrated
from nlp_transfer.tasks.optional import Calibration
from nlp_transfer.training.arguments import training_arguments
from nlp_transfer.training.examples import TaskWindows
from nlp_transfer.training.heads import fit_heads
from nlp_transfer.training.knowing import known_texts
from nlp_transfer.training.memory import PeakMemory
from nlp_transfer.training.trackers import Trackers
from nlp_transfer.training.trainer import TransferTrainer, build_trainer

log = logging.getLogger(__name__)

_CALIBRATED_ON = 20_000
"""Examples of the validation split that are enough; more cost time only."""


@dataclass(frozen=True)
class Learning:
    """How a run's model is to learn."""

    args: TrainingArguments
    temperature: float = 1.0
    """By which tasks are drawn."""
    callbacks: Sequence[TrainerCallback] = ()
    memory: PeakMemory = field(default_factory=PeakMemory)
    """What the run takes from here on."""
    trackers: Trackers = field(default_factory=Trackers)

    @classmethod
    def of(cls, plan: Plan, checkpoints: Path, callbacks: Sequence[TrainerCallback]) -> Learning:
        """Let the model of a plan learn as its recipe says, and keep checkpoints in a folder."""
        recipe = plan.recipe
        args = training_arguments(recipe.training, checkpoints, strategies=recipe.strategies)
        return cls(args, plan.temperature, callbacks)


@dataclass(frozen=True)
class Fitted:
    """A model that has learned, not yet what is kept of it."""

    loaded: LoadedModel
    trainer: TransferTrainer
    parameters: Mapping[str, int]
    """Counts of trainable and of all parameters."""
    memory: PeakMemory


@dataclass(frozen=True)
class Finished:
    """The models that are kept, one a task."""

    models: list[LoadedModel]
    trainer: TransferTrainer
    figures: Mapping[str, Any]
    """The training section of metrics.json."""
    calibrations: Sequence[Calibration | None] = ()
    """How the scores of each are corrected, once that is known; None: they are not."""


def fit(
    tasks: Sequence[TaskWindows],
    loaded: LoadedModel,
    learning: Learning,
    *,
    resume_from: Path | None = None,
) -> Fitted:
    """Train, and load the weights of the best evaluation; or take no steps, if none are left.

    loaded:      as `choose_weights` returns it
    resume_from: the checkpoint of an interrupted run, to go on from
    """
    args, counts = learning.args, parameter_counts(loaded.model)
    set_seed(args.seed)  # dropout and batches start from here, whatever the data took
    trainer = build_trainer(tasks, loaded, args, temperature=learning.temperature)
    for callback in learning.callbacks:
        trainer.add_callback(callback)
    learning.trackers.hold(trainer)
    loaded.model.to(args.device)  # the Trainer leaves what it will shard on the CPU
    if resume_from is None:
        fit_heads(tasks, loaded, trainer)
    if takes_steps(tasks[0].recipe):
        trainer.learn(resume_from)
    else:
        _take_no_steps(trainer)
    trainer.unshard()
    model = trainer.whole_model()
    _compute_as_asked(model)
    return Fitted(replace(loaded, model=model), trainer, counts, learning.memory)


def _compute_as_asked(model: nn.Module) -> None:
    """Take away the autocast that Accelerate has put around a model that has learned.

    It would compute in bf16 where fp32 is asked for: as when a model that was saved is compared
    with it, which reading it again makes none of.
    """
    original = vars(model).pop("_original_forward", None)
    if original is None:
        return
    if original.__func__ is type(model).forward:
        del model.forward
    else:  # of a model that answers for several tasks
        model.forward = original


def _take_no_steps(trainer: TransferTrainer) -> None:
    """Measure the model as it is."""
    log.info("no gradient steps: nothing is left that would learn by them")
    state, clock = trainer.state, trainer.clock
    state.is_world_process_zero = trainer.is_world_process_zero()
    state.epoch = 0.0
    if trainer.args.eval_strategy != "no":
        state.best_metric = trainer.evaluate()["eval_score"]
        state.best_global_step = 0
    clock.stop()


def finish(tasks: Sequence[TaskWindows], fitted: Fitted) -> Finished:
    """Let the strategies turn the trained model into the one that is kept, and take tasks apart."""
    recipe, trainer = tasks[0].recipe, fitted.trainer
    model: Any = fitted.loaded.model
    outcome = Outcome(
        run=tasks[0].run,
        new_parameters=fitted.loaded.new_parameters,
        checkpoints=Path(trainer.args.output_dir),
        score=trainer.score,
    )
    measured: dict[str, Any] = dict(trainer.clock.heads)
    for strategy in recipe.strategies:
        model, found = strategy.finish(model, outcome)
        if found:
            measured[strategy.name] = {**measured.get(strategy.name, {}), **found}
    models = [model, *release_sides(model)]
    trainer.model = model
    figures = {
        **_speed(trainer),
        **fitted.parameters,
        "peak_mb": fitted.memory.megabytes,
        "world_size": trainer.args.world_size,
        "precision": trainer.precision,
        "wrapped": trainer.wrapper,
        **({"strategies": measured} if measured else {}),
    }
    kept = [replace(task.loaded, model=m) for task, m in zip(tasks, models, strict=True)]
    return Finished(kept, trainer, figures)


def calibrate(tasks: Sequence[TaskWindows], finished: Finished) -> Finished:
    """Learn on the validation split how sure each model may be; it is kept with the models.

    Validation examples that training has seen too do not count: of them every model is sure.
    """
    models, calibrations = [], []
    for task, loaded in zip(tasks, finished.models, strict=True):
        numbers = _new_examples(task)
        known = known_texts(task, finished.trainer.computing, loaded, numbers)
        models.append(replace(loaded, known=known))
        calibrations.append(_calibration(task, finished.trainer, loaded, numbers))
    for loaded, calibration in zip(models, calibrations, strict=True):
        said = None if calibration is None else calibration.model_dump(mode="json")
        keep_calibration(loaded.model, said)
    return replace(finished, models=models, calibrations=calibrations)


def _new_examples(task: TaskWindows) -> list[int]:
    """List the validation examples to calibrate on, by their numbers."""
    seen = frozenset(task.repeats["validation"].seen_rows)
    new = [number for number in range(len(task.data["validation"].rows)) if number not in seen]
    return new[:: -(-len(new) // _CALIBRATED_ON) or 1]


def _calibration(
    task: TaskWindows, trainer: TransferTrainer, loaded: LoadedModel, numbers: Sequence[int]
) -> Calibration | None:
    confidence, validation = task.recipe.task.confidence, task.data["validation"]
    if confidence is None:
        return None
    predictions = trainer.predict_split(validation, loaded.model, task.recipe.task, numbers)
    calibration = confidence.fit(validation.rows.select(numbers), predictions)
    if calibration is None:
        log.warning(
            "the scores of predictions are not calibrated: too little was found in the %s of "
            "validation that training has not seen",
            counted(len(numbers), task.recipe.task.rows.nouns.example),
        )
    return calibration


def predict(
    tasks: Sequence[TaskWindows], finished: Finished
) -> list[dict[str, Sequence[Prediction]]]:
    """Predict the splits that are to be scored, by calibrated models: of each task, by split."""
    found = []
    kept = zip(tasks, finished.models, finished.calibrations, strict=True)
    for task, loaded, calibration in kept:
        by_split: dict[str, Sequence[Prediction]] = {}
        for split in task.recipe.evaluation.splits:
            predictions = finished.trainer.predict_split(
                task.data[split], loaded.model, task.recipe.task, known=loaded.known
            )
            by_split[split] = list(calibrated(predictions, calibration))
        found.append(by_split)
    return found


def parameter_counts(model: nn.Module) -> dict[str, int]:
    """Count trainable and all parameters."""
    counts = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return {
        "trainable_parameters": sum(n for n, learns in counts if learns),
        "total_parameters": sum(n for n, _ in counts),
    }


def _speed(trainer: TransferTrainer) -> dict[str, Any]:
    """Return seconds, steps and pieces learned a second (padding and evaluations not counted)."""
    seconds, evaluating = trainer.clock.seconds, trainer.clock.evaluation_seconds
    epochs = trainer.state.epoch or 0
    return {
        "seconds": round(seconds, 2),
        "evaluation_seconds": round(evaluating, 2),
        "steps": trainer.state.global_step,
        "epochs": round(epochs, 4),
        **trainer.unusual,
        "best_step": trainer.state.best_global_step,
        "best_validation": trainer.state.best_metric,
        "tokens_per_second": round(trainer.pieces_an_epoch * epochs / (seconds - evaluating), 1),
    }
