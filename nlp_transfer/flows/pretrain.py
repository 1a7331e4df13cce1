"""A checkpoint that reads texts of the domain, before it is fine-tuned."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from nlp_transfer.logs import lines_shown
from nlp_transfer.recipe.reader import check_paths, located
from nlp_transfer.runs.disk import noticing_full_disk
from nlp_transfer.runs.group import held_by_all
from nlp_transfer.runs.interrupts import explaining_interrupt
from nlp_transfer.runs.run_folder import RunFolder
from nlp_transfer.runs.starting import announce
from nlp_transfer.strategies.any_recipe import AnyRecipe


@lines_shown()
def pretrain(
    recipe: AnyRecipe, *, output: str | Path | None = None, fresh: bool = False
) -> tuple[Path, dict[str, Any]]:
    """Let the recipe's checkpoint read texts of the domain, before it is fine-tuned.

    output:  the run folder, by default runs/<recipe name>-pretrained; runs in it go on or are
             shown again, as with `finetune`
    fresh:   delete the run in the folder and start over
    returns: the run folder, which is a checkpoint, and every figure of metrics.json
    """
    recipe = located(recipe.model_copy(update={"name": f"{recipe.name}-pretrained"}))
    asked = RunFolder.of(recipe.name, output)
    announce("pretrains", recipe, asked)
    from nlp_transfer.runs.saving import write_pretrained
    from nlp_transfer.runs.starting import begin_with, show_again
    from nlp_transfer.training.arguments import training_arguments
    from nlp_transfer.training.domain_texts import read_texts_again
    from nlp_transfer.training.pretraining import describe_texts, load_texts, read_on, section_of

    with held_by_all(asked, recipe, fresh=fresh) as (folder, watching):
        args = training_arguments(section_of(recipe), folder.checkpoints)
        if folder.check(recipe, fresh=fresh) == "finished":
            show_again(folder, partial(read_texts_again, recipe))
            return asked.path, folder.read_json("metrics.json")
        with explaining_interrupt(folder, begun=False, fresh=fresh):
            check_paths(recipe)
            reading = load_texts(recipe)
            data, model = describe_texts(reading), reading.loaded.model
            begin_with(folder, recipe, data, model, args, fresh=fresh)
        with explaining_interrupt(folder, begun=True, fresh=fresh), noticing_full_disk(folder.path):
            last = folder.checkpoint_for_all()
            reading, metrics = read_on(recipe, reading, folder.checkpoints, last, watching)
            write_pretrained(folder, reading, metrics)
        return asked.path, metrics
