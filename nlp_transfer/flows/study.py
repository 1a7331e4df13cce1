"""Many runs of one recipe as one thing: seeds, grids, sizes of training data, a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from nlp_transfer.flows.evaluate import evaluate
from nlp_transfer.flows.finetune import finetune
from nlp_transfer.logs import lines_shown
from nlp_transfer.recipe.reader import located
from nlp_transfer.strategies.any_recipe import AnyRecipe

if TYPE_CHECKING:
    from nlp_transfer.studies.findings import StudyResult


@lines_shown()
def study(
    recipe: AnyRecipe,
    *,
    output: str | Path | None = None,
    seeds: int | None = None,
    vary: Mapping[str, Sequence[JsonValue]] | None = None,
    train_sizes: Sequence[int | None] = (),
    search: int | bool | None = None,
    minutes: float | None = None,
    test: bool = False,
    fresh: bool = False,
    retry: bool = False,
) -> StudyResult:
    """Train a recipe many times, and say which of its configurations is best.

    Started again it goes on; started several times at once, on any machines that share the folder,
    its workers share the runs. All rows are compared on the validation split; then the best one is
    scored on the test split.

    output:      the study's folder, by default studies/<recipe name>
    seeds:       runs a row, with the recipe's seed and those after it
    vary:        values by keys of the recipe; all combinations are rows
    train_sizes: numbers of training examples, a row each (None: all); the same ones for
                 every seed
    search:      trials that Optuna chooses from the recipe's search section, or a default; True:
                 as many as the minutes allow
    minutes:     begin no run later than this; a search ends by then
    test:        score every row on the test split, not only the best
    fresh:       delete the study in the folder and start over
    retry:       do the runs again that have failed
    returns:     what study.json, study.md and study.html say
    raises:      UserError for any mistake in what is to be run, before anything runs
    """
    from nlp_transfer.studies.requirements import check_can_study

    check_can_study()
    from nlp_transfer.studies.asked import Asked
    from nlp_transfer.studies.findings import find
    from nlp_transfer.studies.folder import StudyFolder
    from nlp_transfer.studies.opening import explaining_interrupt, open_study
    from nlp_transfer.studies.page import write_study
    from nlp_transfer.studies.worker import Flows, score_tests, work

    opened = open_study(
        StudyFolder.of(recipe.name, output),
        located(recipe),
        Asked(seeds, vary, train_sizes, search),
        minutes=minutes,
        fresh=fresh,
        retry=retry,
    )
    flows = Flows(finetune, evaluate)
    with explaining_interrupt(opened):
        work(opened, flows, after_each=lambda: write_study(opened.folder, find(opened)))
        score_tests(opened, flows, find(opened).to_test(every_row=test))
        result = find(opened, compare=True)
    write_study(opened.folder, result)
    return result
