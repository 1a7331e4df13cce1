"""The folder of a study: its recipe and plan, the journal of its workers, its runs and results."""

from __future__ import annotations

import json
from pathlib import Path

from nlp_transfer import files
from nlp_transfer.errors import UserError
from nlp_transfer.report.report import Report
from nlp_transfer.runs.disk import check_writable
from nlp_transfer.runs.lock import LOCK, Lock
from nlp_transfer.runs.run_folder import RunFolder
from nlp_transfer.runs.same_recipe import check_same_recipe
from nlp_transfer.strategies.any_recipe import AnyRecipe
from nlp_transfer.studies.plan import Plan, Run

_OURS = (
    "study.json", "study.md", "study.html", "test", "runs", "journal.log", "recipe.yaml",
    "plan.json",
)  # fmt: skip
"""All that a study writes, in the order in which it is deleted."""


class StudyFolder:
    """Where a study lies; any number of workers, on any machines, may write to it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, name: str, output: str | Path | None) -> StudyFolder:
        """Return the folder that was asked for, or studies/<recipe name>."""
        return cls(Path(output) if output else Path("studies") / name)

    @property
    def journal(self) -> Path:
        """What the workers tell each other."""
        return self.path / "journal.log"

    def run(self, run: Run) -> RunFolder:
        """Return the folder of a run."""
        return RunFolder(self.path / "runs" / run.name)

    def finished(self, run: Run) -> Report | None:
        """Read the report of a run, where it is finished."""
        folder = self.run(run)
        if folder.state() != "finished":
            return None
        return _report(folder.path / "metrics.json", damaged=folder.path)

    def tested(self, run: Run) -> Report | None:
        """Read the report of a run's model on the test split, where it was scored there."""
        path = self._test(run)
        return _report(path, damaged=path) if path.is_file() else None

    def write_test(self, run: Run, report: Report) -> None:
        """Keep the report of a run's model on the test split."""
        path = self._test(run)
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(path, report.metrics)

    def _test(self, run: Run) -> Path:
        return self.path / "test" / f"{run.name}.json"

    def plan(self) -> Plan | None:
        """Read the plan of the study in the folder; None: there is none.

        raises: UserError where it is damaged
        """
        path = self.path / "plan.json"
        if not path.is_file():
            return None
        try:
            return Plan.read(json.loads(path.read_text("utf-8")))
        except (UserError, KeyError, TypeError, ValueError, AttributeError, RecursionError):
            raise UserError(
                f"{path}: this file is damaged. Start the study over with --fresh."
            ) from None

    def check(self, recipe: AnyRecipe) -> None:
        """Refuse a folder that holds the study of another recipe, or other things.

        raises: UserError
        """
        if self.path.is_file():
            raise UserError(f"--output: {self.path} is a file; name a folder.")
        check_writable(self.path)
        if (self.path / "recipe.yaml").is_file() and self.plan() is not None:
            check_same_recipe(self.path, recipe, what="study")
            return
        there = {path.name for path in self.path.glob("*")} if self.path.is_dir() else set()
        # A study that has not got to its plan has written nothing but these.
        if others := sorted(
            there - {"plan.lock", "recipe.yaml", "journal.log", "journal.log.lock"}
        ):
            raise UserError(
                f"--output: {self.path} holds other things ({', '.join(others[:5])}) and no study. "
                "Name an empty or new folder."
            )

    def write_plan(self, recipe: AnyRecipe, plan: Plan) -> None:
        """Write what identifies a study; the plan last."""
        if plan != self.plan():
            files.write_text(self.path / "recipe.yaml", recipe.as_yaml())
            files.write_json(self.path / "plan.json", plan.as_dict())

    def clear(self) -> None:
        """Delete a study, and nothing that is not part of one.

        raises: UserError where a worker is at one of its runs
        """
        if not (self.path / "plan.json").is_file():  # a damaged one is one, too
            return
        for lock in self.path.glob(f"runs/*/{LOCK}"):
            with Lock(lock, lock.parent):
                pass  # free, or of a process that is dead
        for name in _OURS:
            locks = self.path.glob(f"{name}.lock*")
            for path in (*files.leftovers(self.path / name), *locks, self.path / name):
                files.remove(path)


def _report(path: Path, *, damaged: Path) -> Report:
    """Read the report of a run.

    damaged: what is to be deleted where it cannot be read
    raises:  UserError
    """
    try:
        return Report.read(RunFolder(path.parent).read_json(path.name))
    except (UserError, KeyError, TypeError, ValueError, AttributeError):
        raise UserError(
            f"{path}: this file is damaged. Delete {damaged}, and start the study again with "
            "--retry: only what was deleted is done anew."
        ) from None
