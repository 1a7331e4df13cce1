"""Named-entity recognition: one tag for every word."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby, islice
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from nlp_transfer.data.check import check_ner
from nlp_transfer.data.label_counts import unseen_labels
from nlp_transfer.data.load import load_ner
from nlp_transfer.data.raw_words import RawWords, measure
from nlp_transfer.data.segmenters import checked_rule
from nlp_transfer.data.tags import iob2_labels, spans, split_tag
from nlp_transfer.models.windows import Piece, WordPieces, cut_windows
from nlp_transfer.recipe import DataSection, LabelNames, ModelSection
from nlp_transfer.records import LossLedger, Prediction, Splits, Tagging
from nlp_transfer.tasks.base import IGNORED, LoadedModel, Row, Task, WindowRow, only_answer, pad
from nlp_transfer.tasks.objective import Objective

if TYPE_CHECKING:
    import numpy as np
    import torch
    from datasets import Dataset
    from numpy.typing import NDArray

_SENTENCES_A_BATCH = 128


class NerTask(Task):
    """Find entities: typed runs of words, tagged in IOB2."""

    headline: ClassVar[str] = "entity F1"
    result_keys: ClassVar[tuple[str, ...]] = ("text", "tokens", "tags", "entities")

    name: Literal["ner"] = "ner"
    types: LabelNames | None = Field(
        None,
        description="entity types, in order; null takes them from the data",
        examples=[["PER", "ORG"]],
    )
    decoding: Literal["viterbi", "greedy"] = Field(
        "viterbi", description="viterbi: the likeliest legal tags; greedy: each word's likeliest"
    )
    context_words: int = Field(
        0,
        ge=0,
        le=10_000,
        examples=[32],
        description="unlabelled words of the same document shown on each side of a sentence",
    )

    def load(self, data: DataSection, *, held_out: bool = True) -> Splits:
        """Load tagged sentences, converted to IOB2."""
        checked_rule(data.words, "data.words")
        return load_ner(data, types=self.types, held_out=held_out)

    def raw_words(self, splits: Splits, data: DataSection) -> RawWords | None:
        """Measure how often the text of training sentences splits into the words they have."""
        return measure(splits["train"], data.words)

    def check(self, splits: Splits, needed: tuple[str, ...]) -> None:
        """Refuse empty splits and training data without entities."""
        check_ner(splits, needed)

    def labels(self, declared: Sequence[str]) -> list[str]:
        """Return O, B-x and I-x for every type, seen in train or not."""
        return iob2_labels(declared)

    def class_of(self, label: str) -> str:
        """Return the type of B-x and I-x, and O."""
        return split_tag(label)[1] or label

    def auto_class(self) -> Any:
        """Return AutoModelForTokenClassification."""
        from transformers import AutoModelForTokenClassification

        return AutoModelForTokenClassification

    def encode_rows(
        self, rows: Iterable[Row], loaded: LoadedModel, options: ModelSection
    ) -> Iterator[tuple[list[WindowRow], LossLedger]]:
        """Cut each sentence into windows; every word is labelled in exactly one of them.

        window rows: input_ids, positions (of the owned words' first pieces), labels (theirs)
        """
        pieces = WordPieces(loaded.tokenizer)
        label_ids = loaded.model.config.label2id
        stream = self._in_context(rows)
        while group := list(islice(stream, _SENTENCES_A_BATCH)):
            pieces.learn([word for row, left, right in group
                          for word in (*left, *row["words"], *right)])  # fmt: skip
            for row, left, right in group:
                yield _encoded(row, left, right, pieces, label_ids, options)

    def _in_context(self, rows: Iterable[Row]) -> Iterator[tuple[Row, list[str], list[str]]]:
        """Pair each sentence with the words before and after it in its document."""
        if not self.context_words:
            yield from ((row, [], []) for row in rows)
            return
        for document, group in groupby(rows, key=lambda row: row.get("document")):
            if document is None:
                yield from ((row, [], []) for row in group)
                continue
            sentences = list(group)
            words = [word for row in sentences for word in row["words"]]
            start = 0
            for row in sentences:
                end = start + len(row["words"])
                left = words[max(0, start - self.context_words) : start]
                yield row, left, words[end : end + self.context_words]
                start = end

    def collate(self, windows: Sequence[WindowRow], pad_id: int) -> dict[str, torch.Tensor]:
        """Pad windows; labels stand on first pieces, -100 everywhere else."""
        batch = pad([window["input_ids"] for window in windows], pad_id)
        labels = batch.new_full(batch.shape, IGNORED)
        mask = batch.new_zeros(batch.shape)
        for number, window in enumerate(windows):
            mask[number, : len(window["input_ids"])] = 1
            labels[number, window["positions"]] = labels.new_tensor(window["labels"])
        return {"input_ids": batch, "attention_mask": mask, "labels": labels}

    def loss_sum(
        self, logits: torch.Tensor, labels: torch.Tensor, objective: Objective
    ) -> torch.Tensor:
        """Sum the cross-entropy over the first pieces of labelled words."""
        return objective.one_of_all(logits.flatten(0, 1), labels.flatten())

    def window_outputs(
        self, logits: torch.Tensor, windows: Sequence[WindowRow]
    ) -> list[NDArray[np.float32]]:
        """Keep the log-probabilities of each owned word's first piece: (words, labels)."""
        import torch

        counts = [len(window["positions"]) for window in windows]
        batch = torch.arange(len(windows)).repeat_interleave(torch.tensor(counts))
        positions = torch.tensor([p for w in windows for p in w["positions"]], dtype=torch.int64)
        chosen = logits[batch.to(logits.device), positions.to(logits.device)]
        return [part.numpy() for part in chosen.float().log_softmax(dim=-1).cpu().split(counts)]

    def log_probabilities(
        self, outputs: Sequence[NDArray[np.float32]], labels: int
    ) -> NDArray[np.floating[Any]]:
        """Join the words of all windows: (words, labels)."""
        import numpy as np

        return np.concatenate([np.empty((0, labels), np.float32), *outputs])

    def decode(
        self, log_probabilities: NDArray[np.floating[Any]], labels: Sequence[str]
    ) -> Tagging:
        """Choose the tags of a sentence."""
        import numpy as np

        if not len(log_probabilities):
            return Tagging((), ())
        path = self.best_path(log_probabilities, labels)
        chosen = np.exp(log_probabilities[np.arange(len(path)), path])
        # A tuple of floats takes four times the memory, of every word of a split that is scored.
        return Tagging(self.as_iob2([labels[i] for i in path]), array("d", chosen.tolist()))

    def best_path(
        self, log_probabilities: NDArray[np.floating[Any]], labels: Sequence[str]
    ) -> NDArray[np.int64]:
        """Choose the output of each word of a sentence, which has at least one."""
        from nlp_transfer.tasks.ner.viterbi import best_tags, inside_predecessors

        if self.decoding == "viterbi":
            return best_tags(log_probabilities, inside_predecessors(labels))
        return log_probabilities.argmax(axis=1)

    def as_iob2(self, tags: Sequence[str]) -> tuple[str, ...]:
        """Read the labels chosen for a sentence as valid IOB2."""
        return tuple(tags) if self.decoding == "viterbi" else _legal(tags)

    def headline_figure(self, rows: Dataset, predictions: Sequence[Prediction]) -> float:
        """Return strict entity F1."""
        from nlp_transfer.metrics.entities import entity_f1

        return entity_f1(rows["tags"], _tags(predictions), lost=_lost(rows))

    def score(
        self, rows: Dataset, predictions: Sequence[Prediction], *, samples: int
    ) -> dict[str, Any]:
        """Return the entity, partial-credit and token-level tables."""
        from nlp_transfer.metrics.entities import entity_figures
        from nlp_transfer.metrics.labels import label_figures

        gold, predicted = list(rows["tags"]), _tags(predictions)
        entities = entity_figures(gold, predicted, lost=_lost(rows), samples=samples)
        return {**entities.as_dict(), "token": label_figures(gold, predicted).as_dict("per_tag")}

    def constant_answer(self, rows: Dataset, predictions: Sequence[Prediction]) -> str | None:
        """Name the tag that every word has, mostly O."""
        gold = chain.from_iterable(rows["tags"])
        answer = only_answer(gold, chain.from_iterable(_tags(predictions)))
        return answer and f"{answer} for every word"

    def unseen(self, splits: Splits, split: str) -> LossLedger:
        """Count what reading lost, and the entities of types that the training split has not."""
        losses = splits.losses.get(split, LossLedger())
        return losses + LossLedger(entities_unseen_type=unseen_labels(splits, split))

    def example_json(self, row: Row, prediction: Prediction) -> dict[str, Any]:
        """Describe a sentence with its gold and predicted tags and entities."""
        assert isinstance(prediction, Tagging)
        return {
            "tokens": row["words"],
            "gold": row["tags"],
            "tags": list(prediction.tags),
            "entities": entities_json(row["words"], prediction),
        }


def entities_json(words: Sequence[str], tagging: Tagging) -> list[dict[str, Any]]:
    """List the entities of a tagged sentence.

    start_word, end_word: word indexes, the end exclusive
    score:                mean probability of the entity's tags, 0 to 1
    """
    return [
        {
            "type": span.type,
            "start_word": span.first,
            "end_word": span.last + 1,
            "text": " ".join(words[span.first : span.last + 1]),
            "score": sum(tagging.scores[span.first : span.last + 1]) / (span.last + 1 - span.first),
        }
        for span in spans(tagging.tags)
    ]


def _tags(predictions: Sequence[Prediction]) -> list[tuple[str, ...]]:
    return [prediction.tags for prediction in predictions if isinstance(prediction, Tagging)]


def _encoded(
    row: Row,
    left: Sequence[str],
    right: Sequence[str],
    pieces: WordPieces,
    label_ids: Mapping[str, int],
    options: ModelSection,
) -> tuple[list[WindowRow], LossLedger]:
    """Cut one sentence, between its context, into windows."""
    own = [pieces[word] for word in row["words"]]
    windows = list(
        cut_windows(
            own,
            pieces,
            max_pieces=options.max_pieces,
            overlap=options.overlap,
            left=[pieces[word] for word in left],
            right=[pieces[word] for word in right],
        )
    )
    tags = row.get("tags") or ["O"] * len(own)
    labels = [label_ids.get(tag, IGNORED) for tag in tags]
    encoded = [
        {
            "input_ids": window.input_ids,
            "positions": window.positions,
            "labels": labels[window.first_word : window.first_word + len(window.positions)],
        }
        for window in windows
    ]
    cut = sum(window.cut_words for window in windows)
    ledger = LossLedger(
        sentences=1,
        words=len(own),
        entities=len([tag for tag in tags if tag[0] == "B"]) + len(row.get("lost") or ()),
        windows=len(windows),
        words_truncated=cut,
        entities_truncated=_cut_entities(tags, own, pieces, options) if cut else 0,
        words_without_pieces=_missing(own),
    )
    return encoded, ledger


def _lost(rows: Dataset) -> list[list[str]]:
    """List the types of the gold entities of each row that its words cannot hold."""
    return list(rows["lost"]) if "lost" in rows.column_names else []


def _cut_entities(
    tags: Sequence[str], own: Sequence[Piece], pieces: WordPieces, options: ModelSection
) -> int:
    """Count the entities with a word that outgrows a whole window."""
    room = options.max_pieces - len(pieces.prefix) - len(pieces.suffix)
    return sum(
        any(len(piece.ids) > room for piece in own[span.first : span.last + 1])
        for span in spans(tags)
    )


def _missing(pieces: Sequence[Piece]) -> int:
    return len([piece for piece in pieces if piece.missing])


def _legal(tags: Sequence[str]) -> tuple[str, ...]:
    """Read greedy tags as the CoNLL scorer does: an I- that continues nothing starts an entity."""
    from nlp_transfer.data.tags import to_iob2

    return tuple(to_iob2(tags, "iob2")[0])
