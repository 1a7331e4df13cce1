"""The parts of gpu.py that measure speed: each side in turns, in one process that is warm."""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from tests.benchmarks import predicting
from tests.benchmarks.gpu_data import Start, base_checkpoint, write_sentences
from tests.benchmarks.learning import learn
from tests.benchmarks.stock import device_memory, read_options, train
from tests.benchmarks.workers import Measured, in_turns

Row = dict[str, Any]


def speed(kind: str, options: argparse.Namespace) -> Iterator[Row]:
    """Train the same in turns: ours with and without padding, the stock Trainer tuned by hand."""
    torch.set_grad_enabled(True)
    data = write_sentences(options.folder / "data", kind, tiny=options.tiny)
    few = write_sentences(options.folder / "few", kind, tiny=True)
    start = base_checkpoint(options.folder / "checkpoint", tiny=options.tiny)
    batch = 32 if kind == "imdb" else 128
    pieces = max(64, round(batch * data.mean_pieces))
    ours = [
        *("strategies=[{name: full}]", "training.precision=bf16", "training.epochs=1"),
        *(f"model.checkpoint={start.folder}", "model.max_pieces=512"),
        *(f"training.tokens_per_batch={pieces}", "evaluation.bootstrap=100"),
        "training.arguments={save_strategy: 'no', eval_strategy: 'no'}",
    ]
    stock = ("--bf16", "--grouped", "--learning-rate", "1e-4", "--epochs", "1", "--saved", "no")

    def by_stock(source: Path) -> Measured:
        places = ("--source", str(source), "--checkpoint", str(start.folder))
        return train(read_options([*places, "--batch", str(batch), *stock]))

    def by_ours(source: Path, *more: str) -> Measured:
        run = tempfile.mkdtemp(dir=options.folder)
        return learn("quickstart-ner", run, [*ours, f"data.source={source}", *more])

    sides = {
        "stock": by_stock,
        "ours": by_ours,
        "ours, no padding": lambda source: by_ours(source, "training.padding=false"),
    }
    for side in sides.values():  # what happens once only
        side(few.folder)
    measures = {name: partial(_alone, side, data.folder) for name, side in sides.items()}
    # Before lie imports, data and checkpoint, after it the matrices.
    measured = in_turns(measures, options.turns, seconds=0.6 * options.seconds)
    yield from _compared(measured, data.mean_pieces, start, options)


def _alone(side: Callable[[Path], Measured], source: Path, _: int) -> Measured:
    """Measure a side with what the others have left behind cleared away."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    return {**side(source), **device_memory()}


def _compared(
    sides: Mapping[str, Measured], length: float, start: Start, options: argparse.Namespace
) -> Iterator[Row]:
    """Say how fast each side was, and compare; length: mean pieces of a sentence."""
    peak = _matrix_peak(options.device, tiny=options.tiny)
    for side, measured in sides.items():
        speed = measured["sentences_per_second"] * length
        share = speed * start.flops_a_piece(length) / peak
        memory = f", {measured['device_mb']:,.0f} MB" if "device_mb" in measured else ""
        yield {
            "what": f"{side}, {length:.0f} pieces in the mean",
            "found": f"{speed:,.0f} pieces/s, {share:.0%} of the matrix peak{memory}",
            "ok": True,
        }
    for one, other in (("ours", "stock"), ("ours, no padding", "ours")):
        ratio = sides[one]["sentences_per_second"] / sides[other]["sentences_per_second"]
        yield {"what": f"{one} over {other}", "found": f"{ratio:.2f}x", "ok": True}
    yield {"what": "matrix peak, bf16", "found": f"{peak / 1e12:.2f} TFLOP/s", "ok": True}


def _matrix_peak(device: str, *, tiny: bool) -> float:
    """Multiply large bf16 matrices; returns FLOP/s."""
    size, times = (256, 4) if tiny else (8192, 30)
    one = torch.randn(size, size, dtype=torch.bfloat16, device=device)
    best = 0.0
    for _ in range(3):
        if device == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(times):
            one @ one
        if device == "cuda":
            torch.cuda.synchronize()
        best = max(best, 2 * size**3 * times / (time.perf_counter() - start))
    return best


def prediction(options: argparse.Namespace) -> Iterator[Row]:
    """Predict sentences like CoNLL's with ours and with transformers' pipeline."""
    data = write_sentences(options.folder / "data", "conll", tiny=options.tiny)
    start = base_checkpoint(options.folder / "checkpoint", tiny=options.tiny)
    run = options.folder / "run"
    settings = ("training.arguments={max_steps: 2}", "strategies=[{name: full}]")
    places = (f"data.source={data.folder}", f"model.checkpoint={start.folder}")
    torch.set_grad_enabled(True)
    learn("quickstart-ner", str(run), [*settings, *places])
    seconds, sentences = ("0.1", 50) if options.tiny else ("3", 4000)
    for engine in ("pipeline-32", "ours"):
        few = sentences if engine == "ours" else sentences // 4
        asked = ("--run", str(run), "--source", str(data.folder), "--seconds", seconds)
        told = predicting.read_options([engine, *asked, "--sentences", str(few)])
        speed = predicting.measure(told)["sentences_per_second"]
        yield {
            "what": f"{engine}, {data.mean_pieces:.0f} pieces in the mean",
            "found": f"{speed:,.0f} sentences/s, {speed * data.mean_pieces:,.0f} pieces/s",
            "ok": True,
        }
