"""The stock way of fine-tuning for NER, as tutorials and run_ner.py do it: our yardstick.

First-piece labels, dynamic padding, Trainer with batches of 8 sentences, learning rate 5e-5, linear
decay, fp32; or tuned by hand: another batch, bf16, grouped by length. Prints one JSON object:
seconds of training, sentences learned a second, entity F1.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

import datasets
import torch
from transformers import (
    AutoModelForTokenClassification,
    AutoTokenizer,
    DataCollatorForTokenClassification,
    Trainer,
    TrainingArguments,
    set_seed,
)

from nlp_transfer.data.tags import iob2_labels, to_iob2
from nlp_transfer.metrics.entities import entity_f1
from nlp_transfer.models.checkpoint import resolve_checkpoint
from nlp_transfer.recipe import DataSection
from nlp_transfer.tasks.ner.rows import NerRows


def main() -> None:
    """Train on the given data and print the outcome."""
    print(json.dumps(train(read_options())))


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read how to train; arguments: those of the command line if None."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", required=True)
    parser.add_argument("--splits", type=json.loads, default={})
    parser.add_argument("--checkpoint", default="samples/minilm")
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=5e-5)
    parser.add_argument("--warmup", type=float, default=0, help="share of the steps")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--grouped", action="store_true", help="batches of like lengths")
    parser.add_argument("--saved", choices=("epoch", "no"), default="epoch")
    parser.add_argument("--seed", type=int, default=42)
    return parser.parse_args(arguments)


def train(options: argparse.Namespace) -> dict[str, Any]:
    """Run the stock recipe once."""
    splits = NerRows().load(DataSection(source=options.source, splits=options.splits))
    set_seed(options.seed)
    labels = iob2_labels(splits.labels)
    folder = resolve_checkpoint(options.checkpoint)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForTokenClassification.from_pretrained(folder, num_labels=len(labels))
    encoded = {
        split: splits[split].map(
            lambda batch: encode(batch, tokenizer, {name: i for i, name in enumerate(labels)}),
            batched=True,
            remove_columns=splits[split].column_names,
        )
        for split in ("train", "test")
    }
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=folder,
                per_device_train_batch_size=options.batch,
                per_device_eval_batch_size=8,
                learning_rate=options.learning_rate,
                warmup_steps=options.warmup,
                use_cpu=not torch.accelerator.is_available(),
                bf16=options.bf16,
                train_sampling_strategy="group_by_length" if options.grouped else "random",
                num_train_epochs=options.epochs,
                seed=options.seed,
                save_strategy=options.saved,  # as ours does, so that both pay for it
                save_total_limit=2,
                report_to="none",
                disable_tqdm=True,
                logging_strategy="no",
            ),
            train_dataset=encoded["train"],
            data_collator=DataCollatorForTokenClassification(tokenizer),
            processing_class=tokenizer,
        )
        began = time.monotonic()
        trainer.train()
        seconds = time.monotonic() - began
        # Grouped by length, the Trainer predicts in another order than the data's.
        trainer.args.train_sampling_strategy = "random"
        output = trainer.predict(encoded["test"])
    tags = word_tags(splits["test"], output, dict(enumerate(labels)))
    learned = len(splits["train"]) * options.epochs
    return {
        "train_seconds": round(seconds, 1),
        "sentences_per_second": round(learned / seconds, 1),
        "entity_f1": round(entity_f1(splits["test"]["tags"], tags), 4),
        **device_memory(),
    }


def device_memory() -> dict[str, float]:
    """Return the most memory that was taken of a GPU, where there is one."""
    if not torch.cuda.is_available():
        return {}
    return {"device_mb": round(torch.cuda.max_memory_allocated() / 1e6, 1)}


def encode(batch: Any, tokenizer: Any, ids: dict[str, int]) -> Any:
    """Align as run_ner.py does: the first piece of a word has its label, the others -100."""
    encoded = tokenizer(batch["words"], is_split_into_words=True, truncation=True, max_length=512)
    encoded["labels"] = []
    for number, tags in enumerate(batch["tags"]):
        previous, row = None, []
        for word in encoded.word_ids(number):
            row.append(-100 if word is None or word == previous else ids[tags[word]])
            previous = word
        encoded["labels"].append(row)
    return encoded


def word_tags(rows: datasets.Dataset, output: Any, labels: Mapping[int, str]) -> list[list[str]]:
    """Read a tag a word out of what Trainer.predict returns; words not reached are O."""
    predicted = []
    for tags, best, marks in zip(
        rows["tags"], output.predictions.argmax(-1), output.label_ids, strict=True
    ):
        found = [labels[int(i)] for i, mark in zip(best, marks, strict=True) if mark != -100]
        found += ["O"] * (len(tags) - len(found))
        predicted.append(to_iob2(found, "iob2")[0])
    return predicted


if __name__ == "__main__":
    main()
