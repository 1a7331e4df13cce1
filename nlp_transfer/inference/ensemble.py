"""Several models that answer as one, by the mean of their probabilities."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_transfer.errors import UserError
from nlp_transfer.inference.predictor import Predictor
from nlp_transfer.recipe import WordRule
from nlp_transfer.records import LossLedger, Row

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ensemble(Predictor):
    """A Predictor with others beside it: their probabilities are averaged, then decoded once.

    For NER they are averaged word by word, so the tokenizers may differ. Decoding (Viterbi,
    thresholds), the splitting of raw text and the loss ledger are those of the first model.

    >>> ensemble = Ensemble.from_runs(["runs/seed-1", "runs/seed-2"])
    >>> for result in ensemble(["Ada Lovelace wrote to Paris."]):
    ...     print(result["entities"])
    """

    others: tuple[Predictor, ...] = ()

    @property
    def folders(self) -> list[str]:
        """Folders of all models."""
        return [model.options.checkpoint for model in (self, *self.others)]

    @classmethod
    def from_runs(
        cls,
        models: Sequence[str | Path],
        *,
        precision: str = "auto",
        tokens_per_batch: int | None = None,
        engine: str = "auto",
        device: str = "auto",
        scheme: str | None = None,
        words: WordRule | None = None,
        fast_cpu: bool | None = None,
        min_precision: float | None = None,
        coverage: float | None = None,
    ) -> Ensemble:
        """Load one or more run folders, model folders or Hub ids.

        precision, tokens_per_batch, engine, device, scheme, words, fast_cpu: as
            `Predictor.from_run` has them
        min_precision, coverage: the same, of one model
        raises: UserError when one is no such thing, or they differ in task or labels
        """
        option = "--coverage" if min_precision is None else "--min-precision"
        if (min_precision is not None or coverage is not None) and len(models) > 1:
            raise UserError(
                f"{option}: no validation split has told how sure several models may be "
                "together. Name one MODEL; nlpt merge --how greedy makes one of several."
            )
        first, *others = (
            Predictor.from_run(
                model,
                precision=precision,
                tokens_per_batch=tokens_per_batch,
                engine=engine,
                device=device,
                scheme=scheme,
                words=words,
                fast_cpu=fast_cpu,
                min_precision=min_precision,
                coverage=coverage,
            )
            for model in models
        )
        for other in others:
            check_same_answers(first, other)
            check_all_known(first, other)
            if first.words.rule != other.words.rule:
                log.warning(
                    "raw text is split for all models as for %s (data.words=%s); %s has "
                    "data.words=%s",
                    first.options.checkpoint,
                    first.words.rule,
                    other.options.checkpoint,
                    other.words.rule,
                )
        # Of a model that was trained elsewhere I- may begin an entity: its task decodes for all.
        task = next((model.task for model in (first, *others) if model.task.tag_scheme), first.task)
        # How sure the mean of several may be, no validation split has told.
        calibration = None if others else first.calibration
        own = {**vars(first), "task": task, "calibration": calibration}
        return cls(**own, others=tuple(others))

    def distributions(
        self, rows: Iterable[Row], count: Callable[[LossLedger], None] | None = None
    ) -> Iterator[NDArray[np.floating[Any]]]:
        """Average the probabilities of all models; the logarithm of the mean, in our label order.

        count: takes what each row holds and the first model could not use
        """
        own, *copies = tee(rows, 1 + len(self.others))
        streams = [super().distributions(own, count)]
        for other, copy in zip(self.others, copies, strict=True):
            streams.append(_reordered(other.distributions(copy), other.labels, self.labels))
        for parts in zip(*streams, strict=True):
            yield self.task.decoder.mean(parts)


def check_same_answers(first: Predictor, other: Predictor) -> None:
    """Refuse two models that differ in task or labels; the order of the labels may differ."""
    names = f"{first.options.checkpoint} and {other.options.checkpoint}"
    if first.task.kind != other.task.kind:
        raise UserError(
            f"{names} do not go together: the one is a model for {first.task.kind}, the other for "
            f"{other.task.kind}."
        )
    if set(first.labels) != set(other.labels):
        raise UserError(
            f"{names} do not go together, their labels differ. Only the first knows: "
            f"{_missing(first, other)}. Only the second: {_missing(other, first)}."
        )


def check_all_known(*models: Predictor) -> None:
    """Refuse models that tell texts of none of their classes: each by a bound of its own."""
    if telling := [model for model in models if model.loaded.known is not None]:
        raise UserError(
            f"{telling[0].options.checkpoint} tells texts of none of its classes (task.unknown), "
            "which several models do not do together. Predict with it alone, or train without "
            "task.unknown."
        )


def _missing(knows: Predictor, lacks: Predictor) -> str:
    return ", ".join(sorted(set(knows.labels) - set(lacks.labels))) or "none"


def _reordered(
    distributions: Iterator[NDArray[np.floating[Any]]], labels: list[str], wanted: list[str]
) -> Iterator[NDArray[np.floating[Any]]]:
    order = [labels.index(name) for name in wanted]
    return (distribution[:, order] for distribution in distributions)
