"""Tiny models and data to publish, and processes that talk to a Hub of this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from hub_server import Hub

SENTENCES = [
    "Ada/B-PER Lovelace/I-PER wrote/O to/O Paris/B-LOC ./O",
    "Alan/B-PER Turing/I-PER lived/O in/O London/B-LOC",
    "Grace/B-PER Hopper/I-PER flew/O from/O Berlin/B-LOC",
]


def write_sentences(folder: Path) -> None:
    """Write the sentences as all three splits."""
    folder.mkdir()
    lines = "\n\n".join(
        "\n".join(word.replace("/", " ", 1) for word in sentence.split()) for sentence in SENTENCES
    )
    for split in ("train", "validation", "test"):
        (folder / f"{split}.conll").write_text(f"{lines}\n\n" * 4)


def recipe_of(work: Path, *, checkpoint: str, strategy: dict[str, Any], **sections: Any) -> Path:
    """Write a recipe of two steps on the sentences; other sections take the place of its own."""
    path = work / f"{sections.get('name', strategy['name'])}.yaml"
    recipe = {
        "name": "tiny-ner",
        "task": {"name": "ner"},
        "data": {"source": str(work / "tiny-data")},
        "model": {"checkpoint": checkpoint, "max_pieces": 32, "overlap": 4},
        "strategies": [strategy],
        "training": {"precision": "fp32", "learning_rate": 0.01, "arguments": {"max_steps": 2}},
        "evaluation": {"bootstrap": 100},
        **sections,
    }
    path.write_text(yaml.safe_dump(recipe))
    return path


def write_checkpoint(folder: Path) -> None:
    """Save a BERT with random weights, and a WordPiece tokenizer that cuts every other word in two.

    Its vocabulary is not learned: which pieces are, of as many that occur as often, is chance.
    """
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]",
               "sep_token": "[SEP]", "mask_token": "[MASK]"}  # fmt: skip
    words = sorted({tagged.split("/")[0] for line in SENTENCES for tagged in line.split()})
    letters = sorted({*"".join(words)})
    halves = [half for word in words[1::2] for half in (word[:2], f"##{word[2:]}")]
    single = [*letters, *(f"##{letter}" for letter in letters)]
    pieces = [*special.values(), *single, *words[::2], *halves]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [("[CLS]", tokenizer.token_to_id("[CLS]")), ("[SEP]", tokenizer.token_to_id("[SEP]"))]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=ends
    )
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=37,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)


def nlpt(
    hub: Hub, *args: str | Path, token: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command with this Hub."""
    return python(hub, "-m", "nlp_transfer", *args, token=token, **environment)


def python(
    hub: Hub, *args: str | Path, token: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run Python with this Hub."""
    return subprocess.run(
        [sys.executable, *map(str, args)],
        env={**hub.environment(), "HF_TOKEN": token or hub.token, **environment},
        cwd=hub.client_home,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
