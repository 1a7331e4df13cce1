"""Texts in, a checkpoint that has read them out: masked-language modelling goes on.

source: Gururangan et al. 2020 (domain- and task-adaptive pretraining); Devlin et al. 2019 (masks)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import TrainerCallback, TrainingArguments, set_seed

from nlp_transfer.data.masking import MaskedWindows, cut_texts
from nlp_transfer.errors import UserError
from nlp_transfer.inference.engine import token_batches
from nlp_transfer.inference.precision import autocast
from nlp_transfer.metrics.flat import by_path
from nlp_transfer.models.build import LoadedModel, build_masked_lm, log_new_parameters
from nlp_transfer.models.checkpoint import resolve_checkpoint
from nlp_transfer.models.packing import check_packable
from nlp_transfer.models.pooling import pooling_to_keep
from nlp_transfer.recipe import TrainingSection
from nlp_transfer.strategies.context import Batch, Forward, TransferRecipe
from nlp_transfer.tasks.arrays import pad
from nlp_transfer.tasks.objective import IGNORED
from nlp_transfer.training.arguments import training_arguments
from nlp_transfer.training.budget_trainer import BudgetTrainer
from nlp_transfer.training.domain_texts import shuffled_texts, texts_read
from nlp_transfer.training.fingerprints import Read
from nlp_transfer.training.progress import Progress
from nlp_transfer.training.trackers import Trackers

HEADLINE = "masked accuracy"


@dataclass(frozen=True)
class Reading:
    """What a model reads, and is measured on."""

    loaded: LoadedModel
    train: MaskedWindows
    held_out: MaskedWindows
    lengths: list[int]
    counts: Mapping[str, int]
    read: Read
    """Fingerprints of the texts and the checkpoint."""
    pooling: str | None
    """What of a text the checkpoint was trained to be read by: mean or first; None: not told."""


def load_texts(recipe: TransferRecipe) -> Reading:
    """Load texts and checkpoint, and cut the texts into windows.

    raises: UserError for too few texts, or a checkpoint that cannot guess words
    """
    section, options = recipe.pretraining, recipe.model
    folder = resolve_checkpoint(options.checkpoint, revision=options.revision)
    texts = shuffled_texts(recipe)
    seed = recipe.training.seed
    set_seed(seed)
    loaded = build_masked_lm(folder, options)
    if not recipe.training.padding:
        check_packable(loaded.model, options.attention)
    tokenizer = loaded.tokenizer
    if tokenizer.mask_token_id is None:
        raise UserError(f"model.checkpoint: the tokenizer of {folder} has no mask token.")
    if loaded.new_parameters:
        log_new_parameters(loaded, options.checkpoint, head="language-modelling head")
    count = max(1, round(section.held_out * len(texts)))
    parts = [
        list(cut_texts(part, tokenizer, max_pieces=options.max_pieces))
        for part in (texts[count:], texts[:count])
    ]
    train, held_out = (
        MaskedWindows(
            part, tokenizer, mask=section.mask, whole_words=section.whole_words, seed=seed
        )
        for part in parts
    )
    lengths = [len(window["input_ids"]) for window in parts[0]]
    counts = {
        "texts": len(texts) - count,
        "held_out_texts": count,
        "windows": len(train),
        "pieces": sum(lengths),
    }
    read = texts_read(recipe, texts, start=folder)
    return Reading(loaded, train, held_out, lengths, counts, read, pooling_to_keep(folder))


def describe_texts(reading: Reading) -> dict[str, Any]:
    """Describe the data of a run for data.json: fingerprints and counts."""
    train = {"sha256": reading.read["texts"]["sha256"], **reading.counts}
    return {"splits": {"train": train}, "read": reading.read}


class PretrainingTrainer(BudgetTrainer):
    """Trains a model to guess hidden words."""

    def __init__(self, reading: Reading, section: TrainingSection, args: TrainingArguments) -> None:
        self._held_out = reading.held_out
        self._pad_id: int = reading.loaded.tokenizer.pad_token_id
        super().__init__(
            lengths=reading.lengths,
            training=section,
            model=reading.loaded.model,
            args=args,
            train_dataset=reading.train,
            eval_dataset=reading.held_out,
            data_collator=self._collate,
            compute_loss_func=_mean_over_hidden,
            callbacks=[Progress(HEADLINE, section.max_minutes)],
        )

    def _collate(self, rows: Sequence[Mapping[str, list[int]]]) -> dict[str, torch.Tensor]:
        return {
            "input_ids": pad([row["input_ids"] for row in rows], self._pad_id),
            "attention_mask": pad([[1] * len(row["input_ids"]) for row in rows], 0),
            "labels": pad([row["labels"] for row in rows], IGNORED),
        }

    def place(self, window: int) -> str:
        """Name a training window by its number; texts are cut without regard to their lines."""
        return f"window {window + 1}"

    def evaluation(self) -> dict[str, float]:
        """Measure on the held-out texts, always with the same words hidden."""
        measured = self.measure()
        return {"eval_score": measured["accuracy"], "eval_loss": measured["loss"]}

    def measure(self) -> dict[str, float]:
        """Return loss, pseudo-perplexity and accuracy over the hidden pieces of held-out texts."""
        model = self.whole_model().eval()
        device = next(model.parameters()).device
        loss, right, count = 0.0, 0, 0
        windows = [self._held_out[number] for number in range(len(self._held_out))]
        for batch in token_batches(windows, self._training.tokens_per_batch):
            rows = [windows[number] for number in batch.windows]
            tensors = {name: tensor.to(device) for name, tensor in self._collate(rows).items()}
            labels = tensors.pop("labels")
            with torch.inference_mode(), autocast(device.type, self.precision):
                logits = model(**tensors).logits
            hidden = labels != IGNORED
            loss += float(_loss_sum(logits, labels))
            right += int((logits.argmax(-1)[hidden] == labels[hidden]).sum())
            count += int(hidden.sum())
        mean = loss / count
        return {"loss": mean, "perplexity": math.exp(min(mean, 700)), "accuracy": right / count}


def _mean_over_hidden(forward: Forward, batch: Batch, items: torch.Tensor) -> torch.Tensor:
    return _loss_sum(forward(batch).logits, batch["labels"]) / items


def _loss_sum(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return cross_entropy(
        logits.float().flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum"
    )


def read_on(
    recipe: TransferRecipe,
    reading: Reading,
    checkpoints: Path,
    resumed: Path | None,
    callbacks: Sequence[TrainerCallback] = (),
) -> tuple[Reading, dict[str, Any]]:
    """Train the model.

    resumed:   the checkpoint of an interrupted run, to go on from
    callbacks: watch the training
    returns:   what was read, with the model that has; and the figures for metrics.json
    """
    section = section_of(recipe)
    trainer = PretrainingTrainer(reading, section, training_arguments(section, checkpoints))
    for callback in callbacks:
        trainer.add_callback(callback)
    reading.loaded.model.to(trainer.args.device)
    with Trackers() as trackers:
        trackers.hold(trainer)
        before = trainer.measure()
        trainer.learn(resumed)
        trainer.unshard()
        held_out = {"before": before, "after": trainer.measure()}
        trackers.log({f"eval/{path}": value for path, value in by_path(held_out).items()})
    metrics = {
        "schema": 1,
        "task": "pretraining",
        "recipe": recipe.name,
        "held_out": held_out,
        "training": {
            **reading.counts,
            "seconds": round(trainer.clock.seconds, 2),
            "steps": trainer.state.global_step,
            **trainer.unusual,
            "precision": trainer.precision,
            "world_size": trainer.args.world_size,
            "wrapped": trainer.wrapper,
        },
    }
    learned = replace(reading.loaded, model=trainer.whole_model())
    return replace(reading, loaded=learned), metrics


def section_of(recipe: TransferRecipe) -> TrainingSection:
    """Return the training section with what the pretraining section says instead."""
    own = recipe.pretraining
    changes = {
        "epochs": own.epochs,
        "learning_rate": own.learning_rate,
        "tokens_per_batch": own.tokens_per_batch,
    }
    return recipe.training.model_copy(update=changes)
