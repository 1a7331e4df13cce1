"""The whole flow of a run. Read this first.

Recipe -> Splits -> checked -> encoded windows -> trained model -> Predictions -> Report -> folder
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_transfer.data.sources.module import check_runs_no_code
from nlp_transfer.errors import Interrupted, UserError
from nlp_transfer.files import whole_folder
from nlp_transfer.logs import lines_shown
from nlp_transfer.recipe.reader import find_recipe, located, read_recipe
from nlp_transfer.records import SPLIT_NAMES
from nlp_transfer.report.report import Report
from nlp_transfer.strategies.any_recipe import AnyRecipe

if TYPE_CHECKING:
    from nlp_transfer.training.material import Material
    from nlp_transfer.training.run_folder import RunFolder
    from nlp_transfer.training.train import Trained

log = logging.getLogger(__name__)


def load_recipe(name: str, overrides: Sequence[str] = (), *, trust_runs: bool = True) -> AnyRecipe:
    """Read and check a recipe.

    name:       a shipped recipe's name, a YAML file or a run folder
    overrides:  "key.path=value" strings, the values read as YAML
    trust_runs: false: refuse data that is code (`data.source: module:function`) where the recipe
                lies in a run folder, which may be a stranger's
    raises:     UserError that lists every fault with its path and line
    """
    recipe = read_recipe(AnyRecipe, name, overrides)
    if not trust_runs and not any(o.startswith(("data.source=", "data=")) for o in overrides):
        check_runs_no_code(find_recipe(name), recipe.data.source)
    return recipe


def validate(name: str, overrides: Sequence[str] = ()) -> AnyRecipe:
    """Read a recipe and refuse all that a run of it would refuse before it loads data or a model.

    name, overrides: as `load_recipe` has them
    raises:          UserError that lists every fault with its path and line
    """
    recipe = read_recipe(AnyRecipe, name, overrides, paths_exist=True)
    if recipe.training.arguments:  # names and types are checked; the rest takes torch, and seconds
        from nlp_transfer.training.arguments import training_arguments

        training_arguments(recipe.training, Path("runs"), strategies=recipe.strategies)
    return recipe


@lines_shown()
def finetune(
    recipe: AnyRecipe,
    *,
    output: str | Path | None = None,
    fresh: bool = False,
    push_to_hub: str | None = None,
) -> Report:
    """Fine-tune a checkpoint as the recipe says, and report on it.

    output:      the run folder, by default runs/<recipe name>; an unfinished run in it goes on, a
                 finished one is reported again
    fresh:       delete the run in the folder and start over
    push_to_hub: publish the finished run under this repository name
    returns:     every figure of metrics.json
    raises:      UserError for any mistake in the recipe, the data or the folder
    """
    recipe = located(recipe)
    folder = _run_folder(recipe, output)
    _announce("fine-tunes", recipe, folder)
    from nlp_transfer.publish.push import check_repo, publish
    from nlp_transfer.training.arguments import training_arguments
    from nlp_transfer.training.entering import begin, show_again
    from nlp_transfer.training.material import describe_data, prepare
    from nlp_transfer.training.sources import read_again
    from nlp_transfer.training.train import train

    if push_to_hub:
        check_repo(push_to_hub)
    args = training_arguments(recipe.training, folder.checkpoints, strategies=recipe.strategies)
    state = folder.check(recipe, fresh=fresh)
    if state == "finished":
        show_again(folder, partial(read_again, recipe, needed_splits(recipe)))
    else:
        located(recipe, paths_exist=True)
        with folder.explaining_interrupt(begun=False, fresh=fresh):
            earlier = _earlier_round(recipe, folder, fresh=fresh)
            material = prepare(recipe, needed_splits(recipe), earlier_round=earlier)
            model, sides = material.loaded.model, len(material.sides)
            begin(folder, recipe, describe_data(material), model, side_tasks=sides, fresh=fresh)
        with folder.explaining_interrupt(begun=True, fresh=fresh), folder.noticing_full_disk():
            trained = train(recipe, material, args, folder=folder)
            _finish(folder, recipe, material, trained)
    if push_to_hub:
        publish(folder.path, push_to_hub)
    return read_report(folder.path)


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
    folder = _run_folder(recipe, output)
    _announce("pretrains", recipe, folder)
    from nlp_transfer.processes import is_main_process, wait_for_all
    from nlp_transfer.tasks.base import LoadedModel
    from nlp_transfer.training.arguments import training_arguments
    from nlp_transfer.training.entering import begin, show_again
    from nlp_transfer.training.pretraining import (
        prepare_reading,
        read_on,
        read_texts_again,
        section_of,
    )
    from nlp_transfer.training.train import save_model

    training_arguments(section_of(recipe), folder.checkpoints)
    if folder.check(recipe, fresh=fresh) == "finished":
        show_again(folder, partial(read_texts_again, recipe))
        return folder.path, folder.read_json("metrics.json")
    with folder.explaining_interrupt(begun=False, fresh=fresh):
        located(recipe, paths_exist=True)
        reading = prepare_reading(recipe)
        data = {
            "splits": {"train": {"sha256": reading.read["texts"]["sha256"], **reading.counts}},
            "read": reading.read,
        }
        begin(folder, recipe, data, reading.model, fresh=fresh)
    with folder.explaining_interrupt(begun=True, fresh=fresh), folder.noticing_full_disk():
        metrics = read_on(recipe, reading, folder.checkpoints, folder.last_checkpoint())
        if is_main_process():
            loaded = LoadedModel(reading.model, reading.tokenizer, frozenset())
            with whole_folder(folder.path / "model", replace=True) as temporary:
                save_model(reading.model, loaded, temporary)
            folder.write_json("metrics.json", metrics)
            folder.remove_checkpoints()
        wait_for_all()
    return folder.path, metrics


@lines_shown()
def dry_run(recipe: AnyRecipe, *, output: str | Path | None = None) -> dict[str, Any]:
    """Check everything a run needs, run two steps, and estimate time, memory and disk.

    output:  the run folder that would be used
    returns: the plan; nothing is written
    """
    recipe = located(recipe, paths_exist=True)
    folder = _run_folder(recipe, output)
    _announce("tries two steps of", recipe, folder)
    from nlp_transfer.training.arguments import training_arguments
    from nlp_transfer.training.material import prepare
    from nlp_transfer.training.plan import plan_run

    training_arguments(recipe.training, folder.checkpoints, strategies=recipe.strategies)
    folder.check(recipe)
    return plan_run(recipe, prepare(recipe, needed_splits(recipe)), folder)


@lines_shown()
def prepare_data(recipe: AnyRecipe, *, processes: int = 1) -> dict[str, Any]:
    """Tokenize the data of a recipe and keep it on disk, where `finetune` finds it.

    returns: counts, window lengths and loss ledger of every split, and the folder of each
    """
    log.info("%s: tokenizes its data", recipe.name)
    from nlp_transfer.training.material import prepare, prepared_summary

    recipe = located(recipe, paths_exist=True)
    try:
        material = prepare(recipe, needed_splits(recipe), processes=processes)
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted: splits that were tokenized to their end are kept; the same command goes "
            "on with the others"
        ) from None
    return prepared_summary(material)


@lines_shown()
def evaluate(
    *models: str | Path,
    recipe: AnyRecipe,
    split: str = "test",
    engine: str = "auto",
    device: str = "auto",
    scheme: str | None = None,
) -> Report:
    """Score any model on a split of a recipe's data, or several by their mean probabilities.

    models: run folders, model folders or Hub ids
    engine: torch; onnx, for what `export` wrote; auto: onnx where there is nothing else
    device: auto, cpu, cuda, cuda:1, mps...
    scheme: tag scheme of a NER model that was trained elsewhere; None: told from its labels
    raises: UserError when a model is of another task, or knows none of the data's labels
    """
    log.info("%s: scores %s on the %s split", recipe.name, ", ".join(map(str, models)), split)
    from nlp_transfer.inference.ensemble import Ensemble
    from nlp_transfer.report.build import build_report, casing_notes
    from nlp_transfer.training.material import check_lost, load_repeats, load_splits

    if split not in SPLIT_NAMES:
        raise UserError(f"--split: {split!r} is unknown ({', '.join(SPLIT_NAMES)}).")
    splits = load_splits(recipe, (split,))
    predictor = Ensemble.from_runs(
        models,
        precision=recipe.training.precision,
        engine=engine,
        device=device,
        scheme=scheme,
    )
    predictor.check_fits(recipe.task, splits.labels)
    rows = splits[split]
    predictions, ledger = predictor.predict_split(rows)
    ledger += recipe.task.unseen(splits, split)
    check_lost(recipe, split, ledger)
    return build_report(
        task=recipe.task,
        recipe=recipe.name,
        rows={split: rows},
        predictions={split: predictions},
        ledgers={split: ledger},
        repeats=load_repeats(splits, [split]),
        samples=recipe.evaluation.bootstrap,
        notes=casing_notes(predictor.loaded, rows),
    )


def read_report(run: str | Path) -> Report:
    """Read the report of a finished run."""
    from nlp_transfer.training.run_folder import RunFolder

    folder = RunFolder(Path(run))
    if folder.state() != "finished":
        raise UserError(f"{run}: there is no finished run here (no metrics.json).")
    metrics = folder.read_json("metrics.json")
    if metrics["task"] == "pretraining":
        raise UserError(
            f"{run} is a pretraining run: its figures are in metrics.json. Fine-tune from it with "
            f"model.checkpoint={run}."
        )
    return Report(metrics)


def needed_splits(recipe: AnyRecipe) -> tuple[str, ...]:
    """List the splits that a run of this recipe reads."""
    return tuple(dict.fromkeys(("train", "validation", *recipe.evaluation.splits)))


def _run_folder(recipe: AnyRecipe, output: str | Path | None) -> RunFolder:
    """Return the folder that was asked for, or runs/<recipe name>."""
    from nlp_transfer.training.run_folder import RunFolder

    return RunFolder(Path(output) if output else Path("runs") / recipe.name)


def _announce(what: str, recipe: AnyRecipe, folder: RunFolder) -> None:
    """Say what begins, before the libraries that it needs are loaded: they take seconds."""
    start, data = recipe.model.checkpoint, recipe.data.source
    log.info("%s: %s %s on %s, in %s", recipe.name, what, start, data, folder.path)


def _earlier_round(recipe: AnyRecipe, folder: RunFolder, *, fresh: bool) -> str | None:
    """Finish the run of the round before this one, where a strategy takes several rounds.

    returns: its folder, inside the run's own until that is finished
    """
    strategies = [strategy.earlier_round() or strategy for strategy in recipe.strategies]
    if strategies == recipe.strategies:
        return None
    earlier = recipe.model_copy(update={"strategies": strategies})
    log.info("the round before first")
    finetune(earlier, output=folder.earlier_round, fresh=fresh)
    return str(folder.earlier_round)


def _finish(folder: RunFolder, recipe: AnyRecipe, material: Material, trained: Trained) -> None:
    """Write the results; metrics.json last, for it marks the run as finished."""
    from nlp_transfer.processes import is_main_process, wait_for_all
    from nlp_transfer.publish.card import card_text
    from nlp_transfer.report.build import run_report
    from nlp_transfer.report.pages import html_page, markdown_page

    if is_main_process():
        report = run_report(material, trained)
        _write_predictions(folder, material, trained)
        for name, side in material.sides.items():
            _write_predictions(folder.side_task(name), side, trained.sides[name])
        folder.write_text("report.md", markdown_page(report))
        folder.write_text("report.html", html_page(report))
        folder.write_text("README.md", card_text(recipe, report, material.splits.labels))
        folder.write_json("metrics.json", report.metrics)
        folder.remove_checkpoints()
    wait_for_all()


def _write_predictions(folder: RunFolder, material: Material, trained: Trained) -> None:
    """Write what was predicted for the last of the scored splits."""
    recipe = material.setting.recipe
    for split in recipe.evaluation.splits[-1:]:
        examples = recipe.task.examples_json(material.splits[split], trained.predictions[split])
        folder.write_json_lines("predictions.jsonl", examples)
