"""A long prediction in parts that survive a crash: a file a process, merged in order."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count, islice
from pathlib import Path

from nlp_transfer import files
from nlp_transfer.data.formats.results import Result, to_json
from nlp_transfer.data.formats.writing import check_target, write_results
from nlp_transfer.data.items import Item
from nlp_transfer.errors import Interrupted, UserError
from nlp_transfer.inference.results import watched
from nlp_transfer.processes import is_main_process, rank, wait_for_all, world_size

log = logging.getLogger(__name__)

Predict = Callable[[Iterable[Item]], Iterable[Result]]

_BLOCK = 512  # items in a row that one process takes
_JOB = "job.json"
_KEPT = "keeps what is predicted; the same command with --resume goes on"


def keeps_parts(source: str, output: Path | None, *, resume: bool) -> bool:
    """Tell whether a job can go on after an interruption: its input is read again, its output new.

    raises: UserError where it cannot but has to, or where it would write over its input
    """
    if output is not None and output.exists() and source != "-" and output.samefile(source):
        raise UserError(f"--output: {output} is the input. Name another file.")
    can = source != "-" and output is not None and (output.is_file() or not output.exists())
    if (resume or world_size() > 1) and not can:
        raise UserError(
            "--resume, and several processes, need an input that can be read again (not -) and an "
            "--output that is a new or a regular file."
        )
    return can


def predict_in_parts(
    predict: Predict,
    items: Iterable[Item],
    *,
    to: str,
    output: Path,
    job: Mapping[str, object],
    resume: bool,
) -> None:
    """Predict this process's share of the items; the main process merges the shares of all.

    Every process reads all items and takes every n-th block of them. An interrupted job leaves its
    parts behind.

    to, output: as `write_results` has them
    job:    what the results depend on, as JSON; a job that goes on must be the same
    resume: go on with what an interrupted job has predicted
    raises: UserError when there are results of another job
    """
    check_target(to, output)
    folder = output.with_name(f"{output.name}.parts")
    _begin(folder, {**job, "processes": world_size()}, resume=resume)
    try:
        _predict_share(predict, items, _part(folder, rank()))
    except KeyboardInterrupt as stop:
        raise Interrupted.after(stop, f"interrupted: {folder} {_KEPT}") from None
    except OSError as error:
        if not files.is_full(folder, error):
            raise
        raise UserError(f"The disk is full. Free some space: {folder} {_KEPT}") from error
    if is_main_process():
        _finish(folder, to=to, output=output)


def _finish(folder: Path, *, to: str, output: Path) -> None:
    """Make the output of the parts; JSON lines of one process are the output."""
    if to == "jsonl" and world_size() == 1:
        with files.whole_path(output) as beside:
            shutil.move(_part(folder, 0), beside)
    else:
        write_results(_merged(folder), to=to, output=output)
    shutil.rmtree(folder)


def file_stamps(*paths: str) -> dict[str, list[list[str | int]]]:
    """Tell files and folders from what they may be later: sizes and times of change, by path."""
    return {path: [*map(_stamp, sorted(_files(Path(path))))] for path in paths}


def _files(path: Path) -> Iterator[Path]:
    yield from (file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def _stamp(file: Path) -> list[str | int]:
    status = file.stat()
    return [file.name, status.st_size, status.st_mtime_ns]


def _check_same(folder: Path, job: Mapping[str, object]) -> None:
    if not (folder / _JOB).is_file():
        return
    before = json.loads((folder / _JOB).read_text("utf-8"))
    changed = [name for name in job if before.get(name) != job[name]]
    if changed:
        shown = "\n".join(f"  {name}: {before.get(name)!r}, now {job[name]!r}" for name in changed)
        raise UserError(
            f"--resume: {folder} holds the results of another job:\n{shown}\n"
            "Run the same command again, or without --resume to start over."
        )


def _begin(folder: Path, job: Mapping[str, object], *, resume: bool) -> None:
    """Let every process look at the folder before one changes it."""
    if resume:
        _check_same(folder, job)
    wait_for_all()
    if is_main_process():
        _make(folder, job, resume=resume)
    wait_for_all()


def _make(folder: Path, job: Mapping[str, object], *, resume: bool) -> None:
    if folder.exists() and not (folder / _JOB).is_file() and any(folder.iterdir()):
        raise UserError(f"--output: {folder} holds other things. Delete it or rename the output.")
    if folder.exists() and not resume:
        log.warning("%s: the results of an interrupted job are dropped", folder)
        shutil.rmtree(folder)
    folder.mkdir(exist_ok=True)
    files.write_json(folder / _JOB, job)


def _part(folder: Path, number: int) -> Path:
    return folder / f"{number}.jsonl"


def _predict_share(predict: Predict, items: Iterable[Item], part: Path) -> None:
    """Append what is missing of this process's part; the part takes its name when it is whole."""
    if part.is_file():
        return
    growing = part.with_suffix(".growing")
    done = _whole_lines(growing)
    if done:
        log.info("going on after %s results", f"{done:,}")
    with growing.open("a", encoding="utf-8", buffering=1) as stream:  # a line at a time
        for result in watched(predict(islice(_share(items), done, None))):
            stream.write(to_json(result, stream) + "\n")
    growing.replace(part)


def _share(items: Iterable[Item]) -> Iterator[Item]:
    stream = iter(items)
    for number in count():
        block = list(islice(stream, _BLOCK))
        if number % world_size() == rank():
            yield from block
        if len(block) < _BLOCK:
            return


def _whole_lines(path: Path) -> int:
    """Count the lines of a growing part, and cut off one that a crash has torn."""
    if not path.is_file():
        return 0
    lines = whole = 0
    with path.open("r+b") as file:
        for line in file:
            if not line.endswith(b"\n"):
                break
            lines += 1
            whole += len(line)
        file.truncate(whole)
    return lines


def _merged(folder: Path) -> Iterator[Result]:
    """Read the parts in turn, a block each, as they were dealt out."""
    parts = [_part(folder, number) for number in range(world_size())]
    while not all(part.is_file() for part in parts):
        time.sleep(0.2)  # a process that fails ends the others: its launcher sees to that
    streams = [part.open(encoding="utf-8") for part in parts]
    try:
        for number in count():
            block = list(islice(streams[number % len(streams)], _BLOCK))
            yield from map(json.loads, block)
            if len(block) < _BLOCK:
                return
    finally:
        for stream in streams:
            stream.close()
