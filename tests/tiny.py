"""Tiny random checkpoints of every family, tiny labelled data and recipes, made on the spot."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

FIRST = ("Ada", "Alan", "Grace", "Émile", "Noor", "Zoë", "Li")
LAST = ("Lovelace", "Turing", "Hopper", "Zola", "O'Neill", "Müller-Lüdenscheidt", "Wei")
PLACES = (("Paris",), ("New", "York"), ("São", "Paulo"), ("Rome",), ("Port-au-Prince",))
FIRMS = (("Acme", "Corp."), ("Globex",), ("United", "Nations"), ("Initech", "Ltd."))
VERBS = ("visited", "left", "praised", "wrote to", "met in 1999 with", "sued", "described")
FILLERS = ("yesterday", "quietly", "with friends", "for 3.50 dollars", "again", "today")
CLASSES = {
    "order": ("where is my parcel", "the box never came", "my order is late", "track it please"),
    "refund": ("give me my money back", "i want a refund", "you charged me twice", "wrong price"),
    "praise": ("great service", "thank you so much", "i love this shop", "very kind people"),
}
INVISIBLE = "\ufe0f"  # most tokenizers make no piece of it

Tagged = list[tuple[str, str]]


def tagged_sentence(rng: random.Random) -> Tagged:
    """Make one sentence of (word, IOB2 tag) pairs with a person and perhaps more."""

    def entity(words: tuple[str, ...], kind: str) -> Tagged:
        return [(word, f"{'I' if i else 'B'}-{kind}") for i, word in enumerate(words)]

    def plain(text: str) -> Tagged:
        return [(word, "O") for word in text.split()]

    sentence = entity((rng.choice(FIRST), rng.choice(LAST))[: rng.randint(1, 2)], "PER")
    sentence += plain(rng.choice(VERBS))
    sentence += rng.choice((entity(rng.choice(PLACES), "LOC"), entity(rng.choice(FIRMS), "ORG")))
    sentence += plain(" ".join(rng.sample(FILLERS, rng.randint(0, 3))))
    return [*sentence, (".", "O")]


def tagged_sentences(count: int, *, seed: int) -> list[Tagged]:
    """Make sentences; the second is longer than a window, the third has a word without pieces."""
    rng = random.Random(seed)
    sentences = [tagged_sentence(rng) for _ in range(count)]
    sentences[1] = [pair for _ in range(6) for pair in tagged_sentence(rng)]
    sentences[2] = [*sentences[2], (INVISIBLE, "O")]
    return sentences


def texts_with_classes(count: int, *, seed: int) -> list[tuple[str, str]]:
    """Make (text, class) pairs of all classes; the second text is longer than a window."""
    rng = random.Random(seed)
    names = list(CLASSES)
    rows = [(rng.choice(CLASSES[names[i % 3]]), names[i % 3]) for i in range(count)]
    rows = [(f"{text} , {rng.choice(FILLERS)} !", name) for text, name in rows]
    rows[1] = (" and ".join([rows[1][0]] * 6), rows[1][1])
    return rows


def corpus() -> Iterator[str]:
    """List the texts that tokenizers learn from; some words of the data stay in pieces."""
    for sentence in tagged_sentences(60, seed=1):
        yield " ".join(word for word, _ in sentence if word != INVISIBLE)
    yield from (text for text, _ in texts_with_classes(60, seed=1))


def write_conll(path: Path, sentences: list[Tagged], *, a_document: int = 5) -> None:
    """Write word and tag columns, with a document mark every so many sentences."""
    lines: list[str] = []
    for number, sentence in enumerate(sentences):
        if number % a_document == 0:
            lines += ["-DOCSTART- O", ""]
        lines += [f"{word} {tag}" for word, tag in sentence] + [""]
    path.write_text("\n".join(lines), encoding="utf-8")


def write_csv(path: Path, rows: list[tuple[str, str]]) -> None:
    """Write texts and labels under a header."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])


def write_data(folder: Path, task: str) -> Path:
    """Write the train, validation and test files of a task."""
    folder.mkdir(parents=True)
    for seed, (split, count) in enumerate({"train": 48, "validation": 12, "test": 12}.items()):
        if task == "ner":
            write_conll(folder / f"{split}.conll", tagged_sentences(count, seed=seed))
        else:
            write_csv(folder / f"{split}.csv", texts_with_classes(count, seed=seed))
    return folder


