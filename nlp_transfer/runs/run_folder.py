"""All that one run leaves behind, written so that a crash at any moment loses nothing."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from nlp_transfer import files
from nlp_transfer.errors import UserError
from nlp_transfer.recipe.reader import read_recipe
from nlp_transfer.recipe.yaml_reader import read_yaml, yaml_text
from nlp_transfer.runs.disk import check_writable
from nlp_transfer.runs.lock import LOCK, Lock, is_of_lock, remove_dead
from nlp_transfer.strategies.auto_rules import Facts
from nlp_transfer.strategies.context import TransferRecipe
from nlp_transfer.training.fingerprints import FACTS_KEY, changes
from nlp_transfer.training.last_checkpoint import newest_whole

State = Literal["new", "unfinished", "finished"]

# All that a run writes, in the order in which it is deleted. The last three are written first, the
# recipe after the others: a folder with a recipe and no environment is not a run of ours.
_OURS = (
    "checkpoints", "model", "adapter", "onnx", "tasks", "tracking", "metrics.json", "report.md",
    "report.html", "predictions.jsonl", "log.jsonl", "README.md", "recipe.yaml", "data.json",
    "environment.json",
)  # fmt: skip


class RunFolder:
    """A run's folder; only the main process writes to it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, name: str, output: str | Path | None) -> RunFolder:
        """Return the folder that was asked for, or runs/<recipe name>."""
        return cls(Path(output) if output else Path("runs") / name)

    @property
    def checkpoints(self) -> Path:
        """Where the Trainer keeps what resuming needs."""
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        """The final model."""
        return self.path / "model"

    def side_task(self, name: str) -> RunFolder:
        """The model of another task that learned along, and what it predicts."""
        return RunFolder(self.path / "tasks" / name)

    @property
    def earlier_round(self) -> Path:
        """The run whose model teaches this one; kept until this one is finished."""
        return self.path / "earlier-round"

    def state(self) -> State:
        """Tell whether the folder holds no run, an unfinished one or a finished one."""
        if not all((self.path / name).is_file() for name in ("recipe.yaml", "environment.json")):
            return "new"
        return "finished" if (self.path / "metrics.json").is_file() else "unfinished"

    @contextlib.contextmanager
    def held(self, *, fresh: bool = False) -> Iterator[Lock | None]:
        """Let no other process write to the folder for a while; a finished run is only read.

        fresh:  the run in it will be deleted
        raises: UserError when another does, and as `check` has it
        """
        if self._usable(fresh=fresh) == "finished":
            remove_dead(self.path / LOCK)
            yield None
        else:
            with Lock(self.path / LOCK, self.path) as lock:
                yield lock

    def check(self, recipe: TransferRecipe, *, fresh: bool = False) -> State:
        """Check that the folder can hold the run of this recipe.

        fresh:  the run in it will be deleted, so the folder counts as new
        raises: UserError when it holds another run or other things, or cannot be written
        """
        state = self._usable(fresh=fresh)
        if state == "new":
            return state
        check_same_recipe(self.path, recipe, what="run")
        if state == "unfinished":
            check_writable(self.path)
        return state

    def _usable(self, *, fresh: bool) -> State:
        """Tell the state of a folder, and refuse a new one that cannot be used."""
        state = "new" if fresh else self.state()
        if state == "new":
            self._check_unused()
            check_writable(self.path)
        return state

    def check_same_data(self, data: Mapping[str, Any]) -> None:
        """Refuse to go on with, or to show as new, a run that has read other data than there is.

        data: as data.json has it
        """
        if not (self.path / "data.json").is_file():
            return
        if changed := changes(self.read_json("data.json"), data):
            is_finished = self.state() == "finished"
            since = "was finished: its report is of what it read then" if is_finished else "began"
            lines = "\n".join(f"  {line}" for line in changed)
            old = f" `nlpt report {self.path}` shows the old report." if is_finished else ""
            raise UserError(
                f"{self.path}: what this run reads has changed since it {since}:\n{lines}\n"
                f"Train anew with --fresh, or choose another folder with --output DIR.{old}"
            )

    def clear(self) -> None:
        """Delete a run, and nothing that is not part of one."""
        self._check_unused()
        for path in (*self._torn(), *(self.path / name for name in _OURS)):
            files.remove(path)

    def last_checkpoint(self) -> Path | None:
        """Find the newest checkpoint that is whole; say what is wrong with newer ones."""
        return newest_whole(self.checkpoints)

    def read_json(self, name: str) -> dict[str, Any]:
        """Read one of the folder's JSON files.

        raises: UserError where it is damaged
        """
        try:
            value = json.loads((self.path / name).read_text("utf-8"), parse_constant=_refuse)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict) or not value:
            raise UserError(
                f"{self.path / name}: this file is damaged. Train anew with nlpt finetune --fresh."
            )
        return value

    def learned(self) -> str | None:
        """Return the SHA-256 of the training split that a run has learned; None: it is not told."""
        if not (self.path / "data.json").is_file():
            return None
        splits = self.read_json("data.json").get("splits")
        train = splits.get("train") if isinstance(splits, dict) else None
        return train.get("sha256") if isinstance(train, dict) else None

    def facts(self, *, fresh: bool = False) -> Facts | None:
        """Read what strategies and settings of the run in the folder were chosen by.

        fresh:   the run in it will be deleted, so the folder counts as new
        returns: None where there is no run, or its recipe said them itself
        raises:  UserError when it holds other things, or cannot be written
        """
        if self._usable(fresh=fresh) == "new" or not (self.path / "data.json").is_file():
            return None
        return Facts.read(self.read_json("data.json").get(FACTS_KEY))

    def log(self) -> list[dict[str, Any]]:
        """Read the lines of log.jsonl; of a line that was torn off, and of no file, nothing."""
        if not (path := self.path / "log.jsonl").is_file():
            return []
        lines = []
        for text in path.read_text("utf-8").splitlines():
            with contextlib.suppress(ValueError, RecursionError):
                lines.append(json.loads(text))
        return [line for line in lines if isinstance(line, dict)]

    def remove_checkpoints(self) -> None:
        """Delete what only an unfinished run needs; keep what trackers have put beside it."""
        for path in self._torn():
            files.remove(path)
        for file in (path for path in self.checkpoints.glob("*") if path.is_file()):
            (self.path / "tracking").mkdir(exist_ok=True)
            file.replace(self.path / "tracking" / file.name)
        for folder in (self.checkpoints, self.earlier_round):
            shutil.rmtree(folder, ignore_errors=True)

    def _check_unused(self) -> None:
        if self.path.is_file():
            raise UserError(f"--output: {self.path} is a file; name a folder.")
        if self.state() != "new":
            return
        # A run that has not got to its recipe has written nothing but these, perhaps half.
        early = {"environment.json", "data.json", self.earlier_round.name}
        early.update(path.name for path in self._torn())
        there = {p.name for p in self.path.glob("*")} if self.path.is_dir() else set()
        others = sorted(name for name in there - early if not is_of_lock(name))
        if others:
            raise UserError(
                f"--output: {self.path} holds other things ({', '.join(others[:5])}) and no run. "
                "Name an empty or new folder."
            )

    def _torn(self) -> list[Path]:
        """List what a crash in the middle of a write has left."""
        return [path for name in _OURS for path in files.leftovers(self.path / name)]


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity, which no run writes


