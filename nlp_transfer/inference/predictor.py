"""A trained model in, predictions for any text out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_transfer.data.arrow_tables import iterate
from nlp_transfer.data.items import Columns, Given, Item, ItemReader, beside, kept_columns
from nlp_transfer.data.raw_words import RawWords, kept
from nlp_transfer.data.segmenters import checked_rule
from nlp_transfer.data.words import Splitter
from nlp_transfer.errors import UserError
from nlp_transfer.inference.answer_bounds import answer_bounds
from nlp_transfer.inference.compiled_model import compiled
from nlp_transfer.inference.engine import predict_distributions
from nlp_transfer.inference.hidden_states import hidden_states
from nlp_transfer.inference.loading import load_trained
from nlp_transfer.inference.onnx_model import TOKENS_PER_BATCH, find_model
from nlp_transfer.inference.precision import device_of, resolve_precision, usable_precision
from nlp_transfer.inference.results import Results, check_is_list
from nlp_transfer.models.architecture import output_labels
from nlp_transfer.models.build import LoadedModel
from nlp_transfer.recipe import ModelSection, WordRule
from nlp_transfer.records import LossLedger, Prediction, Row
from nlp_transfer.tasks.base import Task
from nlp_transfer.tasks.calibrating import AnswerBounds, calibrated
from nlp_transfer.tasks.faces import WindowRow
from nlp_transfer.tasks.optional import Calibration

if TYPE_CHECKING:
    import numpy as np
    import torch
    from datasets import Dataset
    from numpy.typing import NDArray
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Predictor:
    """A model with everything that prediction needs.

    >>> predictor = Predictor.from_run("runs/quickstart-ner")
    >>> for result in predictor(["Ada Lovelace wrote to Paris."]):
    ...     print(result["entities"])
    """

    loaded: LoadedModel
    task: Task
    options: ModelSection
    precision: str
    tokens_per_batch: int | None = None
    columns: Columns = field(default_factory=dict)
    """Columns that the model learned from, by role."""
    words: RawWords = field(default_factory=RawWords)
    fast_cpu: bool = True
    """Whether it computes by our operations on a CPU."""
    calibration: Calibration | None = None
    """How its scores are corrected; None: they are as the model computes them."""
    bounds: AnswerBounds | None = None
    """Which answers stay, and which labels stand in a set beside them; None: all, and no set."""

    def __new__(cls, loaded: object = None, *_: object, **__: object) -> Predictor:
        """Say how a model is loaded by its name."""
        if isinstance(loaded, str | Path):
            raise TypeError(f"load a model by its name with Predictor.from_run({str(loaded)!r})")
        return super().__new__(cls)

    @classmethod
    def from_run(
        cls,
        model: str | Path,
        *,
        precision: str = "auto",
        tokens_per_batch: int | None = None,
        engine: str = "auto",
        device: str = "auto",
        words: WordRule | None = None,
        setting: str = "MODEL",
        shared: PreTrainedModel | None = None,
        scheme: str | None = None,
        fast_cpu: bool | None = None,
        min_precision: float | None = None,
        coverage: float | None = None,
    ) -> Predictor:
        """Load a run folder, a model folder, an adapter folder or a Hub id.

        precision:        auto, bf16, fp16 or fp32, of PyTorch; an ONNX model has its own
        tokens_per_batch: pieces computed at a time, padding included; None: as suits the device
        engine:           torch, compiled or onnx (of `export`); auto: onnx where nothing else is
        device:           auto, cpu, cuda, cuda:1, mps...
        words:            how raw text is split for NER; None: as the recipe's data.words said
        setting:          the argument or recipe key that named it, for error messages
        shared:           a model whose encoder an adapter uses, instead of one of its own
        scheme:           tag scheme of a NER model that was trained elsewhere; None: told from its
                          labels
        fast_cpu:         compute by our operations on a CPU; None: as training.fast_cpu said
        min_precision:    leave out answers below the score that had this precision on validation
        coverage:         give texts the set of labels that holds the right one for this share
        raises:           UserError when it is no such thing, its labels have no names, or there is
                          no such device
        """
        folder, computing = find_model(str(model), engine, setting)
        device, onnx = device_of(computing, device), computing == "onnx"
        loaded, task, settings, calibration = load_trained(
            folder, setting, device=device, onnx=onnx, shared=shared, scheme=scheme
        )
        fast = settings.fast_cpu if fast_cpu is None else fast_cpu
        raw = RawWords(rule=checked_rule(words, "words")) if words else kept(settings.words, folder)
        if onnx:
            precision, tokens_per_batch = "fp32", tokens_per_batch or TOKENS_PER_BATCH
        else:
            wanted = resolve_precision(precision, device)
            precision = usable_precision(loaded.model, wanted, fast_cpu=fast)
        columns, options = kept_columns(settings.columns), settings.options
        bounds = answer_bounds(
            calibration, str(model), min_precision=min_precision, coverage=coverage
        )
        known = (loaded, task, options, precision, tokens_per_batch, columns, raw, fast)
        predictor = cls(*known, calibration=calibration, bounds=bounds)
        return compiled(predictor) if computing == "compiled" else predictor

    @property
    def labels(self) -> list[str]:
        """The model's labels in the order of its outputs."""
        return output_labels(self.loaded.model.config)

    def predict(
        self, rows: Iterable[Row], count: Callable[[LossLedger], None] | None = None
    ) -> Iterator[Prediction]:
        """Predict rows as `Splits` hold them ({words} or {text}), streaming, in order.

        count: takes what each row holds and the model could not use
        """
        labels = self.labels
        if (known := self.loaded.known) is None:
            distributions = self.distributions(rows, count)
        else:
            distributions = known.judged(self._computed(rows, count, features=True), len(labels))
        decoder = self.task.decoder
        predictions = (decoder.decode(distribution, labels) for distribution in distributions)
        return calibrated(predictions, self.calibration, self.bounds)

    def encode(self, rows: Iterable[Row]) -> Iterator[tuple[list[WindowRow], LossLedger]]:
        """Turn each row into the windows that the model reads, and count what they lose."""
        tokenizer, config = self.loaded.tokenizer, self.loaded.model.config
        return self.task.windows.encode(rows, tokenizer, config.label2id, self.options)

    def distributions(
        self, rows: Iterable[Row], count: Callable[[LossLedger], None] | None = None
    ) -> Iterator[NDArray[np.floating[Any]]]:
        """Compute the log-probabilities of the labels that `predict` chooses from.

        yields: (words, labels) for NER, (1, labels) for classification, in the order of `labels`
        """
        return self._computed(rows, count)

    def _computed(
        self,
        rows: Iterable[Row],
        count: Callable[[LossLedger], None] | None,
        *,
        features: bool = False,
    ) -> Iterator[NDArray[np.floating[Any]]]:
        """Compute distributions, or with features what `predict_distributions` then yields."""

        def windows() -> Iterator[list[WindowRow]]:
            for own, losses in self.encode(rows):
                if count is not None:
                    count(losses)
                yield own

        return predict_distributions(
            self.loaded.model,
            self.task,
            windows(),
            pad_id=self.loaded.tokenizer.pad_token_id,
            tokens_per_batch=self.tokens_per_batch,
            precision=self.precision,
            fast_cpu=self.fast_cpu,
            features=features,
        )

    def hidden_states(self, batch: Mapping[str, torch.Tensor]) -> Sequence[torch.Tensor]:
        """Compute the hidden states of windows, the embeddings' first, then one a layer.

        batch:   (windows, pieces) each, of the model's own tokenizer
        returns: (windows, pieces, hidden) each
        """
        return hidden_states(
            self.loaded.model, batch, precision=self.precision, fast_cpu=self.fast_cpu
        )

    def predict_split(self, rows: Dataset) -> tuple[list[Prediction], LossLedger]:
        """Predict a whole split, and count what it holds and loses."""
        total = LossLedger()

        def add(losses: LossLedger) -> None:
            nonlocal total
            total += losses

        predictions = list(self.predict(iterate(rows), add))
        return predictions, total

    def check_fits(self, task: Task, labels: Sequence[str]) -> None:
        """Refuse to score a model of another task, or one that shares no label with the data."""
        if task.name != self.task.name:
            raise UserError(
                f"MODEL is a model for {self.task.name}, the recipe is for {task.name}."
            )
        known = list(dict.fromkeys(map(self.task.head.class_of, self.labels)))
        wanted = map(task.head.class_of, task.head.new(labels).labels)
        if not set(wanted) & set(known) - {"O"}:
            raise UserError(
                f"MODEL knows none of the data's labels. Model: {', '.join(known)}. "
                f"Data: {', '.join(labels)}.{self.task.head.advice_on_labels(labels)}"
            )

    def __call__(self, items: Iterable[Given], *, columns: Columns | None = None) -> Results:
        """Predict texts or dicts, streaming, in order.

        items:   strings, or for NER lists of words, or dicts with "text" (and "text_pair") or
                 "tokens", under these names, the usual ones or those that the model learned from
        columns: other names by role, as {"text": "body"}
        returns: for NER {text or tokens, tags, entities}; for classification {text, label, score,
                 scores}; offsets are Unicode code points, ends are exclusive. All other fields of a
                 dict come back beside these; "input_" stands before a name that results use
        """
        check_is_list(items)
        reader = ItemReader(self.columns, columns, word_lists=self.task.results.word_lists)
        read, kept = tee(reader.items(items))
        pairs = zip(kept, self.answers(read), strict=True)
        return Results(beside(item, answer, self.task.results.keys) for item, answer in pairs)

    def answers(self, items: Iterable[Item]) -> Iterator[dict[str, Any]]:
        """Predict items, streaming, in order; without the fields that they come with."""
        results = self.task.results
        # What splits raw text is asked for with the first: only then is it worth a warning.
        rows = (results.row(item, lambda text: self._splitter(text)) for item in items)
        for_model, for_output = tee(rows)
        for row, prediction in zip(for_output, self.predict(for_model), strict=True):
            yield results.result(row, prediction)

    @cached_property
    def _splitter(self) -> Splitter:
        return self.words.splitter()