# Small enough that a run takes a second; the long sentence and text still need two windows.
_RECIPE: dict[str, Any] = {
    "name": "tiny",
    "model": {"max_pieces": 48, "overlap": 4},
    "training": {
        "epochs": 2,
        "learning_rate": 1e-3,
        "tokens_per_batch": 512,
        "precision": "fp32",
    },
    "evaluation": {"splits": ["test"], "bootstrap": 100},
}


TRAINED_HEAD = {"name": "frozen", "head": "trained"}
"""A recipe's strategy whose frozen encoder has a head that learns by gradient steps."""


def write_recipe(
    path: Path, *, task: str, data: Path, checkpoint: Path | str, strategy: Any, **sections: Any
) -> Path:
    """Write a recipe; `sections` are merged over the defaults, key by key."""
    strategies = strategy if isinstance(strategy, list) else [strategy]
    recipe: dict[str, Any] = {
        **_RECIPE,
        "task": {"name": task},
        "data": {"source": str(data)},
        "model": {**_RECIPE["model"], "checkpoint": str(checkpoint)},
        "strategies": [{"name": s} if isinstance(s, str) else s for s in strategies],
    }
    for name, section in sections.items():
        known = recipe.get(name)
        recipe[name] = {**known, **section} if isinstance(known, dict) else section
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(recipe, allow_unicode=True), encoding="utf-8")
    return path


# Families: a tokenizer as the family's real checkpoints have it, and a configuration.

_BERT_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_ROBERTA_TOKENS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
_VOCABULARY = 320
_POSITIONS = 64


def _wordpiece(tokens: list[str], *, unknown: str = "[UNK]", lowercase: bool) -> dict[str, int]:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token=unknown))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=_VOCABULARY, special_tokens=tokens, show_progress=False
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    return tokenizer.get_vocab()


