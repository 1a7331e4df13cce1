"""Texts in, entities or classes out: a file, a folder or stdin, predicted as it is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from nlp_transfer.data.formats.writing import (
    check_results,
    check_target,
    extension_of,
    write_results,
)
from nlp_transfer.data.inputs import check_inputs, read_items
from nlp_transfer.data.many_files import file_pairs, is_many
from nlp_transfer.errors import UserError
from nlp_transfer.logs import lines_shown
from nlp_transfer.processes import wait_for_all, world_size
from nlp_transfer.recipe import DataSection
from nlp_transfer.runs.group import output_held_by_all

if TYPE_CHECKING:
    from nlp_transfer.inference.opening import Models


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
    _check_can_hold(to, adapters, coverage)
    from nlp_transfer.inference.opening import open_models

    answering = _Answering(
        precision=precision,
        engine=engine,
        scheme=scheme,
        words=words,
        min_precision=min_precision,
        coverage=coverage,
    )
    named = [_from_anywhere(model) for model in models]
    added = [_from_anywhere(adapter) for adapter in adapters]
    opened = partial(open_models, named, added, device=device, **answering)
    if on is not None or is_many(data.source, output):
        _predict_files(opened, data, output, to, answering, fresh=fresh, on=on)
    else:
        target = None if output is None else Path(output)
        _predict_one(opened, data, target, to, answering, resume=resume, fresh=fresh)


def _predict_one(
    opened: Callable[[], Models],
    data: DataSection,
    output: Path | None,
    to: str,
    answering: _Answering,
    *,
    resume: bool,
    fresh: bool,
) -> None:
    """Predict one file, the files of a folder one after the other, or stdin."""
    from nlp_transfer.inference.job_folder import JobFolder
    from nlp_transfer.inference.jobs import keeps_parts, predict_in_parts
    from nlp_transfer.inference.results import watched

    check_target(to, output)
    check_inputs(data)
    in_parts = keeps_parts(data.source, output, resume=resume)
    wait_for_all()
    predictor = opened()
    check_results(to, predictor.task.results.keys, predictor.task.name)
    items = read_items(data, predictor.columns)
    if output is None or not in_parts:
        write_results(watched(predictor(items)), to=to, output=output)
        return
    job = _job(predictor, data, answering)
    parts = JobFolder(output.with_name(f"{output.name}.parts"), job)
    with output_held_by_all(output, job):
        predict_in_parts(predictor, items, to=to, output=output, parts=parts, fresh=fresh)


def _predict_files(
    opened: Callable[[], Models],
    data: DataSection,
    output: str | Path | None,
    to: str,
    answering: _Answering,
    *,
    fresh: bool,
    on: str | None,
) -> None:
    """Predict many files to one each, here or on a cluster."""
    from nlp_transfer.inference.file_jobs import FileJobs
    from nlp_transfer.inference.on_ray import check_engine, predict_on_ray

    if on is not None:
        check_engine(on)
    _check_many(data.source, output)
    pairs = file_pairs(data.source, output, extension=extension_of(to))
    predictor = opened()
    check_results(to, predictor.task.results.keys, predictor.task.name)
    job = _job(predictor, data, answering)
    if on is not None and answering["precision"] == "auto":
        job["computed in"] = "what each worker can"
    jobs = FileJobs(Path(str(output)).absolute(), job, data, to)
    todo = jobs.begin(pairs, fresh=fresh)
    if on is not None and todo:
        faults = predict_on_ray(on, todo, jobs, opened)
    else:
        faults = []
        for pair in todo:
            with output_held_by_all(pair.output, job):
                fault = jobs.predict(predictor, pair, in_parts=True)
            faults += [fault] if fault else []
    jobs.end(faults, len(pairs))


def _check_many(source: str, output: str | Path | None) -> None:
    if not is_many(source, output):
        raise UserError(
            "--on: it shares out many files, each to an output of its own: give a pattern such as "
            "'texts/*.parquet', and a folder with --output. One file is predicted without --on."
        )
    if world_size() > 1:
        raise UserError(
            "INPUT: several files are not shared out to the processes of a launcher. Use --on ray, "
            "or start nlpt predict without a launcher, once for each part of the files."
        )


def _from_anywhere(name: str | Path) -> str:
    """Return a path as another working folder has it too; the name of something else as it is."""
    return str(Path(name).absolute()) if Path(name).exists() else str(name)


def _check_can_hold(to: str, adapters: Sequence[str | Path], coverage: float | None) -> None:
    if len(adapters) > 1 and to != "jsonl":
        raise UserError(f"--to: answers of several adapters are written as jsonl, not {to}.")
    if coverage is not None and to != "jsonl":
        raise UserError(f"--coverage: sets of labels are written as jsonl, not {to}.")


def _job(predictor: Models, data: DataSection, answering: _Answering) -> dict[str, object]:
    """Say what results depend on beside the items: the models by their content, the options."""
    from nlp_transfer.inference.identity import model_sha256

    return {
        "models": [model_sha256(Path(folder)) for folder in predictor.folders],
        # Where the input lies says nothing of it: its items do, as they are read.
        "input": data.model_dump(mode="json", exclude={"source"}),
        **answering,
        "computed in": predictor.precision,
    }
