"""The Hugging Face Trainer with our batches, our loss and our evaluation."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object
from datasets import Dataset
from torch import nn
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    Trainer,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from nlp_transfer.inference.engine import predict_windows, windows_by_example
from nlp_transfer.recipe import Recipe
from nlp_transfer.records import Prediction
from nlp_transfer.strategies.base import LossFunction, Strategy
from nlp_transfer.tasks.base import IGNORED, LoadedModel, Task, WindowRow
from nlp_transfer.training.batching import EpochDataLoader, TokenBatchSampler
from nlp_transfer.training.material import SplitData
from nlp_transfer.training.progress import Progress

log = logging.getLogger(__name__)


class TrainingWindows(torch.utils.data.Dataset[WindowRow]):
    """Windows by number; `~number` is the same window with its labels ignored."""

    def __init__(self, windows: Dataset) -> None:
        self._windows = windows

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, number: int) -> WindowRow:
        if number >= 0:
            return self._windows[number]
        row = self._windows[~number]
        return {**row, "labels": [IGNORED] * len(row["labels"])}


class TransferTrainer(Trainer):
    """Trains one task by token-budget batches and compares checkpoints by its headline figure."""

    optimizer: torch.optim.Optimizer | None
    control: TrainerControl

    def __init__(
        self,
        *,
        loaded: LoadedModel,
        task: Task,
        strategies: Sequence[Strategy],
        args: TrainingArguments,
        train: SplitData,
        validation: SplitData,
        tokens_per_batch: int,
        head_learning_rate: float | None,
        early_stopping: int | None,
    ) -> None:
        self._task = task
        self._strategies = strategies
        self._tokens_per_batch = tokens_per_batch
        self._head_learning_rate = head_learning_rate
        self._new_parameters = loaded.new_parameters
        self._lengths = train.encoded.lengths
        self._pad_id: int = loaded.tokenizer.pad_token_id
        self._validation = validation
        callbacks = [callback for strategy in strategies for callback in strategy.callbacks()]
        callbacks.append(Progress(task.headline))
        if early_stopping is not None and args.load_best_model_at_end:
            callbacks.append(EarlyStoppingCallback(early_stopping))
        super().__init__(
            model=loaded.model,
            args=args,
            train_dataset=TrainingWindows(train.encoded.windows),
            eval_dataset=validation.encoded.windows,
            data_collator=lambda rows: task.collate(rows, self._pad_id),
            compute_loss_func=self._loss(loaded.model),
            callbacks=callbacks,
        )
        self.remove_callback(PrinterCallback)
        # Ours is the loss: models that offer to normalise theirs must not be asked to.
        self.model_accepts_loss_kwargs = False

    def learn(self, checkpoint: Path | None) -> None:
        """Train to the end and load the best weights.

        checkpoint: of an interrupted run, to go on from
        raises:     KeyboardInterrupt when a signal ended training early
        """
        if checkpoint:
            state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
            if _patience_is_over(state) and state.best_model_checkpoint:
                # The Trainer would learn on until the next evaluation, and might keep that.
                self.state = state
                self._load_callback_state()
                self._load_best_model()
                return
        self.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        if self.state.global_step < self.state.max_steps and not self._stopped_by_patience():
            # enable_jit_checkpoint ends training so; the run is not to count as finished.
            raise KeyboardInterrupt(f"stopped at step {self.state.global_step}")

    def _stopped_by_patience(self) -> bool:
        return any(
            callback.early_stopping_patience_counter >= callback.early_stopping_patience
            for callback in self.callback_handler.callbacks
            if isinstance(callback, EarlyStoppingCallback)
        )

    def _loss(self, model: nn.Module) -> LossFunction:
        """Compose the task's loss with what the strategies make of it."""

        def mean_over_labelled(
            outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor
        ) -> torch.Tensor:
            smoothing = self.args.label_smoothing_factor
            return self._task.loss_sum(outputs["logits"], labels, smoothing) / num_items_in_batch

        loss: LossFunction = mean_over_labelled
        for strategy in self._strategies:
            loss = strategy.wrap_loss(model, loss)
        return loss

    def get_train_dataloader(self) -> EpochDataLoader:
        """Return this process's share of every global batch."""
        sampler = TokenBatchSampler(
            self._lengths,
            tokens_per_batch=self._tokens_per_batch,
            seed=self.args.seed,
            processes=self.args.world_size,
            rank=self.args.process_index,
            accumulation=self.args.gradient_accumulation_steps,
        )
        return EpochDataLoader(
            self.train_dataset,
            batch_sampler=sampler,
            collate_fn=self.data_collator,
            num_workers=self.args.dataloader_num_workers,
            persistent_workers=self.args.dataloader_persistent_workers,
            prefetch_factor=self.args.dataloader_prefetch_factor,
            pin_memory=torch.cuda.is_available() and self.args.dataloader_pin_memory,
        )

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """Create the optimizer with the parameter groups of a strategy, if one has its own."""
        target = self.model if model is None else model
        for strategy in self._strategies:
            groups = strategy.param_groups(target, self.args.learning_rate)
            if groups is not None and self.optimizer is None:
                optimizer, settings = self.get_optimizer_cls_and_kwargs(self.args, target)
                self.optimizer = optimizer(groups, **settings)
        optimizer = super().create_optimizer(model)
        if self._head_learning_rate is not None:
            _set_head_learning_rate(
                optimizer, target, self._new_parameters, self._head_learning_rate
            )
        return optimizer

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Compute the headline figure of the validation split."""
        predictions = self.predict_split(self._validation)
        score = self._task.headline_figure(self._validation.rows, predictions)
        metrics = {"eval_score": score}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    @property
    def seconds(self) -> float:
        """Training time of the whole run, over every resume."""
        return next(c.seconds for c in self.callback_handler.callbacks if isinstance(c, Progress))

    def predict_split(self, split: SplitData) -> list[Prediction]:
        """Predict every example of a split exactly once.

        Each process takes every n-th example; all processes get all predictions, in order.
        """
        count, step = len(split.rows), self.args.world_size
        numbers = range(self.args.process_index, count, step)
        model = self.accelerator.unwrap_model(self.model)
        mine = list(
            predict_windows(
                model,
                self._task,
                windows_by_example(split.encoded, split.rows, numbers),
                pad_id=self._pad_id,
                tokens_per_batch=max(4096, self._tokens_per_batch),
                precision="bf16" if self.args.bf16 else "fp16" if self.args.fp16 else "fp32",
            )
        )
        gathered = dict(gather_object(list(zip(numbers, mine, strict=True))))
        return [gathered[number] for number in range(count)]


def _set_head_learning_rate(
    optimizer: torch.optim.Optimizer, model: nn.Module, new: frozenset[str], rate: float
) -> None:
    """Move the parameters that start at random to groups with a learning rate of their own."""
    # PEFT keeps a trained copy of the head under a longer name.
    names = {
        parameter: name.removeprefix("base_model.model.").replace(".modules_to_save.default", "")
        for name, parameter in model.named_parameters()
    }
    for group in list(optimizer.param_groups):
        head = [parameter for parameter in group["params"] if names[parameter] in new]
        if head:
            kept = [parameter for parameter in group["params"] if names[parameter] not in new]
            group["params"] = kept
            optimizer.add_param_group({**group, "params": head, "lr": rate})


def _patience_is_over(state: TrainerState) -> bool:
    """Tell from a checkpoint's state whether early stopping had ended the run."""
    stored = state.stateful_callbacks.get("EarlyStoppingCallback", [])
    return any(
        callback["attributes"]["early_stopping_patience_counter"]
        >= callback["args"]["early_stopping_patience"]
        for callback in (stored if isinstance(stored, list) else [stored])
    )


def build_trainer(
    recipe: Recipe[Any, Any],
    loaded: LoadedModel,
    data: Mapping[str, SplitData],
    args: TrainingArguments,
) -> TransferTrainer:
    """Put a recipe's parts together."""
    training = recipe.training
    longest = max(data["train"].encoded.lengths)
    if longest > training.tokens_per_batch:
        log.warning(
            "training.tokens_per_batch is %d, the longest window has %d pieces; it is a batch "
            "of its own",
            training.tokens_per_batch,
            longest,
        )
    return TransferTrainer(
        loaded=loaded,
        task=recipe.task,
        strategies=recipe.strategies,
        args=args,
        train=data["train"],
        validation=data["validation"],
        tokens_per_batch=training.tokens_per_batch,
        head_learning_rate=training.head_learning_rate,
        early_stopping=training.early_stopping,
    )