def check_same_recipe(folder: Path, recipe: TransferRecipe, *, what: str) -> None:
    """Refuse another recipe than the one that a folder keeps.

    what:   what of it the folder holds
    raises: UserError that shows what differs
    """
    path = folder / "recipe.yaml"
    now = read_yaml(recipe.as_yaml(), "recipe")[0]
    if differences := list(_differences(_stored(path, type(recipe)), now)):
        shown = "\n".join(f"  {line}" for line in differences[:12])
        raise UserError(
            f"{folder} holds the {what} of a different recipe:\n{shown}\n"
            "Choose another folder with --output DIR, or start over with --fresh."
        )


def _stored(path: Path, schema: type[TransferRecipe]) -> object:
    """Read the recipe of a folder: its paths where they are now, keys that are new by default."""
    try:
        text = read_recipe(schema, str(path)).as_yaml()
    except UserError:  # of an earlier version, which allowed what this one does not
        text = yaml_text(path)
    return read_yaml(text, str(path))[0]


def _differences(there: object, now: object, path: str = "") -> Iterator[str]:
    """Compare two recipes key by key."""
    if isinstance(there, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*there, *now]):
            yield from _differences(there.get(key), now.get(key), f"{path}.{key}".lstrip("."))
    elif there != now:
        yield f"{path}: {there!r} in the folder, {now!r} now"
