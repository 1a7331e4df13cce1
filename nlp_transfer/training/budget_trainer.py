"""The Hugging Face Trainer with batches of a token budget, runs that resume, and a clock."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    TrainerControl,
    TrainingArguments,
)

from nlp_transfer.errors import UserError
from nlp_transfer.inference.engine import NotFiniteError
from nlp_transfer.models.fast_cpu import memory_kept, sped_up
from nlp_transfer.models.packing import packed_layers
from nlp_transfer.recipe import TrainingSection
from nlp_transfer.strategies.context import Batch
from nlp_transfer.training.arguments import precision_of, settle_precision
from nlp_transfer.training.batching import EpochDataLoader, TokenBatchSampler
from nlp_transfer.training.checkpoints import patience_is_over, read_state
from nlp_transfer.training.guarded_trainer import GuardedTrainer
from nlp_transfer.training.loss_watch import LossWatch, advice_on_batch, advice_on_rate
from nlp_transfer.training.optimization import optimizer_class, own_schedule
from nlp_transfer.training.save_points import SavePoints
from nlp_transfer.training.time_limit import was_reached
from nlp_transfer.training.trackers import keep_in

_NOT_READ = ("labels", "windows", "places")
"""What a batch holds beside the model's own inputs."""


class BudgetTrainer(GuardedTrainer):
    """Trains on windows of known lengths; `data_collator` makes a batch of some of them.

    `compute_loss_func` is a LossFunction: it runs the model as often as it needs.
    """

    control: TrainerControl

    def __init__(
        self,
        *,
        lengths: Sequence[int],
        training: TrainingSection,
        window_weights: Sequence[float] | None = None,
        window_tasks: Sequence[int] | None = None,
        temperature: float = 1.0,
        **parts: Any,
    ) -> None:
        """Hand `parts` on to the Trainer; the others decide the batches.

        lengths: pieces of each training window; the others as TokenBatchSampler has them
        """
        self._lengths = lengths
        self._training = training
        self._window_weights = window_weights
        self._window_tasks = window_tasks
        self._temperature = temperature
        args = parts["args"]
        settle_precision(parts["model"], args, fast_cpu=training.fast_cpu)
        if training.tokens_at_once is not None:
            args.gradient_accumulation_steps = self._sampler(args).accumulation_for(
                training.tokens_at_once, args.world_size
            )
        optimizer = optimizer_class(training)
        super().__init__(training=training, optimizer_cls_and_kwargs=optimizer, **parts)
        self.remove_callback(PrinterCallback)
        self._watch = LossWatch(self.accelerator, self._blame)
        self.add_callback(self._watch)
        self._save_points = SavePoints(training.save_minutes, self.steps_an_epoch)
        self.add_callback(self._save_points)
        keep_in(Path(args.output_dir).parent / "tracking", self.callback_handler.callbacks)
        # Ours is the loss: models that offer to normalise theirs must not be asked to.
        self.model_accepts_loss_kwargs = False

    def learn(self, checkpoint: Path | None) -> None:
        """Train to the end and load the best weights.

        checkpoint: of an interrupted run, to go on from
        raises:     Stopped when a signal ended training early
        """
        self.prepare_to_shard(checkpoint)
        if checkpoint:
            state = read_state(checkpoint)
            self.time_limit.is_reached = was_reached(state, self._training.max_minutes)
            is_over = self.time_limit.is_reached or patience_is_over(state)
            if is_over and state.best_model_checkpoint:
                # The Trainer would learn on until the next evaluation, and might keep that.
                self.state = state
                self._load_callback_state()
                self.clock.write_log(self.args, state)
                self.clock.stop()
                self._load_best_model()
                return
        self.clock.pieces_an_epoch = self.pieces_an_epoch
        with (
            packed_layers(self.model, enabled=not self._training.padding),
            sped_up(self.model, enabled=self.fast_cpu and not self.is_sharded),
            self.drawing_by_row(),
            memory_kept(enabled=self._training.fast_cpu),
            contextlib.closing(self.clock),
            self._save_points.watching(),
        ):
            self.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        has_reason = self.time_limit.is_reached or self._stopped_by_patience()
        if self.state.global_step < self.state.max_steps and not has_reason:
            # enable_jit_checkpoint ends training so; the run is not to count as finished.
            raise KeyboardInterrupt(f"stopped at step {self.state.global_step}")

    def _stopped_by_patience(self) -> bool:
        return any(
            callback.early_stopping_patience_counter >= callback.early_stopping_patience
            for callback in self.callback_handler.callbacks
            if isinstance(callback, EarlyStoppingCallback)
        )

    def get_train_dataloader(self) -> EpochDataLoader:
        """Return this process's share of every global batch."""
        return EpochDataLoader(
            self.train_dataset,
            batch_sampler=self._sampler(self.args),
            collate_fn=self.data_collator,
            num_workers=self.args.dataloader_num_workers,
            persistent_workers=self.args.dataloader_persistent_workers,
            prefetch_factor=self.args.dataloader_prefetch_factor,
            pin_memory=torch.cuda.is_available() and self.args.dataloader_pin_memory,
        )

    def _sampler(self, args: TrainingArguments) -> TokenBatchSampler:
        return TokenBatchSampler(
            self._lengths,
            tokens_per_batch=self._training.tokens_per_batch,
            seed=args.seed,
            processes=args.world_size,
            rank=args.process_index,
            accumulation=args.gradient_accumulation_steps,
            weights=self._window_weights,
            tasks=self._window_tasks,
            temperature=self._temperature,
        )

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> Any:
        """Create the schedule of the learning rate, of transformers or one of ours."""
        target = optimizer or self.optimizer
        if self.lr_scheduler is None and target is not None:
            self.lr_scheduler = own_schedule(
                self._training,
                target,
                warmup_steps=self.args.get_warmup_steps(num_training_steps),
                steps=num_training_steps,
            )
            self._created_lr_scheduler = self.lr_scheduler is not None
        return super().create_scheduler(num_training_steps, optimizer)

    def training_step(
        self,
        model: nn.Module,
        inputs: dict[str, torch.Tensor],
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Learn from one batch, and watch its loss."""
        loss = super().training_step(model, inputs, num_items_in_batch)
        self._watch.note(loss, self.state.global_step + 1)
        return loss

    @property
    def steps_an_epoch(self) -> int:
        """Optimizer steps of an epoch."""
        accumulated: int = self.args.gradient_accumulation_steps
        return len(self._sampler(self.args)) // accumulated

    @abstractmethod
    def place(self, window: int) -> str:
        """Say where a training window comes from."""

    def _blame(self, step: int) -> str:
        """Name the batch of a step whose loss is no number, and what to do about it."""
        epoch, number = divmod(step - 1, self.steps_an_epoch)
        batches = self._sampler(self.args).global_batches(epoch)
        places = [*dict.fromkeys(map(self.place, batches[number]))]
        return advice_on_batch(places, step, self._training.learning_rate, self.precision)

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Compute the loss of one batch, which may need several forward passes."""

        def forward(batch: Batch) -> Any:
            self.draw_for(batch, is_packed=not self._training.padding)
            return model(**{name: batch[name] for name in batch if name not in _NOT_READ})

        loss: torch.Tensor = self.compute_loss_func(forward, inputs, num_items_in_batch)
        if self.args.average_tokens_across_devices:
            # Gradients are averaged over the processes; ours are to be added up.
            loss = loss * self.accelerator.num_processes
        return loss

    @abstractmethod
    def evaluation(self) -> dict[str, float]:
        """Measure the model in training; `eval_score` is what checkpoints are compared by."""

    def evaluate(self, *_: object, **__: object) -> dict[str, float]:
        """Measure the model in training, and tell the callbacks."""
        with self.gathered():
            try:
                with self.clock.evaluating(self.args, self.state):
                    metrics = self.evaluation()
            except NotFiniteError:
                rate = self._training.learning_rate
                raise UserError(
                    f"Training stopped at step {self.state.global_step}: after it the model "
                    f"computes NaN or infinite values. {advice_on_rate(rate, self.precision)}"
                ) from None
            self.log(metrics)
            self.control = self.callback_handler.on_evaluate(
                self.args, self.state, self.control, metrics
            )
        return metrics

    @property
    def fast_cpu(self) -> bool:
        """Whether a CPU computes by our operations; torch.compile fuses the same itself."""
        return self._training.fast_cpu and not self.args.torch_compile

    @property
    def precision(self) -> str:
        """The precision that the model computes in: bf16, fp16 or fp32."""
        return precision_of(self.args)

    @property
    def pieces_an_epoch(self) -> float:
        """Pieces learned in an epoch, padding not counted."""
        return self._sampler(self.args).pieces_an_epoch