def _byte_level(tokens: list[str]) -> Any:
    """Train a byte-level BPE; its alphabet is complete, so no word is ever unknown."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY + 120,
        special_tokens=tokens,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    return tokenizer


def _unigram(tokens: list[str], *, unknown: str) -> list[tuple[str, float]]:
    """Train a unigram model over Metaspace words, and return its (piece, score) list."""
    import json

    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    trainer = trainers.UnigramTrainer(
        vocab_size=_VOCABULARY, special_tokens=tokens, unk_token=unknown, show_progress=False
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    return [(piece, score) for piece, score in json.loads(tokenizer.to_str())["model"]["vocab"]]


def _bert_tokenizer() -> Any:
    from transformers import BertTokenizer

    vocabulary = _wordpiece(_BERT_TOKENS, lowercase=False)
    return BertTokenizer(vocab=vocabulary, do_lower_case=False)


def _electra_tokenizer() -> Any:
    from transformers import BertTokenizer

    return BertTokenizer(vocab=_wordpiece(_BERT_TOKENS, lowercase=True))


def _mpnet_tokenizer() -> Any:
    from transformers import MPNetTokenizer

    tokens = ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"]
    return MPNetTokenizer(vocab=_wordpiece(tokens, lowercase=True))


def _roberta_tokenizer() -> Any:
    import json

    from transformers import RobertaTokenizer

    model = json.loads(_byte_level(_ROBERTA_TOKENS).to_str())["model"]
    merges = [tuple(merge) for merge in model["merges"]]
    return RobertaTokenizer(vocab=model["vocab"], merges=merges)


def _modernbert_tokenizer() -> Any:
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast

    backend = _byte_level(_BERT_TOKENS)
    ends = [(name, backend.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=ends
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_input_names=["input_ids", "attention_mask"],
    )


def _albert_tokenizer() -> Any:
    from transformers import AlbertTokenizer

    tokens = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
    return AlbertTokenizer(vocab=_unigram(tokens, unknown="<unk>"), do_lower_case=False)


def _deberta_tokenizer() -> Any:
    from transformers import DebertaV2Tokenizer

    return DebertaV2Tokenizer(vocab=_unigram(_BERT_TOKENS, unknown="[UNK]"))


def _xlm_roberta_tokenizer() -> Any:
    from transformers import XLMRobertaTokenizer

    return XLMRobertaTokenizer(vocab=_unigram(_ROBERTA_TOKENS, unknown="<unk>"))


def _camembert_tokenizer() -> Any:
    from transformers import CamembertTokenizer

    vocabulary = _unigram(_ROBERTA_TOKENS, unknown="<unk>")
    return CamembertTokenizer(vocab=vocabulary, additional_special_tokens=[])


_SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": _POSITIONS,
}
# Positions of RoBERTa and its kin start after the padding id.
_ROBERTA_SIZES = {**_SIZES, "max_position_embeddings": _POSITIONS + 2, "type_vocab_size": 1}
_DISTILBERT_SIZES = {
    "dim": 32,
    "n_layers": 2,
    "n_heads": 2,
    "hidden_dim": 64,
    "max_position_embeddings": _POSITIONS,
}
_DEBERTA_SIZES = {
    **_SIZES,
    "relative_attention": True,
    "position_buckets": 16,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
    "type_vocab_size": 0,
    "pooler_hidden_size": 32,
}
_MODERNBERT_SIZES = {**_SIZES, "global_attn_every_n_layers": 2, "local_attention": 16}

_FIRST_DEBERTA = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]}
_NYSTROMFORMER = {"num_landmarks": 8, "segment_means_seq_len": 8}

FAMILIES: dict[str, tuple[str, Callable[[], Any], dict[str, Any]]] = {
    "bert": ("bert", _bert_tokenizer, _SIZES),
    "roberta": ("roberta", _roberta_tokenizer, _ROBERTA_SIZES),
    "distilbert": ("distilbert", _electra_tokenizer, _DISTILBERT_SIZES),
    "electra": ("electra", _electra_tokenizer, {**_SIZES, "embedding_size": 16}),
    "albert": ("albert", _albert_tokenizer, {**_SIZES, "embedding_size": 16}),
    "deberta-v2": ("deberta-v2", _deberta_tokenizer, _DEBERTA_SIZES),
    "xlm-roberta": ("xlm-roberta", _xlm_roberta_tokenizer, _ROBERTA_SIZES),
    "mpnet": ("mpnet", _mpnet_tokenizer, _ROBERTA_SIZES),
    "modernbert": ("modernbert", _modernbert_tokenizer, _MODERNBERT_SIZES),
    "camembert": ("camembert", _camembert_tokenizer, _ROBERTA_SIZES),
}

RARE_FAMILIES: dict[str, tuple[str, Callable[[], Any], dict[str, Any]]] = {
    "deberta": ("deberta", _roberta_tokenizer, {**_SIZES, **_FIRST_DEBERTA}),
    "ibert": ("ibert", _roberta_tokenizer, _ROBERTA_SIZES),
    "nystromformer": ("nystromformer", _electra_tokenizer, {**_SIZES, **_NYSTROMFORMER}),
    "roformer": ("roformer", _electra_tokenizer, {**_SIZES, "embedding_size": 32}),
}
"""Those with a way of their own to hold positions or to compute; most tests leave them out."""


def build_checkpoint(
    family: str, folder: Path, *, masked_lm: bool = False, **settings: Any
) -> Path:
    """Save a random encoder of a family with its tokenizer, as from_pretrained expects them.

    masked_lm: save it with a language-modelling head instead, so without a pooler
    settings:  over those of the family's configuration
    """
    import torch
    from transformers import AutoConfig, AutoModel, AutoModelForMaskedLM

    model_type, make_tokenizer, sizes = {**FAMILIES, **RARE_FAMILIES}[family]
    tokenizer = make_tokenizer()
    config = AutoConfig.for_model(
        model_type,
        vocab_size=len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.cls_token_id,
        cls_token_id=tokenizer.cls_token_id,
        eos_token_id=tokenizer.sep_token_id,
        sep_token_id=tokenizer.sep_token_id,
        **{**sizes, **settings},
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        auto_class = AutoModelForMaskedLM if masked_lm else AutoModel
        auto_class.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
