"""A finished run in, the files that others get of it out: nothing in them is of this machine."""

from __future__ import annotations

import json
import logging
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nlp_transfer.errors import UserError
from nlp_transfer.files import json_text
from nlp_transfer.manifest import MANIFEST, check_file, check_folder
from nlp_transfer.models.loading import ADAPTED_FILE, CONFIG_FILE, config_file
from nlp_transfer.publish.card import REPO_PLACEHOLDER, is_local, short_name
from nlp_transfer.recipe.yaml_reader import read_yaml, write_yaml
from nlp_transfer.runs.run_folder import RunFolder
from nlp_transfer.secrets import without_secrets
from nlp_transfer.tasks.analysis import shareable

log = logging.getLogger(__name__)

Files = Mapping[str, Path | bytes]
"""Content or source of each file, by its path in the repository."""

_SHORTENED = "# Local paths of the machine that trained the model are cut to their last part.\n"


def check_finished(folder: RunFolder) -> None:
    """Refuse a run that lacks something that is published, or where that is damaged."""
    config = config_file(folder.model).relative_to(folder.path)
    needed = ("recipe.yaml", "metrics.json", "README.md", str(config))
    missing = [name for name in needed if not (folder.path / name).is_file()]
    if not missing:
        check_folder(folder.model, "RUN")
        for name in ("recipe.yaml", "metrics.json"):
            check_file(folder.path / name)
        return
    if folder.state() == "new":
        raise UserError(f"{folder.path} holds no run: there is no recipe.yaml in it.")
    recipe = shlex.quote(str(folder.path / "recipe.yaml"))
    again = f"nlpt finetune --recipe {recipe} --output {shlex.quote(str(folder.path))}"
    if folder.state() == "finished":
        raise UserError(
            f"The run in {folder.path} is finished, but {', '.join(missing)} is missing. Copy it "
            f"back, or train anew with: {again} --fresh"
        )
    raise UserError(
        f"The run in {folder.path} is not finished: {', '.join(missing)} is missing. Finish it "
        f"with: {again}"
    )


def files_to_publish(folder: RunFolder, repo: str) -> Files:
    """Choose the files and make them portable: the model, recipe.yaml, metrics.json and the card.

    repo: "owner/name", for the card
    """
    files: dict[str, Path | bytes] = {
        path.name: path
        for path in sorted(folder.model.iterdir())
        if path.is_file() and not path.name.startswith(".") and path.name != MANIFEST
    }
    if ADAPTED_FILE in files:  # on the Hub transformers reads an adapter beside config.json
        files[CONFIG_FILE] = files.pop(ADAPTED_FILE)
    if "adapter_config.json" in files:
        files["adapter_config.json"] = _portable_adapter(folder.model / "adapter_config.json")
    files["recipe.yaml"] = _portable_recipe(folder)
    files["metrics.json"] = json_text(_portable_metrics(folder.read_json("metrics.json"))).encode()
    files["README.md"] = _card(folder.path / "README.md", repo)
    return files


def write_files(files: Files, folder: Path) -> None:
    """Write the files that are published into a folder that is there."""
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.read_bytes())


def _card(file: Path, repo: str) -> bytes:
    """Return the model card, which the user may have edited, with the name of the repository."""
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: this is not UTF-8 ({error.reason}). Save it as UTF-8.") from None
    return text.replace(REPO_PLACEHOLDER, f'"{repo}"').encode()


def read_recipe(folder: RunFolder) -> dict[str, Any]:
    """Read the recipe of a run, also one of another version."""
    where = folder.path / "recipe.yaml"
    recipe, _ = read_yaml(where.read_text("utf-8"), str(where))
    if not isinstance(recipe, dict):
        raise UserError(f"{where}: a recipe is a mapping of sections (name, task, data, model...).")
    return recipe


def _portable_metrics(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out of the figures what quotes the data: it may be private where the model is not."""
    splits = {
        name: {**split, "analysis": shareable(split["analysis"])} if "analysis" in split else split
        for name, split in metrics.get("splits", {}).items()
    }
    sides = {name: _portable_metrics(side) for name, side in metrics.get("tasks", {}).items()}
    shortened = {"splits": splits, "tasks": sides}
    return {name: shortened.get(name, part) for name, part in metrics.items()}


def _portable_recipe(folder: RunFolder) -> bytes:
    """Return recipe.yaml without the paths of this machine."""
    recipe = read_recipe(folder)
    # Not under `task`: an entity type may be called /person/artist.
    places = ("data.source", "data.splits", "model", "strategies", "training")
    portable = without_secrets(_without_paths(recipe, places))
    if portable == recipe:
        return (folder.path / "recipe.yaml").read_bytes()
    return (_SHORTENED + write_yaml(portable)).encode()


def _without_paths(value: object, places: tuple[str, ...], at: str = "") -> object:
    if isinstance(value, dict):
        return {k: _without_paths(v, places, f"{at}.{k}".lstrip(".")) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_paths(item, places, at) for item in value]
    here = any(at == place or at.startswith(f"{place}.") for place in places)
    if here and isinstance(value, str) and (Path(value).is_absolute() or value.startswith("~")):
        return f"./{short_name(value)}"
    return value


def _portable_adapter(path: Path) -> bytes:
    """Return adapter_config.json without the path of a local base model.

    The leading ./ keeps a reader's machine from taking the folder's name for a Hub id, which could
    load some other model without a word.
    """
    config = json.loads(path.read_text("utf-8"))
    base = config.get("base_model_name_or_path") or ""
    if not is_local(base):
        return path.read_bytes()
    log.warning(
        "the base model of the adapter is the local folder %s: only who has it can load this. "
        "With merge: true under strategies lora the model stands alone.",
        short_name(base),
    )
    config["base_model_name_or_path"] = f"./{short_name(base)}"
    return (json.dumps(config, indent=2) + "\n").encode()
