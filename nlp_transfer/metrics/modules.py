"""The scorers as `evaluate` metrics, constructed as classes: `evaluate.load` needs the network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Literal, Protocol

import datasets
import evaluate
import numpy as np

from nlp_transfer.data.tags import PARTS, Scheme, neighbours, scheme_of, split_tag, to_iob2
from nlp_transfer.errors import UserError
from nlp_transfer.metrics.entities import entity_figures
from nlp_transfer.metrics.flat import by_path
from nlp_transfer.metrics.labels import label_figures

IGNORED = -100
"""The reference of a piece that is not scored: what the Trainer's loss leaves out, too."""

Side = Iterable[Sequence[str] | Sequence[int]]
Names = Sequence[str] | Mapping[int, str] | Mapping[str, str]
_TAGS = datasets.Features(
    {
        "predictions": datasets.Sequence(datasets.Value("string")),
        "references": datasets.Sequence(datasets.Value("string")),
    }
)


class Evaluated(Protocol):
    """What the Trainer hands to `compute_metrics`: a transformers.EvalPrediction."""

    predictions: Any
    label_ids: Any


class _Scorer(evaluate.Metric):
    """Takes the tags of words, as text or as the ids of a model's outputs.

    Where a reference is -100 both sides are left out: later pieces of a word, padding.
    """

    description = ""
    citation = ""

    def __init__(self, labels: Names | None = None, **options: Any) -> None:
        """Make a scorer; nothing is downloaded.

        labels:  names of ids, such as `model.config.id2label`; text needs none
        options: of evaluate.Metric, such as num_process, process_id, experiment_id, cache_dir
        """
        named = dict(labels) if isinstance(labels, Mapping) else dict(enumerate(labels or ()))
        self._names = {int(number): name for number, name in named.items()}
        super().__init__(**options)

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=self.description, citation=self.citation, features=_TAGS
        )

    def add_batch(self, *, predictions: Side, references: Side, **_: Any) -> None:
        """Add sentences: a sequence of tags or ids each, in both the same words or pieces."""
        ours, theirs = list(references), list(predictions)
        if len(ours) != len(theirs):
            raise UserError(f"{len(theirs):,} predictions and {len(ours):,} references")
        kept = [self._kept(*pair) for pair in zip(theirs, ours, strict=True)]
        super().add_batch(
            predictions=[predicted for predicted, _ in kept], references=[gold for _, gold in kept]
        )

    def add(self, *, prediction: Sequence[Any], reference: Sequence[Any], **_: Any) -> None:
        """Add one sentence."""
        self.add_batch(predictions=[prediction], references=[reference])

    def compute_metrics(
        self, evaluated: Evaluated, compute_result: bool = True
    ) -> dict[str, float]:
        """Score as the Trainer asks for it: `Trainer(compute_metrics=scorer.compute_metrics)`.

        evaluated:      logits (sentences, pieces, labels) or ids (sentences, pieces), and label ids
        compute_result: with `batch_eval_metrics` the Trainer says so after the last batch
        returns:        every figure under one name, such as "f1" (of all) and "per_type/PER/f1"
        """
        outputs = evaluated.predictions
        logits = np.asarray(outputs[0] if isinstance(outputs, tuple) else outputs)
        ids = logits.argmax(-1) if logits.ndim == 3 else logits
        self.add_batch(predictions=ids, references=np.asarray(evaluated.label_ids))
        if not compute_result:
            return {}
        figures = self.compute() or {}
        return by_path({**figures.pop("overall", {}), **figures})

    def _kept(self, predicted: Sequence[Any], gold: Sequence[Any]) -> tuple[list[str], list[str]]:
        if isinstance(predicted, str) or isinstance(gold, str):  # its letters would be tags
            text = gold if isinstance(gold, str) else predicted
            raise UserError(f"a sentence is {text!r}: it must be a list of tags, one a word")
        if len(predicted) != len(gold):
            raise UserError(
                f"a sentence has {len(gold)} references and {len(predicted)} predictions: both "
                "are to be for the same words or pieces"
            )
        pairs = [pair for pair in zip(predicted, gold, strict=True) if pair[1] != IGNORED]
        return [self._tag(tag) for tag, _ in pairs], [self._tag(tag) for _, tag in pairs]

    def _tag(self, tag: str | int) -> str:
        if isinstance(tag, str):
            return tag
        if not self._names:
            raise UserError(
                f"{tag} is an id: say what ids are called, with labels=model.config.id2label"
            )
        if not float(tag).is_integer() or int(tag) not in self._names:
            raise UserError(f"{tag} is none of the ids {min(self._names)} to {max(self._names)}")
        return self._names[int(tag)]


