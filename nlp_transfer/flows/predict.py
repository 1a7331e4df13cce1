"""Texts in, entities or classes out: a file, a folder or stdin, predicted as it is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_transfer.data.formats.writing import check_results, check_target, write_results
from nlp_transfer.data.inputs import check_inputs, read_items
from nlp_transfer.data.many_files import is_many
from nlp_transfer.logs import lines_shown
from nlp_transfer.processes import wait_for_all
from nlp_transfer.recipe import DataSection
from nlp_transfer.runs.group import output_held_by_all

if TYPE_CHECKING:
    from nlp_transfer.inference.opening import Opening


@lines_shown()
def predict(
    *models: str | Path,
    source: str | Path | DataSection,
    output: str | Path | None = None,
    to: str = "jsonl",
    adapters: Sequence[str | Path] = (),
    resume: bool = False,
    fresh: bool = False,
    on: str | None = None,
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
    source:   a file, a folder, a pattern of files, or - for stdin; a data section also says how it
              is read
    output:   a file, or a folder for brat, that takes its name when it is complete; None: stdout.
              Of a pattern, or of a folder where this is one too: a folder, for a file each
    to:       jsonl, conll, spans, doccano, label-studio, brat or csv
    adapters: runs or folders of adapters, whose base is the one model; of several each answers
    resume:   refuse a job that could not go on after an interruption: one with a file or folder in
              and a file out goes on by itself
    fresh:    drop what an interrupted job has predicted, and start over
    on:       ray, or ray://HOST:PORT: share files out over a cluster
    precision, engine, device, scheme, words, min_precision, coverage: as `Predictor.from_run` has
              them
    raises:   UserError for what cannot be read, predicted or written
    """
    data = source if isinstance(source, DataSection) else DataSection(source=str(source))
    from nlp_transfer.inference.many import predict_files
    from nlp_transfer.inference.opening import Opening

    opening = Opening(
        models=models,
        adapters=adapters,
        device=device,
        precision=precision,
        engine=engine,
        scheme=scheme,
        words=words,
        min_precision=min_precision,
        coverage=coverage,
    )
    opening.check_format(to)
    if on is not None or is_many(data.source, output):
        predict_files(opening, data, output, to, fresh=fresh, on=on, held=output_held_by_all)
    else:
        target = None if output is None else Path(output)
        _predict_one(opening, data, target, to, resume=resume, fresh=fresh)


def _predict_one(
    opening: Opening, data: DataSection, output: Path | None, to: str, *, resume: bool, fresh: bool
) -> None:
    from nlp_transfer.inference.job_folder import JobFolder
    from nlp_transfer.inference.jobs import keeps_parts, predict_in_parts
    from nlp_transfer.inference.results import watched

    check_target(to, output)
    check_inputs(data)
    in_parts = keeps_parts(data.source, output, resume=resume)
    wait_for_all()
    opening = opening.as_found()
    predictor = opening.load()
    check_results(to, predictor.task.results.keys, predictor.task.name)
    items = read_items(data, predictor.columns)
    if output is None or not in_parts:
        write_results(watched(predictor(items)), to=to, output=output)
        return
    parts = JobFolder(output.with_name(f"{output.name}.parts"), opening.job(predictor, data))
    with output_held_by_all(output, parts.job):
        predict_in_parts(predictor, items, to=to, output=output, parts=parts, fresh=fresh)
