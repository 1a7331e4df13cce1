"""A pattern or folder of inputs and a folder for outputs in; which file becomes which, out."""

from __future__ import annotations

import glob
import logging
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from nlp_transfer.data.sources.local import NOT_DATA, visible
from nlp_transfer.errors import UserError, shortened

log = logging.getLogger(__name__)

_MAGIC = re.compile(r"[*?[]")


@dataclass(frozen=True)
class FilePair:
    """An input, and the file that its results become; both paths are absolute."""

    input: Path
    output: Path


def is_many(source: str, output: str | Path | None) -> bool:
    """Tell inputs that get an output each: a pattern, or a folder where the output is one too."""
    if _is_pattern(source):
        return True
    if output is None or source == "-" or not Path(source).is_dir():
        return False
    return Path(output).is_dir() or str(output).endswith((os.sep, "/"))


def file_pairs(source: str, output: str | Path | None, *, extension: str) -> list[FilePair]:
    """Name each input's output: alike, in a folder of its own folder's name.

    source: a pattern, where ** stands for any folders; or a folder
    raises: UserError for no inputs, or two that would become the same file
    """
    if output is None:
        raise UserError("--output: name the folder for the results of several files.")
    folder = Path(output).absolute()
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--output: {output} is a file. Name a folder for the results of {source}.")
    base = Path(*takewhile(lambda part: not _is_pattern(part), Path(source).absolute().parts))
    pairs: dict[Path, FilePair] = {}
    for path in _inputs(source, folder):
        inside = path.relative_to(base)
        name = inside.name.removesuffix(".gz")
        target = folder / inside.with_name(Path(name).stem + extension)
        if target in pairs:
            raise UserError(
                f"--output: {pairs[target].input} and {path} would both become {target}. Name a "
                "pattern that matches one of them, such as '*.txt'."
            )
        pairs[target] = FilePair(path, target)
    return list(pairs.values())


def _is_pattern(source: str) -> bool:
    return bool(_MAGIC.search(source)) and not Path(source).exists()


def _inputs(source: str, output: Path) -> list[Path]:
    """Find the files by name; those that lie in the output are results."""
    if Path(source).is_dir():
        found = [path for path in visible(Path(source)) if path.suffix.lower() not in NOT_DATA]
    else:
        found = sorted(map(Path, glob.glob(source, recursive=True)))  # noqa: PTH207 - Path's shows what is hidden
    # A link that leads nowhere is a file that cannot be read; a pipe would be read for ever.
    files = [path.absolute() for path in found if path.is_file() or not path.exists()]
    inputs = [path for path in files if not path.resolve().is_relative_to(output.resolve())]
    if not inputs:
        raise UserError(_nothing(source, found, files, output))
    _say_left_out("in the output", output, [path for path in files if path not in set(inputs)])
    others = [path for path in found if path.exists() and not path.is_file()]
    _say_left_out("not files", source, others)
    return inputs


def _say_left_out(what: str, where: object, paths: Iterable[Path]) -> None:
    if names := [path.name for path in paths]:
        log.info("%s: %d left out, %s: %s", where, len(names), what, shortened(names, 5))


def _nothing(source: str, found: list[Path], files: list[Path], output: Path) -> str:
    if files:
        return (
            f"--output: {output} is where the inputs are, so results could not be told from them. "
            "Name another folder."
        )
    if found:
        return (
            f"INPUT: {source} matches no file, but folders: "
            f"{shortened([path.name for path in found], 5)}. Their files: {source}/*"
        )
    return f"INPUT: {source} matches no file."
