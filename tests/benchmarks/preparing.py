"""Tokenize and align: ours against `datasets.map` on one core; `nlpt prepare` as the data grows.

    make bench-prepare                                       20,000 sentences; 10,000 and 100,000
    make bench-prepare ARGS="--sizes 100000 1000000"         time and memory of a million

Prints a table and, as the last line, one JSON object. The data is made up: sentences of 20 words
from a vocabulary of 30,000, every sentence with one entity.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_WORDS = 20


def main() -> None:
    """Measure both and print what was reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sentences", type=int, default=20_000, help="of the comparison")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 100_000])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result: dict[str, Any] = _compare(Path(folder, "compared"), options)
        print(f"{'sentences':>10} {'seconds':>8} {'peak MB':>8}   nlpt prepare, one process")
        result["prepare"] = [_prepare(Path(folder, str(size)), size) for size in options.sizes]
    print(json.dumps(result))


def _compare(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    import datasets

    from nlp_transfer import load_recipe
    from nlp_transfer.models.build import build_model
    from nlp_transfer.models.checkpoint import resolve_checkpoint
    from nlp_transfer.training.encoding import encode as encode_windows
    from tests.benchmarks.stock import encode

    datasets.disable_progress_bars()
    datasets.disable_caching()
    _write(folder, options.sentences)
    recipe = load_recipe("quickstart-ner", [f"data.source={folder}"])
    splits = recipe.task.rows.load(recipe.data)
    checkpoint = resolve_checkpoint(recipe.model.checkpoint)
    loaded = build_model(checkpoint, recipe.task.head.new(splits.labels), recipe.model)
    rows = splits["train"]
    seconds: dict[str, list[float]] = {"stock": [], "ours": []}
    for _ in range(options.turns):
        start = time.monotonic()
        stock = rows.map(
            encode,
            batched=True,
            remove_columns=rows.column_names,
            fn_kwargs={"tokenizer": loaded.tokenizer, "ids": loaded.model.config.label2id},
        )
        seconds["stock"].append(time.monotonic() - start)
        start = time.monotonic()
        ours = encode_windows(recipe.task, rows, loaded, recipe.model).windows
        seconds["ours"].append(time.monotonic() - start)
    _check_same(stock, ours)
    rates = {side: round(len(rows) / statistics.median(taken)) for side, taken in seconds.items()}
    ratio = round(rates["ours"] / rates["stock"], 2)
    print(f"tokenize + align, sentences/s on one core: {rates}, ratio {ratio}, same result")
    return {**rates, "ratio": ratio, "turns": options.turns}


def _check_same(stock: Any, ours: Any) -> None:
    for theirs, own in zip(stock, ours, strict=True):
        labels = [-100] * len(own["input_ids"])
        for position, label in zip(own["positions"], own["labels"], strict=True):
            labels[position] = label
        assert (theirs["input_ids"], theirs["labels"]) == (own["input_ids"], labels)


def _prepare(folder: Path, sentences: int) -> dict[str, float]:
    _write(folder, sentences)
    environment = {**os.environ, "NLPT_CACHE": str(folder / "cache")}
    command = ["nlp_transfer", "prepare", "--recipe", "quickstart-ner", f"data.source={folder}"]
    start = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", *command],
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    seconds = round(time.monotonic() - start, 1)
    # The largest of the children so far, so sizes are to grow.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(f"{sentences:>10,} {seconds:>8.1f} {peak:>8,}")
    return {"sentences": sentences, "seconds": seconds, "peak_mb": peak}


def _write(folder: Path, sentences: int) -> None:
    draw = random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyz"
    vocabulary = ["".join(draw.choices(letters, k=draw.randint(2, 9))) for _ in range(30_000)]
    folder.mkdir()
    for split, count in (("train", sentences), ("dev", 100), ("test", 100)):
        with (folder / f"{split}.conll").open("w", encoding="utf-8") as file:
            for _ in range(count):
                entity = draw.randrange(_WORDS)
                for index, word in enumerate(draw.choices(vocabulary, k=_WORDS)):
                    file.write(f"{word}\t{'B-PER' if index == entity else 'O'}\n")
                file.write("\n")


if __name__ == "__main__":
    main()
