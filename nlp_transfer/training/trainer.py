"""The Hugging Face Trainer with our batches, our loss and our evaluation."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch
from torch import nn
from transformers import EarlyStoppingCallback, PreTrainedModel, TrainerCallback, TrainingArguments

from nlp_transfer.models.architecture import named_parameters
from nlp_transfer.models.build import LoadedModel
from nlp_transfer.models.known import Known
from nlp_transfer.records import Prediction
from nlp_transfer.strategies.context import (
    Batch,
    Forward,
    LossFunction,
    TrainingData,
    TransferRecipe,
)
from nlp_transfer.tasks.base import Task
from nlp_transfer.tasks.faces import WindowRow
from nlp_transfer.training.batching import TrainingWindows
from nlp_transfer.training.budget_trainer import BudgetTrainer
from nlp_transfer.training.computing import Computing
from nlp_transfer.training.examples import SplitData, TaskWindows
from nlp_transfer.training.optimization import leaves_zero_gradients
from nlp_transfer.training.progress import Progress
from nlp_transfer.training.seen_rows import SeenRows, seen_rows
from nlp_transfer.training.weighting import objective, window_weights

log = logging.getLogger(__name__)


class TransferTrainer(BudgetTrainer):
    """Trains by token-budget batches and compares checkpoints by the task's headline figure."""

    def __init__(
        self,
        *,
        learned: Sequence[TrainingData],
        temperature: float,
        validation: SplitData,
        args: TrainingArguments,
    ) -> None:
        """Put a run's parts together.

        learned:     by each task that learns, the recipe's own first
        temperature: by which the tasks are drawn
        """
        recipe, loaded = learned[0].run.recipe, learned[0].loaded
        self._task = recipe.task
        self._tasks = [data.run.recipe.task for data in learned]
        self._strategies = recipe.strategies
        self._new_parameters = loaded.new_parameters
        self._pad_id: int = loaded.tokenizer.pad_token_id
        self._train = [data.train for data in learned]
        self._examples = [data.rows for data in learned]
        self._rows: SeenRows | None = None
        self._validation = validation
        super().__init__(
            lengths=[length for data in learned for length in data.train.lengths],
            training=recipe.training,
            window_weights=window_weights(learned),
            window_tasks=[n for n, data in enumerate(learned) for _ in data.train.lengths],
            temperature=temperature,
            model=loaded.model,
            args=args,
            train_dataset=TrainingWindows([data.train.windows for data in learned]),
            eval_dataset=validation.encoded.windows,
            data_collator=self._collate,
            compute_loss_func=self._loss(learned, args.label_smoothing_factor),
            callbacks=_callbacks(recipe, args),
        )

    def _collate(self, rows: Sequence[WindowRow]) -> dict[str, torch.Tensor]:
        number = rows[0]["task"]
        batch = self._tasks[number].windows.collate(rows, self._pad_id)
        batch["windows"] = torch.tensor([row["window"] for row in rows])
        if number:  # the model answers for the recipe's own task unless told otherwise
            batch["task"] = torch.full((len(rows),), number)
        return batch

    def _loss(self, learned: Sequence[TrainingData], smoothing: float) -> LossFunction:
        """Compose the tasks' losses with what the strategies make of them."""
        goals = [objective(data, smoothing=smoothing) for data in learned]

        def mean_over_labelled(forward: Forward, batch: Batch, items: torch.Tensor) -> torch.Tensor:
            number = int(batch["task"][0]) if "task" in batch else 0
            head, logits = self._tasks[number].head, forward(batch)["logits"]
            return head.loss_sum(logits, batch["labels"], goals[number]) / items

        loss: LossFunction = mean_over_labelled
        for strategy in self._strategies:
            loss = strategy.wrap_loss(loss, learned[0])
        return loss

    def learn(self, checkpoint: Path | None) -> None:
        """Train as every BudgetTrainer does, rows of unseen pieces left out where they can be."""
        with self._seen_rows() as self._rows:
            super().learn(checkpoint)

    def place(self, window: int) -> str:
        """Say from which line of which file a training window comes."""
        row = self.train_dataset[window]
        example = self._examples[row["task"]][row["example"]]
        return example["where"] or "an example that a strategy made"

    def _seen_rows(self) -> AbstractContextManager[SeenRows | None]:
        if (
            self.is_sharded
            or any(strategy.moves_all_weights for strategy in self._strategies)
            or not leaves_zero_gradients(self._training, self.args)
        ):
            return nullcontext()
        pieces = {self._pad_id}.union(*(train.pieces() for train in self._train))
        return seen_rows(self.model, torch.tensor(sorted(pieces)))

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """Create the optimizer; groups of strategies and the head may have rates of their own."""
        target = self.model if model is None else model
        optimizer: torch.optim.Optimizer = super().create_optimizer(model)
        if self._rows is not None:
            optimizer.register_step_post_hook(self._rows.decay_others)
        for strategy in self._strategies:
            for group in strategy.param_groups(target, self.args.learning_rate):
                _set_learning_rate(optimizer, group["params"], group["lr"])
        head_rate = self._training.head_learning_rate
        if head_rate is not None:
            own = named_parameters(target)
            new = [parameter for name, parameter in own if name in self._new_parameters]
            _set_learning_rate(optimizer, new, head_rate)
        return optimizer

    def _load_from_checkpoint(
        self, resume_from_checkpoint: str, model: nn.Module | None = None
    ) -> None:
        if self._rows is not None:
            self._rows.decay_as_before(Path(resume_from_checkpoint))
        super()._load_from_checkpoint(resume_from_checkpoint, model)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        super()._save_optimizer_and_scheduler(output_dir)
        if self._rows is not None and self.args.should_save:
            self._rows.keep_decays(Path(output_dir))

    def score(self, model: PreTrainedModel | None = None) -> float:
        """Compute the headline figure of the validation split.

        model: instead of the one that is trained
        """
        predictions = self.predict_split(self._validation, model)
        return self._task.scores.headline_figure(self._validation.rows, predictions)

    def evaluation(self) -> dict[str, float]:
        """Score the model in training; say where it tells nothing apart."""
        predictions = self.predict_split(self._validation)
        rows = self._validation.rows
        if answer := self._task.scores.constant_answer(rows, predictions):
            log.warning("validation: the model predicts %s", answer)
        return {"eval_score": self._task.scores.headline_figure(rows, predictions)}

    def predict_split(
        self,
        split: SplitData,
        model: PreTrainedModel | None = None,
        task: Task | None = None,
        examples: Sequence[int] | None = None,
        known: Known | None = None,
    ) -> list[Prediction]:
        """Predict every example of a split exactly once.

        model, task: instead of the one that is trained, and its task
        examples:    numbers of those that are wanted, if not all
        known:       by which examples of none of the model's classes are told
        """
        model = model or self.whole_model()
        return self.computing.predictions(split, model, task or self._task, examples, known)

    @property
    def computing(self) -> Computing:
        """What computes examples with all processes."""
        return Computing(
            pad_id=self._pad_id,
            precision=self.precision,
            fast_cpu=self.fast_cpu,
            process=self.args.process_index,
            processes=self.args.world_size,
        )


