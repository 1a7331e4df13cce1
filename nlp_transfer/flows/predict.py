"""Texts in, entities or classes out: a file, a folder or stdin, predicted as it is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from nlp_transfer.data.formats.writing import check_results, check_target, write_results
from nlp_transfer.data.inputs import check_inputs, read_items
from nlp_transfer.errors import UserError
from nlp_transfer.logs import lines_shown
from nlp_transfer.processes import wait_for_all
from nlp_transfer.recipe import DataSection
from nlp_transfer.runs.group import output_held_by_all

if TYPE_CHECKING:
    from nlp_transfer.inference.adapters import Adapters
    from nlp_transfer.inference.ensemble import Ensemble


class _Answering(TypedDict):
    """What answers depend on, beside the models."""

    precision: str
    engine: str
    scheme: str | None
    words: str | None
    min_precision: float | None
    coverage: float | None


@lines_shown()
def predict(
    *models: str | Path,
    source: str | Path | DataSection,
    output: str | Path | None = None,
    to: str = "jsonl",
    adapters: Sequence[str | Path] = (),
    resume: bool = False,
    fresh: bool = False,
    precision: str = "auto",
    engine: str = "auto",
    device: str = "auto",
    scheme: str | None = None,
    words: str | None = None,
    min_precision: float | None = None,
    coverage: float | None = None,
) -> None:
    """Predict all texts of an input in its order, and write the results as they are made.

    models:   run folders, model folders or Hub ids; several answer by their mean probabilities
    source:   a file, a folder, or - for stdin; a data section also says how it is read
    output:   a file, or a folder for brat, that takes its name when it is complete; None: stdout
    to:       jsonl, conll, spans, doccano, label-studio, brat or csv
    adapters: runs or folders of adapters, whose base is the one model; of several each answers
    resume:   refuse a job that could not go on after an interruption: one with a file or folder in
              and a file out goes on by itself
    fresh:    drop what an interrupted job has predicted, and start over
    precision, engine, device, scheme, words, min_precision, coverage: as `Predictor.from_run` has
              them
    raises:   UserError for what cannot be read, predicted or written
    """
    data = source if isinstance(source, DataSection) else DataSection(source=str(source))
    target = None if output is None else Path(output)
    check_target(to, target)
    _check_can_hold(to, adapters, coverage)
    check_inputs(data)
    from nlp_transfer.inference.jobs import keeps_parts, predict_in_parts
    from nlp_transfer.inference.opening import open_models
    from nlp_transfer.inference.results import watched

    answering = _Answering(
        precision=precision,
        engine=engine,
        scheme=scheme,
        words=words,
        min_precision=min_precision,
        coverage=coverage,
    )
    in_parts = keeps_parts(data.source, target, resume=resume)
    wait_for_all()
    predictor = open_models(models, adapters, device=device, **answering)
    check_results(to, predictor.task.results.keys, predictor.task.name)
    items = read_items(data, predictor.columns)
    if target is None or not in_parts:
        write_results(watched(predictor(items)), to=to, output=target)
        return
    with output_held_by_all(target, job := _job(predictor, data, answering)):
        predict_in_parts(predictor, items, to=to, output=target, job=job, fresh=fresh)


def _check_can_hold(to: str, adapters: Sequence[str | Path], coverage: float | None) -> None:
    if len(adapters) > 1 and to != "jsonl":
        raise UserError(f"--to: answers of several adapters are written as jsonl, not {to}.")
    if coverage is not None and to != "jsonl":
        raise UserError(f"--coverage: sets of labels are written as jsonl, not {to}.")


def _job(
    predictor: Ensemble | Adapters, data: DataSection, answering: _Answering
) -> dict[str, object]:
    """Say what results depend on beside the items: the models by their content, the options."""
    from nlp_transfer.inference.identity import model_sha256

    return {
        "models": [model_sha256(Path(folder)) for folder in predictor.folders],
        # Where the input lies says nothing of it: its items do, as they are read.
        "input": data.model_dump(mode="json", exclude={"source"}),
        **answering,
        "computed in": predictor.precision,
    }
