"""Ours against the stock way: same data, same checkpoint, same machine, in turns.

    make bench                                  embedded data
    make bench ARGS=--quick                     within two minutes; figures are rough
    make bench DATA=folder ARGS="--epochs 20"   your NER data
    make bench ARGS="--scaling 10000 100000 1000000"

Prints a table, every figure as a ratio to the stock way, and as the last line one JSON object.
Every run is a process of its own; figures are medians over the turns.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

from tests.benchmarks.workers import Measured, in_turns, run_module

_TUNED = ("--batch", 32, "--bf16", "--grouped", "--learning-rate", 2e-4)
"""What a careful user of the stock Trainer sets by hand."""


def main() -> None:
    """Measure every side and print what they reached."""
    options = _options()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("training", file=sys.stderr)
        training = in_turns(
            {
                "stock": partial(_stock, options),
                "stock tuned": partial(_stock, options, tuned=True),
                "ours": partial(_ours, options, folder),
            },
            options.turns,
        )
        model = folder / "run-0" / "model"
        print("prediction", file=sys.stderr)
        prediction = in_turns(
            {
                engine: partial(_predict, options, model, engine)
                for engine in ("trainer", "pipeline-1", "pipeline-32", "ours")
            },
            options.turns,
        )
        start_up = in_turns(
            {
                "stock": lambda _: run_module("tests.benchmarks.stock", "--help"),
                "ours": lambda _: run_module("nlp_transfer", "--help"),
            },
            options.turns,
        )
        scaling = [_scale(options, folder, size) for size in options.scaling]
    _print(training, prediction, start_up, scaling)
    result = {"training": training, "prediction": prediction, "start_up": start_up}
    settings = {"data": options.data, "epochs": options.epochs, "turns": options.turns}
    print(json.dumps({**settings, **result, "scaling": scaling}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", default="samples/newsroom", help="folder with NER splits")
    parser.add_argument("--splits", type=json.loads, default={}, help="file names by split, JSON")
    parser.add_argument("--recipe", default="quickstart-ner")
    parser.add_argument("--epochs", type=float, default=5)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--sentences", type=int, default=1000, help="to predict")
    parser.add_argument(
        "--scaling", type=int, nargs="*", default=[10_000, 40_000], help="sentences, rising"
    )
    parser.add_argument("--quick", action="store_true", help="one turn of everything, and little")
    parser.add_argument("overrides", nargs="*", help="recipe keys for our side")
    options = parser.parse_args()
    if options.quick:
        options.turns, options.epochs, options.sentences, options.scaling = 1, 1, 200, [1000, 2000]
    return options


def _stock(options: argparse.Namespace, turn: int, *, tuned: bool = False) -> Measured:
    return run_module(
        "tests.benchmarks.stock",
        *("--source", options.data, "--splits", json.dumps(options.splits)),
        *("--epochs", options.epochs, "--seed", 42 + turn),
        *(_TUNED if tuned else ()),
    )


def _ours(options: argparse.Namespace, folder: Path, turn: int) -> Measured:
    return run_module(
        "tests.benchmarks.learning",
        *(options.recipe, folder / f"run-{turn}"),
        *(f"data.source={options.data}", f"data.splits={json.dumps(options.splits)}"),
        *(f"training.epochs={options.epochs}", f"training.seed={42 + turn}"),
        *options.overrides,
    )


def _predict(options: argparse.Namespace, model: Path, engine: str, _: int) -> Measured:
    return run_module(
        "tests.benchmarks.predicting",
        *(engine, "--model", model, "--sentences", options.sentences),
        *("--source", options.data, "--splits", json.dumps(options.splits)),
    )


def _scale(options: argparse.Namespace, folder: Path, sentences: int) -> Measured:
    """Predict so many sentences with the command, from a file to a file."""
    texts, results = folder / "texts.txt", folder / "results.jsonl"
    with texts.open("w", encoding="utf-8") as file:
        file.writelines(islice(_texts(options), sentences))
    command = ("predict", folder / "run-0", texts, "--output", results)
    return {"sentences": sentences, **run_module("nlp_transfer", *command)}


def _texts(options: argparse.Namespace) -> Iterator[str]:
    """Repeat the training sentences without end, one a line."""
    from nlp_transfer.data.load import load_ner
    from nlp_transfer.recipe import DataSection

    data = DataSection(source=options.data, splits=options.splits)
    sentences = list(load_ner(data, types=None)["train"]["words"])
    while True:
        yield from (" ".join(words) + "\n" for words in sentences)


def _print(
    training: Mapping[str, Measured],
    prediction: Mapping[str, Measured],
    start_up: Mapping[str, Measured],
    scaling: list[dict[str, Any]],
) -> None:
    """Print the tables."""
    for title, sides in (("training", training), ("prediction", prediction)):
        print(f"\n{title:12} {'sentences/s':>12} {'ours is':>8} {'entity F1':>10} {'peak MB':>8}")
        ours = sides["ours"]["sentences_per_second"]
        for side, row in sides.items():
            ratio = ours / row["sentences_per_second"]
            print(
                f"{side:12} {row['sentences_per_second']:>12.1f} {ratio:>7.2f}x "
                f"{row['entity_f1']:>10.4f} {row['peak_mb']:>8.0f}"
            )
    stock, ours = (start_up[side]["total_seconds"] for side in ("stock", "ours"))
    print(f"\nstart-up (--help): stock {stock:.2f} s, ours {ours:.2f} s, {stock / ours:.1f}x")
    print(f"\n{'nlpt predict':>12} {'seconds':>8} {'us a further sentence':>22} {'peak MB':>8}")
    for before, row in pairwise([{"sentences": 0, "total_seconds": 0.0}, *scaling]):
        further = row["total_seconds"] - before["total_seconds"]
        each = 1e6 * further / (row["sentences"] - before["sentences"])
        print(
            f"{row['sentences']:>12,} {row['total_seconds']:>8.1f} {each:>22.1f} "
            f"{row['peak_mb']:>8}"
        )


if __name__ == "__main__":
    main()
