"""A long prediction that survives any crash: parts of it in a folder, merged in order at the end.

What is kept is told from what it may be later by content alone: the items that were read, the
files of the model, the options. All is predicted in blocks, which depend on the input only: a job
that was interrupted, or is shared by any number of processes, computes the very same batches.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from nlp_transfer import files
from nlp_transfer.data.formats.results import Result, to_json
from nlp_transfer.data.formats.writing import check_target, write_results
from nlp_transfer.data.items import Item
from nlp_transfer.errors import Interrupted, UserError
from nlp_transfer.inference.blocks import Block, Blocks
from nlp_transfer.inference.job_folder import JobFolder
from nlp_transfer.inference.parts import Part
from nlp_transfer.inference.results import watched
from nlp_transfer.processes import is_main_process, rank, wait_for_all, world_size

log = logging.getLogger(__name__)

Predict = Callable[[Iterable[Item]], Iterable[Result]]

_KEPT = "keeps what is predicted; the same command goes on"


def keeps_parts(source: str, output: Path | None, *, resume: bool) -> bool:
    """Tell whether a job can go on after an interruption: its input is read again, its output new.

    resume: it has to
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
    parts: JobFolder,
    fresh: bool = False,
) -> None:
    """Predict this process's share of the items; the main process merges the shares of all.

    Every process reads all items and takes every n-th block of those without results. An
    interrupted job leaves its parts behind; the next one goes on with them, by however many
    processes.

    to, output: as `write_results` has them
    parts:  where results lie until all are there
    fresh:  drop what an interrupted job has predicted
    raises: UserError when there are results of another job or of other items
    """
    check_target(to, output)
    parts.begin(fresh=fresh)
    try:
        total = _predict_share(predict, items, parts)
        if is_main_process():
            parts.wait_for_all_parts(total)
            _finish(parts, total, to=to, output=output)
    except KeyboardInterrupt as stop:
        raise interrupted(stop, kept=parts.path) from None
    except OSError as error:
        if not files.is_full(parts.path, error):
            raise
        raise UserError(f"The disk is full. Free some space: {parts.path} {_KEPT}.") from error


def interrupted(stop: KeyboardInterrupt, *, kept: Path) -> Interrupted:
    """Say after a signal what becomes of the results.

    kept: where they are
    """
    return Interrupted.after(stop, f"interrupted: {kept} {_KEPT}")


def predict_whole(predict: Predict, items: Iterable[Item], *, to: str, output: Path) -> None:
    """Predict items to the very same file, which is begun anew after an interruption.

    to, output: as `write_results` has them
    """
    blocks = Blocks(items, (), output).missing()
    write_results(chain.from_iterable(predict(b.items) for b in blocks), to=to, output=output)


def _predict_share(predict: Predict, items: Iterable[Item], folder: JobFolder) -> int:
    """Predict every n-th block that has no results; return how many items there are."""
    stretches = (stretch for part in folder.parts() for stretch in part.stretches())
    done = sorted(stretches, key=lambda stretch: stretch.first)
    wait_for_all()  # from here on processes write
    if done:
        log.info("going on after %s results", f"{sum(stretch.items for stretch in done):,}")
    blocks = Blocks(items, done, folder.path)
    predicting = deque[Block](maxlen=1)  # whose results come; `tee` would keep 57 of them

    def predicted() -> Iterator[Result]:
        for block in islice(blocks.missing(), rank(), None, world_size()):
            predicting.append(block)
            yield from predict(block.items)

    part: Part | None = None
    results = watched(predicted())
    for first in results:
        (block,) = predicting
        of_block = chain([first], islice(results, len(block.items) - 1))
        lines = [to_json(result, "utf-8") + "\n" for result in of_block]
        part = part or folder.part_for(block.first)
        part.append(block.first, block.items, "".join(lines).encode())
    folder.end(blocks.read)
    return blocks.read


def _finish(folder: JobFolder, total: int, *, to: str, output: Path) -> None:
    """Make the output of the parts; JSON lines of a single part are the output."""
    parts = [part for part in folder.parts() if part.path.stat().st_size]
    if to == "jsonl" and len(parts) == 1:
        with files.whole_path(output) as beside:
            _link(parts[0].path, beside)
    elif to == "jsonl":
        with files.whole_file(output) as stream:
            stream.writelines(lines.decode() for lines in _merged(folder, parts, total))
    else:
        stretches = _merged(folder, parts, total)
        results = (json.loads(line) for lines in stretches for line in lines.splitlines())
        write_results(results, to=to, output=output)
    shutil.rmtree(folder.path)


def _merged(folder: JobFolder, parts: Iterable[Part], total: int) -> Iterator[bytes]:
    """Read the lines of all stretches in the order of the input."""
    all_of_them = [(stretch, part) for part in parts for stretch in part.stretches()]
    position = 0
    for stretch, part in sorted(all_of_them, key=lambda one: one[0].first):
        if stretch.first < position:
            continue  # of a part that was copied
        lines = part.lines(stretch)
        if stretch.first > position or lines is None:
            break
        yield lines
        position = stretch.end
    if position != total:
        raise UserError(
            f"--output: {folder.path} was changed from elsewhere after item {position:,}. The same "
            "command predicts what it lacks."
        )


def _link(path: Path, other: Path) -> None:
    """Give a file a second name, so that it has the first until the end; copy it where needed."""
    try:
        os.link(path, other)
    except OSError:  # another file system, or one without links
        shutil.copyfile(path, other)
