"""Sentences of lengths like CoNLL-2003's, texts like IMDB's, and a BERT-base of random weights."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

_SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "er")]
_WORDS = [a + b for a, b in itertools.product(_SYLLABLES, _SYLLABLES)]
"""9,604 words, each one piece."""
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_BERT_BASE_VOCABULARY = 28_996
_TYPES = ("PER", "LOC", "ORG")


@dataclass(frozen=True)
class Written:
    """A folder of CoNLL files, with splits in it."""

    folder: Path
    mean_pieces: float
    """Of a training sentence, with its special pieces."""


@dataclass(frozen=True)
class Start:
    """A checkpoint with random weights."""

    folder: Path
    matrix_parameters: int
    """Of the layers, embeddings left out."""
    attention_flops: int
    """Of training, a piece and a piece that it looks at."""

    def flops_a_piece(self, length: float) -> float:
        """Count what learning a piece takes: 2 forward and 4 backward for each weight."""
        return 6 * self.matrix_parameters + self.attention_flops * length


def write_sentences(folder: Path, kind: str, *, tiny: bool) -> Written:
    """Write tagged sentences; the same ones each time.

    kind: conll (a mean of 14.5 words, at most 113) or imdb (230, at most 480)
    """
    rng = random.Random(0)
    counts = {"conll": 20_000, "imdb": 1_600}
    sizes = {"train": 60 if tiny else counts[kind], "validation": 40, "test": 200}
    folder.mkdir(parents=True)
    pieces = []
    for split, count in sizes.items():
        lengths = [_length(kind, rng) for _ in range(count)]
        pieces += [length + 2 for length in lengths] if split == "train" else []
        text = "\n".join("\n".join(_lines(length, rng)) + "\n" for length in lengths)
        (folder / f"{split}.conll").write_text(text, "utf-8")
    return Written(folder, sum(pieces) / len(pieces))


def _length(kind: str, rng: random.Random) -> int:
    mean, sigma, most = (10.8, 0.77, 113) if kind == "conll" else (178, 0.72, 480)
    return min(most, max(1, round(rng.lognormvariate(0, sigma) * mean)))


def _lines(words: int, rng: random.Random) -> Iterator[str]:
    """Tag every eighth word, by what it begins with."""
    for word in rng.choices(_WORDS, k=words):
        tag = f"B-{_TYPES[len(word) % 3]}" if word.startswith("b") else "O"
        yield f"{word} {tag}"


def base_checkpoint(folder: Path, *, tiny: bool) -> Start:
    """Save BERT-base's architecture with random weights, and a tokenizer trained on the words."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    from transformers import BertConfig, BertModel, BertTokenizer

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=_BERT_BASE_VOCABULARY, special_tokens=_SPECIAL, show_progress=False
    )
    tokenizer.train_from_iterator(_WORDS, trainer)
    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    sizes = {**small, "intermediate_size": 64} if tiny else {}
    torch.manual_seed(0)
    model = BertModel(BertConfig(vocab_size=_BERT_BASE_VOCABULARY, **sizes))
    model.save_pretrained(folder)
    BertTokenizer(vocab=tokenizer.get_vocab(), do_lower_case=False).save_pretrained(folder)
    layers = sum(parameter.numel() for parameter in model.encoder.parameters())
    config = model.config
    return Start(folder, layers, 12 * config.hidden_size * config.num_hidden_layers)
