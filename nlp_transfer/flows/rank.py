"""Which checkpoint to start from: each reads some of the training data once, as it is.

check all -> read -> score -> rank
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_transfer.errors import UserError
from nlp_transfer.logs import lines_shown
from nlp_transfer.recipe.reader import located
from nlp_transfer.strategies.any_recipe import AnyRecipe

if TYPE_CHECKING:
    from nlp_transfer.inference.transfer import Probe
    from nlp_transfer.report.ranking import Ranking

log = logging.getLogger(__name__)


@lines_shown()
def rank_checkpoints(
    recipe: AnyRecipe, checkpoints: Sequence[str | Path], *, device: str = "auto"
) -> Ranking:
    """Say which of several checkpoints is likely to be best after fine-tuning, without training.

    Only the training split has a part in it; the recipe's own checkpoint and strategies have none.

    checkpoints: Hub ids, model folders or run folders
    device:      auto, cpu, cuda, cuda:1, mps...
    raises:      UserError that names all that cannot be ranked, before any is
    """
    names = [str(checkpoint) for checkpoint in checkpoints]
    if not names or not all(name.strip() for name in names):
        without = "One of the checkpoints has an empty name. " if names else ""
        raise UserError(
            f"{without}Name checkpoints to be ranked: Hub ids, model folders or run folders."
        )
    recipe = located(recipe)
    log.info("%s: ranks %s by its training data", recipe.name, ", ".join(names))
    from nlp_transfer.inference.precision import resolve_device
    from nlp_transfer.inference.transfer import Probe
    from nlp_transfer.report.ranking import ranking
    from nlp_transfer.tasks.splits import load_splits

    where, rows = resolve_device(device), recipe.task.rows
    splits = load_splits(recipe, ("train",))
    if not rows.label_counts(splits["train"]):
        raise UserError(f"Checkpoints are ranked by labels; {recipe.task.name} has none.")
    probe = Probe.of(recipe, splits, device=where)
    folders = _checked(probe, names)
    train = splits.fingerprints["train"]
    learned = [name for name, folder in folders.items() if _learned(folder) == train]
    found = {}
    for name in names:
        found[name] = probe.measure(name)
        log.info("%s: score %.4f  %.1f s", name, found[name].log_me, found[name].seconds)
    return ranking(
        recipe.name,
        found,
        examples=len(probe.sample.rows),
        of_examples=len(splits["train"]),
        learned=learned,
        nouns=rows.nouns,
    )


def _checked(probe: Probe, names: Sequence[str]) -> dict[str, Path]:
    """Find the folders of all checkpoints.

    raises: UserError that names those which the recipe could not fine-tune, or are one and the same
    """
    folders: dict[Path, str] = {}
    faults = []
    for name in names:
        try:
            folder = probe.find(name).resolve()
            if folder in folders:
                raise UserError(f"{name}: it is {folders[folder]} once more. Name it once.")
            folders[folder] = name
            probe.build(name)
        except UserError as error:
            said = str(error).removeprefix("model.checkpoint: ")
            faults.append(said if said.startswith(f"{name}: ") else f"{name}: {said}")
    if faults:
        raise UserError("\n".join(faults))
    return {name: folder for folder, name in folders.items()}


def _learned(folder: Path) -> str | None:
    """Return the SHA-256 of the training split that the model of a run has learned."""
    from nlp_transfer.runs.run_folder import RunFolder

    run = RunFolder(folder.parent)
    return run.learned() if folder == run.model else None
