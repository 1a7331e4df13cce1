"""One way of predicting NER, measured: ours, transformers' pipeline, or its Trainer.

Prints one JSON object: sentences a second (loading left out), entity F1.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nlp_transfer.data.tags import to_iob2
from nlp_transfer.metrics.entities import entity_f1
from nlp_transfer.recipe import DataSection
from nlp_transfer.tasks.ner.rows import NerRows

Words = Sequence[Sequence[str]]
Tags = list[list[str]]


def main() -> None:
    """Predict with one engine and print the outcome."""
    print(json.dumps(measure(read_options())))


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read what to measure; arguments: those of the command line if None."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("engine", choices=[*ENGINES])
    parser.add_argument("--run", type=Path, required=True, help="a run folder")
    parser.add_argument("--source", required=True)
    parser.add_argument("--splits", type=json.loads, default={})
    parser.add_argument("--sentences", type=int, default=1000, help="the test split, repeated")
    parser.add_argument("--seconds", type=float, default=10, help="predict again until then")
    parser.add_argument("--precision", default="auto", help="of ours")
    return parser.parse_args(arguments)


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Predict with one engine until the seconds are over."""
    test = NerRows().load(DataSection(source=options.source, splits=options.splits))["test"]
    times = -(-options.sentences // len(test))
    words = (list(test["words"]) * times)[: options.sentences]
    gold = (list(test["tags"]) * times)[: options.sentences]
    predict = ENGINES[options.engine](options)
    predict(words[:32])  # what happens once only
    start, rounds = time.monotonic(), 0
    while (seconds := time.monotonic() - start) < options.seconds or not rounds:
        tags = predict(words)
        rounds += 1
    return {
        "sentences_per_second": round(rounds * len(words) / seconds, 1),
        "entity_f1": round(entity_f1(gold, tags), 4),
    }


def _ours(engine: str) -> Callable[[argparse.Namespace], Callable[[Words], Tags]]:
    def load(options: argparse.Namespace) -> Callable[[Words], Tags]:
        from nlp_transfer import Predictor

        predictor = Predictor.from_run(options.run, precision=options.precision, engine=engine)
        return lambda words: [
            found["tags"] for found in predictor({"tokens": sentence} for sentence in words)
        ]

    return load


def _pipeline(batch: int) -> Callable[[argparse.Namespace], Callable[[Words], Tags]]:
    def load(options: argparse.Namespace) -> Callable[[Words], Tags]:
        from transformers import pipeline

        tagger = pipeline(
            "token-classification", model=str(options.run / "model"), aggregation_strategy="simple"
        )

        def predict(words: Words) -> Tags:
            texts = [" ".join(sentence) for sentence in words]
            found = tagger(texts, batch_size=batch)
            return [_tags_of(*pair) for pair in zip(words, found, strict=True)]

        return predict

    return load


def _tags_of(words: Sequence[str], entities: Sequence[dict[str, Any]]) -> list[str]:
    """Read the pipeline's entities back to words, each word by its first character."""
    types = {}
    for entity in entities:
        types.update(dict.fromkeys(range(entity["start"], entity["end"]), entity["entity_group"]))
    tags, start = [], 0
    for word in words:
        tags.append(f"I-{types[start]}" if start in types else "O")
        start += len(word) + 1
    return to_iob2(tags, "iob1")[0]


def _trainer(options: argparse.Namespace) -> Callable[[Words], Tags]:
    from datasets import Dataset
    from transformers import (
        AutoModelForTokenClassification,
        AutoTokenizer,
        DataCollatorForTokenClassification,
        Trainer,
        TrainingArguments,
    )

    from tests.benchmarks.stock import encode, word_tags

    tokenizer = AutoTokenizer.from_pretrained(options.run / "model")
    model = AutoModelForTokenClassification.from_pretrained(options.run / "model")
    names = model.config.id2label

    def predict(words: Words) -> Tags:
        rows = Dataset.from_dict(
            {"words": words, "tags": [["O"] * len(sentence) for sentence in words]}
        )
        encoded = rows.map(
            encode,
            batched=True,
            remove_columns=rows.column_names,
            fn_kwargs={"tokenizer": tokenizer, "ids": {"O": 0}},
        )
        with tempfile.TemporaryDirectory() as folder:
            trainer = Trainer(
                model=model,
                args=TrainingArguments(output_dir=folder, report_to="none", disable_tqdm=True),
                data_collator=DataCollatorForTokenClassification(tokenizer),
                processing_class=tokenizer,
            )
            return word_tags(rows, trainer.predict(encoded), names)

    return predict


ENGINES: dict[str, Callable[[argparse.Namespace], Callable[[Words], Tags]]] = {
    "ours": _ours("torch"),
    "ours-int8": _ours("onnx"),
    "ours-compiled": _ours("compiled"),
    "pipeline-1": _pipeline(1),
    "pipeline-32": _pipeline(32),
    "trainer": _trainer,
}

if __name__ == "__main__":
    main()
