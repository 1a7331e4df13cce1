"""All that one run leaves behind, written so that a crash at any moment loses nothing."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from nlp_transfer import files
from nlp_transfer.errors import UserError
from nlp_transfer.manifest import COPY_OR_TRAIN, MANIFEST, check_file, read_manifest, write_manifest
from nlp_transfer.processes import is_main_process, told_by_main
from nlp_transfer.processes.sharing import readable
from nlp_transfer.runs.contents import LISTED, OURS
from nlp_transfer.runs.disk import check_writable
from nlp_transfer.runs.lock import LOCK, Lock, is_of_lock, remove_dead
from nlp_transfer.runs.same_recipe import check_same_recipe
from nlp_transfer.strategies.auto_rules import Facts
from nlp_transfer.strategies.context import TransferRecipe
from nlp_transfer.training.fingerprints import FACTS_KEY, changes
from nlp_transfer.training.last_checkpoint import newest_whole

State = Literal["new", "unfinished", "finished"]

log = logging.getLogger(__name__)


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
        if not self._holds_run():
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

    def _holds_run(self) -> bool:
        """Tell a run, also one that has lost a file since its manifest was written."""
        names = {"recipe.yaml", "environment.json"}
        there = all((self.path / name).is_file() for name in names)
        return there or names <= (read_manifest(self.path) or {}).keys()

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
            if "metrics.json" in (read_manifest(self.path) or {}):
                log.warning("%s: metrics.json is gone, so the run is done again", self.path)
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
        before = self._data()
        if before and (changed := changes(before, data)):
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
        for path in (*self._torn(), *(self.path / name for name in OURS)):
            files.remove(path)

    def last_checkpoint(self) -> Path | None:
        """Find the newest checkpoint that is whole; say what is wrong with newer ones."""
        return newest_whole(self.checkpoints)

    def checkpoint_for_all(self) -> Path | None:
        """Return the one that the main process finds; to be called by all, who then can read it."""
        found = self.last_checkpoint() if is_main_process() else None
        name = told_by_main(found and found.name)
        return readable(self.checkpoints / name) if name else None

    def read_json(self, name: str, advice: str = COPY_OR_TRAIN) -> dict[str, Any]:
        """Read one of the folder's JSON files.

        advice: what to do where it is not as it was written
        raises: UserError where it is damaged
        """
        check_file(self.path / name, advice)
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
        splits = (self._data() or {}).get("splits")
        train = splits.get("train") if isinstance(splits, dict) else None
        return train.get("sha256") if isinstance(train, dict) else None

    def facts(self, *, fresh: bool = False) -> Facts | None:
        """Read what strategies and settings of the run in the folder were chosen by.

        fresh:   the run in it will be deleted, so the folder counts as new
        returns: None where there is no run, or its recipe said them itself
        raises:  UserError when it holds other things, or cannot be written
        """
        data = None if self._usable(fresh=fresh) == "new" else self._data()
        return Facts.read(data.get(FACTS_KEY)) if data else None

    def _data(self) -> dict[str, Any] | None:
        """Read what the run has read; None: it does not say, so nothing can be compared with it."""
        if not (self.path / "data.json").is_file():
            return None
        advice = "Copy it again, or delete it: what has changed since is not found then."
        return self.read_json("data.json", advice)

    def log(self) -> list[dict[str, Any]]:
        """Read the lines of log.jsonl; of a line that was torn off, and of no file, nothing."""
        if not (path := self.path / "log.jsonl").is_file():
            return []
        check_file(path)
        lines = []
        for text in path.read_text("utf-8", "replace").splitlines():
            with contextlib.suppress(ValueError, RecursionError):
                lines.append(json.loads(text))
        return [line for line in lines if isinstance(line, dict)]

    def begin(self, environment: object, data: object, recipe: str) -> None:
        """Write what identifies the run; the recipe late, for with it there is one."""
        self.path.mkdir(parents=True, exist_ok=True)
        files.remove(self.path / MANIFEST)  # a crash from here on leaves files that none lists
        files.write_json(self.path / "environment.json", environment)
        files.write_json(self.path / "data.json", data)
        files.write_text(self.path / "recipe.yaml", recipe)
        own = ("environment.json", "data.json", "recipe.yaml")
        write_manifest(self.path, {name: self.path / name for name in own})

    def finish(self, metrics: object) -> None:
        """Write a manifest of what is kept, and metrics.json, with which the run is finished."""
        kept = {path for pattern in LISTED for path in self.path.glob(pattern)}
        listed = {path.relative_to(self.path).as_posix(): path for path in kept}
        with files.whole_path(self.path / "metrics.json") as beside:
            beside.write_text(files.json_text(metrics), "utf-8")
            write_manifest(self.path, {**listed, "metrics.json": beside})
        self.remove_checkpoints()

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
        return [path for name in OURS for path in files.leftovers(self.path / name)]


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity, which no run writes
