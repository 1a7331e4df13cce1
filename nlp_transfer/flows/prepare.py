"""The tokenized data of a recipe, built once and kept where `finetune` finds it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from nlp_transfer.errors import Interrupted
from nlp_transfer.logs import lines_shown
from nlp_transfer.recipe.reader import check_paths
from nlp_transfer.strategies.any_recipe import AnyRecipe

if TYPE_CHECKING:
    from nlp_transfer.training.sizes import DataSizes

log = logging.getLogger(__name__)


@lines_shown()
def prepare(recipe: AnyRecipe, *, processes: int = 1) -> DataSizes:
    """Tokenize the data of a recipe and keep it on disk, where `finetune` finds it.

    returns: counts, window lengths and loss ledger of every split, and the folder of each
    """
    log.info("%s: tokenizes its data", recipe.name)
    from nlp_transfer.training.building import build
    from nlp_transfer.training.choosing import planned
    from nlp_transfer.training.examples import add_rows, encode, load
    from nlp_transfer.training.sizes import data_sizes

    recipe = check_paths(recipe)
    try:
        tasks = add_rows(load(planned(recipe)))
        encoded = encode(tasks, build(tasks), processes=processes)
    except KeyboardInterrupt as stop:
        raise Interrupted.after(
            stop,
            "interrupted: splits that were tokenized to their end are kept; the same command goes "
            "on with the others",
        ) from None
    return data_sizes(encoded, kept=True)
