"""A model and its candidates in, what was measured of each engine out."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import psutil

from nlp_transfer.engines.candidates import Candidate
from nlp_transfer.engines.examples import Examples, spread
from nlp_transfer.engines.outcome import EngineFacts, Outcome, Rates, Timed
from nlp_transfer.engines.settings import Settings
from nlp_transfer.engines.stock import PEAK_FLOPS, flops_of, matrix_product, pipelines
from nlp_transfer.engines.turns import Seconds, in_turns
from nlp_transfer.errors import UserError
from nlp_transfer.inference.compiled_model import is_code_kept
from nlp_transfer.inference.engine import suitable_tokens
from nlp_transfer.inference.machine import describe_machine
from nlp_transfer.inference.precision import resolve_precision
from nlp_transfer.inference.predictor import Predictor
from nlp_transfer.models.fast_cpu import return_memory
from nlp_transfer.records import Prediction, Row
from nlp_transfer.training.memory import PeakMemory

_PEAK = "peak"

log = logging.getLogger(__name__)


def measure(
    model: Predictor, examples: Examples, engines: Sequence[Candidate], settings: Settings
) -> Outcome:
    """Start the engines one by one, then let them predict in turns.

    model: the run computed by PyTorch in fp32, which answers are held against
    """
    started, skipped = _started(model, examples, engines)
    rows = [examples.rows[number] for number in spread(len(examples.rows), settings.timed)]
    log.info("now all predict %s examples in turns, %d rounds", f"{len(rows):,}", settings.rounds)
    device = str(model.loaded.model.device)
    own, suitable = resolve_precision("auto", device), suitable_tokens(model.loaded.model)
    product = {_PEAK: matrix_product(device, own)}
    stock = pipelines(model, rows)
    ours = {
        (facts, batch): _predicting(predictor, rows, batch)
        for facts, predictor in started
        for batch in settings.batches
    }
    taken = in_turns({**stock, **ours, **product}, settings.rounds)
    rates = {key: _rates(seconds, len(rows)) for key, seconds in taken.items()}
    return Outcome(
        model=model.options.checkpoint,
        machine=describe_machine(device),
        examples=examples.name,
        count=len(examples.rows),
        of=examples.of,
        timed_count=len(rows),
        headline=model.task.scores.headline,
        clock=settings.clock,
        timed=tuple(
            Timed(facts, batch, rates[facts, batch], facts.is_usual(own, suitable, batch))
            for facts, batch in ours
        ),
        skipped=skipped,
        stock={batch: rates[batch] for batch in stock},
        peak_flops=_rates(taken[_PEAK], PEAK_FLOPS).by(settings.clock).high,
        peak_precision=own,
        flops=flops_of(model, rows) / len(rows),
    )


def _started(
    model: Predictor, examples: Examples, engines: Sequence[Candidate]
) -> tuple[list[tuple[EngineFacts, Predictor]], dict[str, str]]:
    """Start engines, and let each predict all examples once.

    returns: those that could be started, and why others could not be, by name
    """
    exact = list(model.predict(examples.rows))
    started, skipped = [], {}
    for candidate in engines:
        log.info("%s: starts, and predicts %s examples", candidate.name, f"{len(exact):,}")
        try:
            started.append(_look_at(candidate, Path(model.options.checkpoint), examples, exact))
        except UserError as error:
            skipped[candidate.name] = str(error)
    return started, skipped


def _look_at(
    candidate: Candidate, folder: Path, examples: Examples, exact: Sequence[Prediction]
) -> tuple[EngineFacts, Predictor]:
    """Start an engine, and let it predict all examples once.

    folder: of the model
    exact:  what PyTorch predicts in fp32
    """
    compiles = candidate.engine == "compiled"
    first = None
    if compiles and not is_code_kept(folder, candidate.precision):
        first, _ = _start(candidate, examples)
    return_memory()
    before, peak = psutil.Process().memory_info().rss, PeakMemory()
    seconds, predictor = _start(candidate, examples)
    predictions = list(predictor.predict(examples.rows))
    taken = peak.megabytes
    alike = sum(a.answers == b.answers for a, b in zip(exact, predictions, strict=True))
    facts = EngineFacts(
        name=candidate.name,
        engine=candidate.engine,
        precision=candidate.precision,
        start_seconds=seconds,
        first_start_seconds=first,
        megabytes=None if taken is None else max(0.0, taken - before / 1e6),
        agreement=alike / len(exact),
        figure=examples.figure(predictor, predictions),
        sha256=candidate.sha256,
    )
    return facts, predictor


def _start(candidate: Candidate, examples: Examples) -> tuple[float, Predictor]:
    """Load an engine and let it answer once; say how long that took, in seconds."""
    start = time.perf_counter()
    predictor = candidate.start()
    if candidate.engine == "torch" and predictor.precision != candidate.precision:
        raise UserError(f"this model does not compute in {candidate.precision}")
    list(predictor.predict(examples.rows[:1]))
    return time.perf_counter() - start, predictor


def _predicting(predictor: Predictor, rows: Sequence[Row], tokens: int) -> Callable[[], object]:
    sized = replace(predictor, tokens_per_batch=tokens)
    return lambda: list(sized.predict(rows))


def _rates(taken: Sequence[Seconds], count: int) -> Rates:
    wall, processor = zip(*taken, strict=True)
    return Rates(tuple(count / one for one in wall), tuple(count / one for one in processor))