def _callbacks(recipe: TransferRecipe, args: TrainingArguments) -> list[TrainerCallback]:
    callbacks = [made for strategy in recipe.strategies for made in strategy.callbacks()]
    callbacks.append(Progress(recipe.task.scores.headline, recipe.training.max_minutes))
    patience = recipe.training.early_stopping
    if patience is not None and args.load_best_model_at_end:
        callbacks.append(EarlyStoppingCallback(patience))
    return callbacks


def _set_learning_rate(
    optimizer: torch.optim.Optimizer, parameters: Iterable[nn.Parameter], rate: float
) -> None:
    """Move parameters to groups of their own, which differ in the learning rate alone."""
    chosen = set(parameters)
    for group in list(optimizer.param_groups):
        moved = [parameter for parameter in group["params"] if parameter in chosen]
        if moved:
            group["params"] = [p for p in group["params"] if p not in chosen]
            optimizer.add_param_group({**group, "params": moved, "lr": rate})


def build_trainer(
    tasks: Sequence[TaskWindows],
    loaded: LoadedModel,
    args: TrainingArguments,
    *,
    temperature: float = 1.0,
) -> TransferTrainer:
    """Put a run's parts together.

    loaded: the model that learns all the tasks
    """
    training = tasks[0].recipe.training
    longest = max(max(task.data["train"].encoded.lengths) for task in tasks)
    for key in ("tokens_per_batch", "tokens_at_once"):
        budget = getattr(training, key)
        if budget is not None and longest > budget:
            log.warning(
                "training.%s is %d, raised for the longest windows, which have %d pieces: each is "
                "a batch of its own",
                key,
                budget,
                longest,
            )
    learning = [loaded, *(task.loaded for task in tasks[1:])]
    return TransferTrainer(
        learned=[
            TrainingData(task.run, model, task.data["train"].encoded, task.data["train"].rows)
            for task, model in zip(tasks, learning, strict=True)
        ],
        temperature=temperature,
        validation=tasks[0].data["validation"],
        args=args,
    )
