"""Several adapters on one base model, whose weights are in memory once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import tee
from pathlib import Path
from typing import Any

from nlp_transfer.data.items import Columns, Given, Item, ItemReader, beside
from nlp_transfer.errors import UserError
from nlp_transfer.inference.onnx_model import FOLDER
from nlp_transfer.inference.predictor import Predictor
from nlp_transfer.inference.results import Results, check_is_list
from nlp_transfer.manifest import check_folder
from nlp_transfer.models.checkpoint import resolve_checkpoint
from nlp_transfer.models.fit import check_encoder
from nlp_transfer.models.loading import ADAPTER_FILE, load_adapter_config, load_config, load_model
from nlp_transfer.models.trained import base_of
from nlp_transfer.recipe import WordRule
from nlp_transfer.tasks.base import Task

_COPY = "Copy the base model again with all its files."
_READ = ("text", "text_pair", "tokens")
"""What of a result is what was read, not an answer."""


@dataclass(frozen=True)
class Adapters:
    """Predictors that share the weights of their base, by name; each has its task and labels.

    >>> both = Adapters.load("samples/minilm", ["runs/names", "runs/topics"])
    >>> for result in both([{"text": "Ada Lovelace wrote to Paris."}]):
    ...     print(result["adapters"]["names"]["entities"])
    """

    predictors: Mapping[str, Predictor]

    @classmethod
    def load(
        cls,
        base: str,
        adapters: Sequence[str | Path],
        *,
        precision: str = "auto",
        device: str = "auto",
        words: WordRule | None = None,
        min_precision: float | None = None,
        coverage: float | None = None,
    ) -> Adapters:
        """Load one or more adapters; each is called by the name of its run folder.

        base:     checkpoint that all of them were trained on
        adapters: run folders or adapter folders
        words:    how raw text is split, instead of as each adapter says
        min_precision, coverage: as `Predictor.from_run` has them, of each
        raises:   UserError when one is no adapter, or of another base
        """
        from transformers import AutoModel

        folders = {name_of(adapter): _adapter_folder(Path(adapter)) for adapter in adapters}
        if len(folders) < len(adapters):
            raise UserError("--adapter: two adapters have the same name; rename a folder.")
        base_folder = resolve_checkpoint(base, setting="MODEL")
        for folder in folders.values():
            _check_base(folder, base_folder)
        config = load_config(base_folder, "MODEL")
        shared, weights = load_model(AutoModel, base_folder, config, "MODEL")
        check_encoder(shared, weights, base_folder, "MODEL", advice=_COPY)
        return cls(
            {
                name: Predictor.from_run(
                    folder,
                    precision=precision,
                    engine="torch",
                    device=device,
                    words=words,
                    setting="--adapter",
                    shared=shared,
                    min_precision=min_precision,
                    coverage=coverage,
                )
                for name, folder in folders.items()
            }
        )

    @property
    def task(self) -> Task:
        """The task of the first adapter."""
        return next(iter(self.predictors.values())).task

    @property
    def folders(self) -> list[str]:
        """Folders of all adapters."""
        return [predictor.options.checkpoint for predictor in self.predictors.values()]

    @property
    def precision(self) -> str:
        """What all of them compute in."""
        return next(iter(self.predictors.values())).precision

    @property
    def columns(self) -> Columns:
        """Columns that the adapters learned from; where they differ, those of the first."""
        return {
            role: name
            for predictor in reversed([*self.predictors.values()])
            for role, name in predictor.columns.items()
        }

    def __call__(self, items: Iterable[Given], *, columns: Columns | None = None) -> Results:
        """Predict items as a Predictor does, streaming, in order.

        yields: what the predictor does where there is one; else {text or tokens, adapters: {name:
                {tags, entities} or {label, score, scores}}}, beside all other fields of the item
        """
        check_is_list(items)
        word_lists = self.task.results.word_lists
        read = ItemReader(self.columns, columns, word_lists=word_lists).items(items)
        if len(self.predictors) == 1:
            return next(iter(self.predictors.values()))(read)
        return Results(self._beside_another(read))

    def _beside_another(self, read: Iterator[Item]) -> Iterator[dict[str, Any]]:
        """Let each adapter answer for each item."""
        kept, *copies = tee(read, 1 + len(self.predictors))
        asked = zip(self.predictors.values(), copies, strict=True)
        answers = zip(*(one.answers(copy) for one, copy in asked), strict=True)
        for item, results in zip(kept, answers, strict=True):
            shown = {key: results[0][key] for key in _READ if key in results[0]}
            # Adapters that split text in different ways each keep their own tokens.
            found = [
                {k: v for k, v in result.items() if k not in _READ or v != shown.get(k)}
                for result in results
            ]
            adapters = {"adapters": dict(zip(self.predictors, found, strict=True))}
            yield beside(item, {**shown, **adapters}, _READ)


def _check_base(adapter: Path, base: Path) -> None:
    own = base_of(load_adapter_config(adapter, "--adapter"))
    if own.resolve() != base.resolve():
        raise UserError(f"--adapter: the base of {adapter} is {own}, not MODEL, which is {base}.")


def name_of(model: str | Path) -> str:
    """Call a model by its run folder, its own folder or the last part of its Hub id."""
    return run_of(model).name


def run_of(model: str | Path) -> Path:
    """Return the run folder that a model lies in, or its own folder."""
    path = Path(model).resolve()
    return path.parent if path.name in ("adapter", "model", FOLDER) else path


def _adapter_folder(path: Path) -> Path:
    for folder in (path / "adapter", path / "model", path):
        if (folder / ADAPTER_FILE).is_file():
            check_folder(folder, "--adapter")
            return folder
    raise UserError(
        f"--adapter: {path} holds no adapter (adapter_config.json). Name a run of the strategies "
        "lora, ia3 or prompt."
    )
