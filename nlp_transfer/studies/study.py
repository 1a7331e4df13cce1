"""A study as a worker has it open."""

from __future__ import annotations

import math
from dataclasses import dataclass

import optuna
from pydantic import JsonValue

from nlp_transfer.errors import UserError
from nlp_transfer.recipe.reader import variants
from nlp_transfer.recipe.search_section import Range
from nlp_transfer.strategies.any_recipe import AnyRecipe
from nlp_transfer.studies.folder import StudyFolder
from nlp_transfer.studies.journal import Journal
from nlp_transfer.studies.plan import Plan, Run
from nlp_transfer.studies.space import space_of


@dataclass(frozen=True)
class Study:
    """Many runs of one recipe, and who does what of them."""

    folder: StudyFolder
    recipe: AnyRecipe
    runs: Journal
    tests: Journal
    """Scorings of finished runs on the test split."""
    until: float = math.inf
    """By `time.monotonic`: no run but a search's first is begun later, and no trial goes on."""

    @classmethod
    def open(cls, folder: StudyFolder, recipe: AnyRecipe, *, until: float = math.inf) -> Study:
        """Open the journal of a study."""
        runs = Journal(folder.journal, "runs", pruner=_pruner(recipe))
        return cls(folder, recipe, runs, Journal(folder.journal, "tests"), until)

    @property
    def plan(self) -> Plan:
        """What is to be run; another worker may have added to it by now.

        raises: UserError where the study was deleted
        """
        plan = self.folder.plan()
        if plan is None:
            raise UserError(f"{self.folder.path}: the study in this folder was deleted.")
        return plan

    @property
    def planned(self) -> int:
        """How many runs the grid has, or trials the search; without a number, those begun."""
        plan = self.plan
        if plan.is_open_ended:
            return len(self.runs.trials())
        return plan.trials or len(plan.rows) * len(plan.seeds)

    def recipe_of(self, run: Run) -> AnyRecipe:
        """Return the recipe of a run, which leaves the test split alone."""
        own: dict[str, JsonValue] = {
            "training.seed": run.seed,
            "evaluation.splits": ["validation"],
            "search": {},
        }
        return variants(self.recipe, [{**run.row.settings, **own}])[0]


def _pruner(recipe: AnyRecipe) -> optuna.pruners.BasePruner:
    """Let Hyperband stop trials early; what it shares out is epochs."""
    tried = space_of(recipe).get("training.epochs", (recipe.training.epochs,))
    most = tried.high if isinstance(tried, Range) else max(float(str(one)) for one in tried)
    return optuna.pruners.HyperbandPruner(1, max(1, math.ceil(most)), 3)
