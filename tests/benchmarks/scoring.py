"""Seconds and memory of scoring: figures, slices, intervals, comparing two runs.

    make bench-scoring                                      100,000 sentences, 20,000 texts
    make bench-scoring ARGS="--sentences 1000 --texts 1000"

A sentence has 20 words. Every part is a process of its own, so that its memory is its own; seconds
are those of the processor. Prints a table, and as the last line one JSON object.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.workers import processor, run_module

WORDS = 20
_RESAMPLES = 1000
_VOCABULARY = 30_000


def main() -> None:
    """Measure every part, or one of them."""
    options = _options()
    if options.part:
        print(json.dumps(PARTS[options.part](options)))
        return
    result = measure(options.sentences, options.texts)
    show(result)
    print(json.dumps({"processor": processor(), **result}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sentences", type=int, default=100_000)
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--types", type=int, default=4)
    parser.add_argument("--classes", type=int, default=150)
    parser.add_argument("--part", choices=[*PARTS])
    parser.add_argument("--folder", type=Path)
    return parser.parse_args()


def measure(sentences: int, texts: int) -> dict[str, Any]:
    """Measure sentences with 4 and 20 types, a comparison, and texts of 150 classes."""
    module = ("tests.benchmarks.scoring", "--sentences", sentences, "--texts", texts)
    kinds = (4, 20) if sentences > 10_000 else (4,)
    entities = {
        types: run_module(*module, "--types", types, "--part", "entities") for types in kinds
    }
    with tempfile.TemporaryDirectory() as folder:
        place = ("--folder", folder, "--types", 4)
        run_module(*module, *place, "--part", "predictions")
        compared = run_module(*module, *place, "--part", "compare")
    classes = run_module(*module, "--part", "classes")
    return {
        "sentences": sentences,
        "texts": texts,
        "entities": entities,
        "compare": compared,
        "classes": classes,
    }


def show(result: dict[str, Any]) -> None:
    """Print the table."""
    sentences = f"{result['sentences']:,} sentences"
    rows = [(f"{sentences}, {n} types", figures) for n, figures in result["entities"].items()]
    rows.append((f"{result['texts']:,} texts, 150 classes", result["classes"]))
    columns = ("figures", "slices", "intervals")
    print(f"\n{'scoring, seconds':32}", *(f"{name:>10}" for name in columns), f"{'peak MB':>9}")
    for name, row in rows:
        print(f"{name:32}", *(f"{row[column]:>10.2f}" for column in columns), end="")
        print(f" {row['peak_mb']:>9,}")
    compared = result["compare"]
    print(f"{f'compare two, {sentences}':32} {compared['seconds']:>10.2f}", end="")
    print(f"{'':23} {compared['peak_mb']:>9,}")


# --- sentences ------------------------------------------------------------------------------------


def _tagged(draw: random.Random, kinds: Sequence[str]) -> list[str]:
    """Tag a sentence: an eighth of its words begin an entity of one to three words."""
    tags: list[str] = []
    while len(tags) < WORDS:
        if draw.random() < 1 / 8:
            kind, length = draw.choice(kinds), draw.choice((1, 1, 2, 2, 3))
            tags += [f"B-{kind}", *[f"I-{kind}"] * (length - 1)]
        else:
            tags.append("O")
    return tags[:WORDS]


def _sentences(options: argparse.Namespace, *, seed: int) -> Iterator[tuple[Any, Any, Any]]:
    """Draw (words, gold, predicted); seed: of what is predicted, in which a tenth is wrong."""
    from nlp_transfer.data.tags import to_iob2

    draw, wrong = random.Random(1), random.Random(seed)
    kinds = [f"T{number}" for number in range(options.types)]
    labels = ["O", *(f"{prefix}-{kind}" for kind in kinds for prefix in "BI")]
    vocabulary = [f"{'A' if n % 3 else 'a'}word{n}" for n in range(_VOCABULARY)]
    for _ in range(options.sentences):
        gold = _tagged(draw, kinds)
        found = [wrong.choice(labels) if wrong.random() < 0.05 else tag for tag in gold]
        yield draw.choices(vocabulary, k=WORDS), gold, to_iob2(found, "iob2")[0]


def _rows(options: argparse.Namespace, *, seed: int = 2) -> tuple[Any, list[Any]]:
    """Make the rows of a split, and predictions for them."""
    from datasets import Dataset

    from nlp_transfer.data.tags import spans
    from nlp_transfer.tasks.ner.decoding import Tagging

    columns: dict[str, list[Any]] = {"words": [], "tags": [], "where": []}
    predictions, draw = [], random.Random(seed)
    for words, gold, found in _sentences(options, seed=seed):
        columns["words"].append(words)
        columns["tags"].append(gold)
        columns["where"].append("test.conll:1")
        scores = [draw.random() for _ in spans(found)]
        predictions.append(Tagging(tuple(found), (), tuple(scores), tuple(scores)))
    return Dataset.from_dict(columns), predictions


def _entities(options: argparse.Namespace) -> dict[str, float]:
    from nlp_transfer.tasks.ner.task import NerTask

    return _scored(NerTask(), *_rows(options))


def _scored(task: Any, rows: Any, predictions: Any) -> dict[str, float]:
    """Take the time of every figure and slice, with one resample and with a thousand."""

    def figures(samples: int) -> None:
        task.scores.figures(rows, predictions, samples=samples)

    def slices(samples: int) -> None:
        task.error_analysis.analyse(rows, predictions, train=rows, columns=(), samples=samples)

    figures(1)  # scikit-learn is imported
    plain = [_seconds(lambda part=part: part(1)) for part in (figures, slices)]
    whole = [_seconds(lambda part=part: part(_RESAMPLES)) for part in (figures, slices)]
    return {
        "figures": plain[0],
        "slices": plain[1],
        "intervals": max(0.0, round(sum(whole) - sum(plain), 2)),
    }


def _seconds(part: Callable[[], None]) -> float:
    start = time.process_time()
    part()
    return round(time.process_time() - start, 2)


def _predictions(options: argparse.Namespace) -> dict[str, float]:
    """Write the predictions of two runs, as runs write them."""
    from nlp_transfer.data.arrow_tables import iterate
    from nlp_transfer.tasks.ner.results import NerResults

    for run in (2, 3):
        rows, predictions = _rows(options, seed=run)
        with (options.folder / f"{run}.jsonl").open("w", encoding="utf-8") as file:
            for row, prediction in zip(iterate(rows), predictions, strict=True):
                file.write(json.dumps(NerResults().example(row, prediction)) + "\n")
    return {}


def _compare(options: argparse.Namespace) -> dict[str, float]:
    from nlp_transfer.flows.compare import compare

    sides = (options.folder / "2.jsonl", options.folder / "3.jsonl")
    return {"seconds": _seconds(lambda: compare(*sides))}


# --- texts ----------------------------------------------------------------------------------------


def _classes(options: argparse.Namespace) -> dict[str, float]:
    from datasets import Dataset

    from nlp_transfer.tasks.classification.decoding import Classification
    from nlp_transfer.tasks.classification.task import ClassificationTask

    draw = random.Random(1)
    names = [f"class {number}" for number in range(options.classes)]
    columns: dict[str, list[Any]] = {
        "text": [], "text_pair": [], "labels": [], "where": []
    }  # fmt: skip
    predictions = []
    for number in range(options.texts):
        gold = draw.choice(names)
        found = draw.choice(names) if draw.random() < 0.1 else gold
        scores = {name: draw.random() / options.classes for name in names}
        scores[found] += 0.5
        columns["text"].append(f"text {number}")
        columns["text_pair"].append(None)
        columns["labels"].append([gold])
        columns["where"].append("test.csv:1")
        predictions.append(Classification((found,), scores))
    return _scored(ClassificationTask(), Dataset.from_dict(columns), predictions)


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, float]]] = {
    "entities": _entities,
    "predictions": _predictions,
    "compare": _compare,
    "classes": _classes,
}

if __name__ == "__main__":
    main()
