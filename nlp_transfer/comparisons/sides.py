"""What a user names as one side of a comparison in, the runs that it consists of out."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from pathlib import Path

from nlp_transfer.errors import UserError, nearest, shortened

_SEED = re.compile(r"-seed\d+")


def paths_of(side: str) -> tuple[Path, ...]:
    """List the runs or files of a side.

    side:   a run folder or a file; several, joined by commas; a pattern with *, ? or [...]; or
            STUDY/ROW: all seeds of a row of a study
    raises: UserError where there is no such run, or one is named twice
    """
    paths = tuple(_found(side)) if side.strip(" ,") else ()
    if not paths:
        raise UserError(
            f"A side is named {side!r}, which names no run: is a shell variable empty? Name a run "
            "folder or a predictions.jsonl; leave out what is between two commas."
        )
    places = [path.resolve() for path in paths]
    twice = next((path for path, place in zip(paths, places, strict=True)
                  if places.count(place) > 1), None)  # fmt: skip
    if twice:
        raise UserError(f"{side}: {twice} is named twice; each run of a side counts once.")
    return paths


def _found(side: str) -> Iterator[Path]:
    path = Path(side)
    if path.exists():
        yield _not_a_study(path)
    elif seeds := _seeds(path):  # before what else its name may mean: rows are named by settings
        yield from seeds
    elif "," in side:
        for part in filter(None, map(str.strip, side.split(","))):
            yield from _found(part)
    elif glob.has_magic(side):
        found = sorted(map(Path, glob.glob(side)), key=_by_number)  # noqa: PTH207 (absolute too)
        runs = [path for path in found if path.is_dir() or path.suffix == ".jsonl"]
        if not runs:
            raise UserError(f"{side}: no run folder and no .jsonl file has such a name.")
        yield from runs
    else:
        raise _unknown(path)


def _seeds(path: Path) -> list[Path]:
    """List the runs of a study's row, STUDY/ROW."""
    for folder in (path.parent / "runs", path.parent):
        named = folder.glob(f"{glob.escape(path.name)}-seed*")
        runs = [run for run in named if _SEED.fullmatch(run.name[len(path.name) :])]
        if runs:
            return sorted(runs, key=_by_number)
    return []


def _unknown(path: Path) -> UserError:
    near = nearest(
        path.name, [*(other.name for other in path.parent.glob("*")), *_rows(path.parent)]
    )
    return UserError(
        f"{path}: there is no such run, file or row of a study.{near} Name a run folder, a "
        "predictions.jsonl, several joined by commas, a quoted pattern ('runs/a-*') or STUDY/ROW."
    )


def _not_a_study(path: Path) -> Path:
    if (path / "study.json").is_file():
        rows = shortened(_rows(path), 10) or "none yet"
        raise UserError(f"{path} is a study: name a row of it, {path}/ROW. Rows: {rows}.")
    return path


def _rows(study: Path) -> list[str]:
    """Name the rows of a study by its runs."""
    runs = (study / "runs").glob("*-seed*")
    return sorted({_SEED.split(run.name)[0] for run in runs})


def _by_number(path: Path) -> list[tuple[int, str]]:
    """Sort seed2 before seed10."""
    return [(int(part or 0), "") if part.isdigit() else (0, part)
            for part in re.split(r"(\d+)", str(path))]  # fmt: skip
