"""Many files in, an output of its own for each out: predicted here, or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from nlp_transfer.data.formats.writing import check_results, extension_of
from nlp_transfer.data.many_files import file_pairs, is_many
from nlp_transfer.errors import UserError
from nlp_transfer.inference.file_jobs import FileJobs
from nlp_transfer.inference.on_ray import check_engine, predict_on_ray
from nlp_transfer.inference.opening import Opening
from nlp_transfer.processes import world_size
from nlp_transfer.recipe import DataSection

Held = Callable[[Path, Mapping[str, object]], AbstractContextManager[None]]
"""Keeps others from an output, which depends on so much, for a while."""


def predict_files(
    opening: Opening,
    data: DataSection,
    output: str | Path | None,
    to: str,
    *,
    fresh: bool,
    on: str | None,
    held: Held,
) -> None:
    """Predict the files of a pattern, or of a folder, that have no results in the output folder.

    data:   its source is the pattern; it also says how each file is read
    on:     ray, or ray://HOST:PORT; None: here
    held:   keeps other commands from the output of a file that is predicted here
    raises: UserError at the end, when some files cannot be read
    """
    if on is not None:
        check_engine(on)
    _check_many(data.source, output)
    pairs = file_pairs(data.source, output, extension=extension_of(to))
    opening = opening if on else opening.as_found()  # workers may be other machines
    predictor = opening.load()
    check_results(to, predictor.task.results.keys, predictor.task.name)
    job = opening.job(predictor, data)
    if on is not None and opening.precision == "auto":
        job["computed in"] = "what each worker can"
    jobs = FileJobs(Path(str(output)).absolute(), job, data, to)
    todo = jobs.begin(pairs, fresh=fresh)
    faults: list[str] = []
    if on is not None and todo:
        faults = predict_on_ray(on, todo, jobs, _from_anywhere(opening).load)
    else:
        for pair in todo:
            with held(pair.output, job):
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


def _from_anywhere(opening: Opening) -> Opening:
    """Name paths as other working folders have them too."""

    def absolute(names: Sequence[str | Path]) -> list[str | Path]:
        return [Path(name).absolute() if Path(name).exists() else name for name in names]

    return replace(opening, models=absolute(opening.models), adapters=absolute(opening.adapters))
