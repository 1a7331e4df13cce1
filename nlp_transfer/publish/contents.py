"""A finished run in, all that leaves of it out, and what it is checked by afterwards."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_transfer.errors import UserError
from nlp_transfer.manifest import check_file
from nlp_transfer.models.loading import ADAPTER_FILE
from nlp_transfer.publish.parts import Parts
from nlp_transfer.publish.portable import Files, files_to_publish, read_recipe
from nlp_transfer.publish.published_card import published_card
from nlp_transfer.publish.use import Use
from nlp_transfer.runs.run_folder import RunFolder
from nlp_transfer.tasks.optional import Line

if TYPE_CHECKING:
    from nlp_transfer.inference.predictor import Predictor

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Contents:
    """What leaves, and what it is checked by."""

    files: Files
    examples: Sequence[Line]
    """Lines of predictions.jsonl; none: nothing is checked."""
    models: Sequence[tuple[str, Path]]
    """Engine and folder of each model."""

    def announce(self) -> None:
        """Say what leaves this machine, before it does."""
        sizes = {
            name: len(content) if isinstance(content, bytes) else content.stat().st_size
            for name, content in self.files.items()
        }
        log.info("to the Hub go %d files, %.1f MB:", len(sizes), sum(sizes.values()) / 1e6)
        for name, size in sizes.items():
            log.info("  %-28s %10s bytes", name, f"{size:,}")

    def write(self, folder: Path) -> None:
        """Write all of it into a folder."""
        for name, content in self.files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(
                content if isinstance(content, bytes) else content.read_bytes()
            )


def gather(folder: RunFolder, repo: str, what: Parts, scratch: Path) -> Contents:
    """Choose the files, and say in the card how they are used and what they reach.

    repo:    "owner/name"
    scratch: an empty folder, for what is made of the run
    raises:  UserError where there is no adapter to merge, or no ONNX model
    """
    from nlp_transfer.models.loading import load_config
    from nlp_transfer.models.readout import has_readout
    from nlp_transfer.models.saved import Settings
    from nlp_transfer.tasks.told import task_of

    model = _merged(folder, scratch / "model") if what.merge else folder.model
    onnx = _exported(folder) if what.onnx else None
    examples = _examples(folder) if what.check else []
    stock = None
    if examples:
        from nlp_transfer.publish.stock import measure_stock

        split = list(folder.read_json("metrics.json")["splits"])[-1]
        stock = measure_stock(_opened(model), model, examples, split=split)
    said = read_recipe(folder)["model"]
    is_adapter = (model / ADAPTER_FILE).is_file()
    config = load_config(model, "RUN")
    plain = is_adapter and said.get("layers") is None and not has_readout(config)
    task = task_of(config, Settings.of(config, model, "RUN").task, model, scheme=None)
    use = Use(said["checkpoint"], is_adapter, plain, onnx is not None, stock)
    files = files_to_publish(folder, model, onnx=onnx, report=what.report)
    files["README.md"] = published_card(folder.path / "README.md", repo, task, use)
    models = [("torch", model), *([("onnx", onnx)] if onnx is not None else [])]
    return Contents(files, examples, models)


def _merged(folder: RunFolder, target: Path) -> Path:
    """Put the adapter of a run into its base."""
    from nlp_transfer.inference.soup import soup
    from nlp_transfer.models.saved import save_model

    if not (folder.model / ADAPTER_FILE).is_file():
        raise UserError(f"--merge: {folder.model} is a whole model already. Leave out --merge.")
    save_model(soup([_opened(folder.model)]).loaded, target)
    return target


def _exported(folder: RunFolder) -> Path:
    from nlp_transfer.inference.onnx_model import find_model

    return find_model(str(folder.path), "onnx", "--with-onnx")[0]


def _opened(model: Path) -> Predictor:
    from nlp_transfer.inference.predictor import Predictor

    return Predictor.from_run(model, engine="torch", setting="RUN")


def _examples(folder: RunFolder) -> list[Line]:
    """Read what the run has predicted, to check by."""
    file = folder.path / "predictions.jsonl"
    if not file.is_file():
        log.warning("%s is gone: what is published is not measured or checked by it", file)
        return []
    check_file(file)
    with file.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
