"""Ours against the stock way: same data, same checkpoint, same machine, in turns.

    make bench                                  embedded data
    make bench ARGS=--quick                     within two minutes; figures are rough
    make bench DATA=folder ARGS="--epochs 3"    your NER data
    make bench DATA=folder ARGS="--run folder"  your NER run: prediction only

Prints a table, every figure as a ratio to the stock way, and as the last line one JSON object.
Every run is a process of its own; figures are medians over the turns.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from tests.benchmarks import scoring, serving
from tests.benchmarks.workers import Measured, in_turns, processor, run_module

_TUNED = ("--batch", 32, "--bf16", "--grouped", "--learning-rate", 2e-4, "--warmup", 0.1)
"""What a careful user of the stock Trainer sets by hand."""
_OURS = ("strategies=[{name: full}]", "training.learning_rate=2e-4", "model.max_pieces=256")
"""The stock Trainer learns all weights too; the learning rate is that of the careful user."""


def main() -> None:
    """Measure every side and print what they reached."""
    options = _options()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = folder / "run-0"
        if options.run:
            training = {}
            shutil.copytree(options.run, run, ignore=shutil.ignore_patterns("onnx"))
        else:
            training = _in_turns("training", _training_sides(options, folder), options)
        any_parity = ("--min-agreement", 0, "--max-f1-drop", 1)  # what it is, the tables tell
        exported = run_module(
            "nlp_transfer", "export", run, "--quantize", "int8", *any_parity, "--json"
        )
        prediction = _in_turns("prediction", _prediction_sides(options, run), options)
        start_up = _in_turns("start-up", _start_up_sides(), options)
        sentences = ("--sentences", options.prepare, "--turns", options.turns, "--sizes")
        prepare = run_module("tests.benchmarks.preparing", *sentences)
        scaling = [_predict_file(options, run, folder, size) for size in (1, *options.scaling)]
        sizes = (32, options.evaluate) if options.evaluate else ()
        evaluation = [_evaluate(run, folder, options, size) for size in sizes]
        served = serving.measure(
            run,
            engine="auto",
            seconds=max(1, options.seconds),
            turns=options.turns,
            requests=options.requests,
        )
    scored = scoring.measure(options.score, min(options.score, 20_000))
    result = {
        "processor": processor(),
        "data": options.data,
        "epochs": options.epochs,
        "turns": options.turns,
        "training": training,
        "prediction": prediction,
        "export": {name: exported[name] for name in exported if name != "peak_mb"},
        "prepare": prepare,
        "start_up": start_up,
        "scaling": scaling,
        "evaluation": evaluation,
        "scoring": scored,
        "serving": served,
    }
    _print(result)
    print(json.dumps(result))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", default="samples/newsroom", help="folder with NER splits")
    parser.add_argument("--splits", type=json.loads, default={}, help="file names by split, JSON")
    parser.add_argument("--run", type=Path, help="predict with this run folder, train nothing")
    parser.add_argument("--recipe", default="quickstart-ner")
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--sentences", type=int, default=2000, help="to predict")
    parser.add_argument("--seconds", type=float, default=10, help="of predicting, at least")
    parser.add_argument("--prepare", type=int, default=20_000, help="sentences to tokenize")
    parser.add_argument("--evaluate", type=int, default=100_000, help="sentences to score, or 0")
    parser.add_argument("--requests", type=int, default=2000, help="to serve at least")
    parser.add_argument("--score", type=int, default=100_000, help="sentences whose tags to score")
    parser.add_argument(
        "--scaling",
        type=int,
        nargs="*",
        default=[10_000, 100_000, 1_000_000],
        help="sentences to predict from file to file, rising",
    )
    parser.add_argument("--quick", action="store_true", help="one turn of everything, and little")
    parser.add_argument("overrides", nargs="*", help="recipe keys for our side")
    options = parser.parse_args()
    if options.quick:
        options.turns, options.epochs, options.sentences, options.scaling = 1, 0.25, 200, [500]
        options.prepare, options.evaluate, options.seconds = 1000, 0, 0
        options.score, options.requests = 1000, 640
    return options


def _in_turns(title: str, sides: Any, options: argparse.Namespace) -> dict[str, Measured]:
    print(title, file=sys.stderr)
    return in_turns(sides, options.turns)


def _training_sides(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    return {
        "stock": partial(_stock, options),
        "stock tuned": partial(_stock, options, tuned=True),
        "ours": partial(_ours, options, folder),
    }


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
        *(*_OURS, *options.overrides),
    )


def _prediction_sides(options: argparse.Namespace, run: Path) -> dict[str, Any]:
    engines = ["trainer", "pipeline-1", "pipeline-32", "ours", "ours-int8"]
    if not options.quick:  # half a minute of compiling
        engines.append("ours-compiled")
    return {engine: partial(_predict, options, run, engine) for engine in engines}


def _predict(options: argparse.Namespace, run: Path, engine: str, _: int) -> Measured:
    return run_module(
        "tests.benchmarks.predicting",
        *(engine, "--run", run, "--sentences", options.sentences),
        *("--seconds", options.seconds),
        *("--source", options.data, "--splits", json.dumps(options.splits)),
    )


def _start_up_sides() -> dict[str, Any]:
    return {
        "stock": lambda _: run_module("tests.benchmarks.stock", "--help"),
        "ours": lambda _: run_module("nlp_transfer", "--help"),
    }


def _predict_file(
    options: argparse.Namespace, run: Path, folder: Path, sentences: int
) -> dict[str, Any]:
    """Predict so many sentences with the command, from a file to a file."""
    texts, results = folder / "texts.txt", folder / "results.jsonl"
    with texts.open("w", encoding="utf-8") as file:
        file.writelines(" ".join(words) + "\n" for words, _ in _sentences(options, sentences))
    command = ("predict", run, texts, "--output", results)
    measured = run_module("nlp_transfer", *command)
    print(f"  nlpt predict {sentences}: {measured}", file=sys.stderr)
    return {"sentences": sentences, **measured}


def _evaluate(
    run: Path, folder: Path, options: argparse.Namespace, sentences: int
) -> dict[str, Any]:
    """Score so many sentences with the command."""
    path = folder / "scored.conll"
    with path.open("w", encoding="utf-8") as file:
        for words, tags in _sentences(options, sentences):
            file.writelines(f"{pair[0]}\t{pair[1]}\n" for pair in zip(words, tags, strict=True))
            file.write("\n")
    splits = json.dumps({"train": path.name, "test": path.name})
    data = (f"data.source={folder}", f"data.splits={splits}")
    measured = run_module("nlp_transfer", "evaluate", run, "--recipe", run, *data, "--json")
    print(f"  nlpt evaluate {sentences}", file=sys.stderr)
    of_process = {name: measured[name] for name in ("total_seconds", "peak_mb")}
    return {"sentences": sentences, **of_process}


def _sentences(options: argparse.Namespace, count: int) -> Iterator[tuple[list[str], list[str]]]:
    """Repeat the training sentences, words and tags, until there are so many."""
    from nlp_transfer.recipe import DataSection
    from nlp_transfer.tasks.ner.rows import NerRows

    data = DataSection(source=options.data, splits=options.splits)
    train = NerRows().load(data)["train"]
    known = list(zip(train["words"], train["tags"], strict=True))
    return islice((pair for _ in range(-(-count // len(known))) for pair in known), count)


def _print(result: dict[str, Any]) -> None:
    """Print the table."""
    print(f"\n{result['processor']}; {result['data']}, {result['turns']} turns, medians\n")
    print(f"{'':40} {'theirs':>9} {'ours':>9} {'ratio':>7} {'F1 theirs':>10} {'F1 ours':>8}")
    rates = "sentences_per_second"
    for theirs, ours, title, sides in _pairs(result):
        row = (theirs[rates], ours[rates], ours[rates] / theirs[rates])
        scores = (theirs["entity_f1"], ours["entity_f1"])
        print(f"{title:40} {row[0]:>9.1f} {row[1]:>9.1f} {row[2]:>6.2f}x", end="")
        print(f" {scores[0]:>10.4f} {scores[1]:>8.4f}   peak MB {sides}")
    prepare = result["prepare"]
    print(
        f"{'tokenize and align, sentences/s':40} {prepare['stock']:>9} {prepare['ours']:>9} "
        f"{prepare['ratio']:>6.2f}x"
    )
    stock, ours = (result["start_up"][side]["total_seconds"] for side in ("stock", "ours"))
    print(f"{'start-up (--help), seconds':40} {stock:>9.2f} {ours:>9.2f} {stock / ours:>6.2f}x")
    _print_growth("nlpt predict", result["scaling"])
    if result["evaluation"]:
        _print_growth("nlpt evaluate", result["evaluation"])
    scoring.show(result["scoring"])
    print("\nnlpt serve, one sentence a request")
    serving.show(result["serving"])


def _pairs(result: dict[str, Any]) -> Iterator[tuple[Measured, Measured, str, str]]:
    """Yield (theirs, ours, title, peak memory of both) of everything that has a rate."""
    training, prediction = result["training"], result["prediction"]
    for side in ("stock", "stock tuned") if training else ():
        yield _with_peaks(training[side], training["ours"], f"training, {side}")
    for side in ("pipeline-1", "pipeline-32", "trainer"):
        yield _with_peaks(prediction[side], prediction["ours"], f"prediction, {side}")
    for side, name in (("ours-int8", "ONNX int8"), ("ours-compiled", "compiled")):
        if side in prediction:
            title = f"prediction, our PyTorch / our {name}"
            yield _with_peaks(prediction["ours"], prediction[side], title)


def _with_peaks(
    theirs: Measured, ours: Measured, title: str
) -> tuple[Measured, Measured, str, str]:
    return theirs, ours, title, f"{theirs['peak_mb']:.0f} / {ours['peak_mb']:.0f}"


def _print_growth(command: str, rows: Sequence[dict[str, Any]]) -> None:
    """Print what each size takes beyond the smallest one, which only loads the model."""
    first, *others = rows
    print(f"\n{command:>16} {'seconds':>9} {'us a sentence':>14} {'peak MB':>8} {'over model':>11}")
    for row in others:
        each = 1e6 * (row["total_seconds"] - first["total_seconds"]) / row["sentences"]
        over = row["peak_mb"] - first["peak_mb"]
        print(
            f"{row['sentences']:>16,} {row['total_seconds']:>9.1f} {each:>14.1f} "
            f"{row['peak_mb']:>8} {over:>11}"
        )


if __name__ == "__main__":
    main()