class EntityScorer(_Scorer):
    """Strict entity scores (CoNLL), overall and by type, and partial credit.

    >>> scorer = EntityScorer()
    >>> scorer.compute(predictions=[["B-PER"]], references=[["B-PER"]])["overall"]["f1"]
    1.0
    """

    description = "Strict entity scores over words (CoNLL), with a bootstrap interval."
    citation = "Tjong Kim Sang and De Meulder 2003; Segura-Bedmar et al. 2013"

    def __init__(
        self,
        labels: Names | None = None,
        *,
        scheme: Scheme | Literal["auto"] = "auto",
        samples: int = 1000,
        **options: Any,
    ) -> None:
        """Make a scorer.

        labels, options: as every scorer has them
        scheme:  iob1, iob2, bioes, bilou or io; auto tells it from the names and the references
        samples: resamples of the interval of the overall F1
        """
        if scheme != "auto" and scheme not in PARTS:
            raise UserError(f"scheme={scheme!r} is none of auto, {', '.join(PARTS)}")
        self._scheme = scheme
        if samples < 1:
            raise UserError(f"samples={samples} must be 1 or more")
        self._samples = samples
        super().__init__(labels, **options)

    def _compute(self, predictions: list[list[str]], references: list[list[str]]) -> dict[str, Any]:
        scheme = self._scheme_of(references)
        for tag in sorted({*chain(*predictions), *chain(*references)}):
            _check_tag(tag, scheme)
        gold, predicted = (
            [to_iob2(tags, scheme)[0] for tags in side] for side in (references, predictions)
        )
        figures = entity_figures(gold, predicted, samples=self._samples).as_dict()
        return {**figures.pop("entity"), **figures}

    def _scheme_of(self, references: list[list[str]]) -> Scheme:
        if self._scheme != "auto":
            return self._scheme
        named = scheme_of({("O", name) for name in self._names.values()})
        if named in ("bioes", "bilou"):  # also where no reference has such a letter
            return named
        return scheme_of({pair for tags in references for pair in neighbours(tags)})


def _check_tag(tag: str, scheme: Scheme) -> None:
    """Refuse what would be read as another tag, or as none."""
    prefix, _ = split_tag(tag)
    if prefix == "O" or prefix in PARTS[scheme] or (scheme == "io" and not prefix):
        return
    letters = [f"{letter}-TYPE" for letter in PARTS[scheme]]
    raise UserError(
        f"tag {tag!r} is none of the scheme {scheme} (O, {', '.join(letters)}). Other schemes: "
        f"scheme={', '.join(PARTS)}; tags without entities: TokenScorer"
    )


class TokenScorer(_Scorer):
    """The scores of every tag as scikit-learn reports them, O too; also for parts of speech.

    >>> scorer = TokenScorer(labels=["NOUN", "VERB"])
    >>> scorer.compute(predictions=[[0, 1]], references=[[0, 1]])["accuracy"]
    1.0
    """

    description = "Scores of single tags; for entities NOT the CoNLL figure."
    citation = "Pedregosa et al. 2011"

    def _compute(self, predictions: list[list[str]], references: list[list[str]]) -> dict[str, Any]:
        return label_figures(references, predictions).as_dict("per_tag")
