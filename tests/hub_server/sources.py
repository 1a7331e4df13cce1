"""What the shipped recipes name, in miniature: data sets as the Hub has them, and checkpoints.

Sentences are made up; columns, features, label names, splits and files are those of the real ones.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hub_server.data_sets import PARQUET_BRANCH, Hosted, iob2, repository, tagged, texts
from hub_server.server import Hub

CHECKPOINTS = {
    "FacebookAI/roberta-base": ("roberta", 514),
    "distilbert/distilbert-base-uncased": ("distilbert", 512),
    "google-bert/bert-base-cased": ("bert", 512),
    "google-bert/bert-base-uncased": ("bert", 512),
    "deepset/gbert-base": ("bert", 512),
    "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract": ("bert", 512),
}
_BIN_ONLY = {"microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract"}  # older checkpoints are


# The tags of the real data sets, in the order of their numbers.
CONLL = iob2("PER", "ORG", "LOC", "MISC")
CONLL_PARTS_OF_SPEECH = (
    '"', "''", "#", "$", "(", ")", ",", ".", ":", "``", "CC", "CD", "DT", "EX", "FW", "IN", "JJ",
    "JJR", "JJS", "LS", "MD", "NN", "NNP", "NNPS", "NNS", "NN|SYM", "PDT", "POS", "PRP", "PRP$",
    "RB", "RBR", "RBS", "RP", "SYM", "TO", "UH", "VB", "VBD", "VBG", "VBN", "VBP", "VBZ", "WDT",
    "WP", "WP$", "WRB",
)  # fmt: skip
CONLL_CHUNKS = iob2(
    "ADJP", "ADVP", "CONJP", "INTJ", "LST", "NP", "PP", "PRT", "SBAR", "UCP", "VP"
)  # fmt: skip
WNUT = iob2("corporation", "creative-work", "group", "location", "person", "product")
GERMEVAL = iob2(
    *(f"{kind}{form}" for kind in ("LOC", "ORG", "OTH", "PER") for form in ("", "deriv", "part"))
)
NCBI = iob2("Disease")
BC5CDR = ("O", "B-Chemical", "B-Disease", "I-Disease", "I-Chemical")
WIKIANN = iob2("PER", "ORG", "LOC")
FEW_NERD = (
    "O", "art", "building", "event", "location", "organization", "other", "person", "product",
)  # fmt: skip
MULTINERD = iob2(
    "PER", "ORG", "LOC", "ANIM", "BIO", "CEL", "DIS", "EVE", "FOOD", "INST", "MEDIA", "MYTH",
    "PLANT", "TIME", "VEHI",
)  # fmt: skip
ONTONOTES = (
    "O", "B-CARDINAL", "B-DATE", "I-DATE", "B-PERSON", "I-PERSON", "B-NORP", "B-GPE", "I-GPE",
    "B-LAW", "I-LAW", "B-ORG", "I-ORG", "B-PERCENT", "I-PERCENT", "B-ORDINAL", "B-MONEY",
    "I-MONEY", "B-WORK_OF_ART", "I-WORK_OF_ART", "B-FAC", "B-TIME", "I-CARDINAL", "B-LOC",
    "B-QUANTITY", "I-QUANTITY", "I-NORP", "I-LOC", "B-PRODUCT", "I-TIME", "B-EVENT", "I-EVENT",
    "I-FAC", "B-LANGUAGE", "I-PRODUCT", "I-ORDINAL", "I-LANGUAGE",
)  # fmt: skip
AG_NEWS = ("World", "Sports", "Business", "Sci/Tech")
TREC = ("DESC", "ENTY", "ABBR", "HUM", "NUM", "LOC")
BANKING = tuple(f"intent_{number}" for number in range(77))

BANKING_SIZES = {"train": 400, "test": 80}
NO_VALIDATION = {"train": 40, "test": 5}


def converted(tags: tuple[str, ...], config: str, column: str = "ner_tags", **more: Any) -> Hosted:
    """Describe the Hub's own conversion to Parquet of a data set that had a loading script."""
    names = {} if column == "tags" else {column: tags}
    path = config + "/{split}/0000.parquet"
    columns = tagged(tags, column, **more)
    return Hosted(columns, names, path=path, branch=PARQUET_BRANCH, card=False)


HOSTED = {
    "lhoestq/conll2003": Hosted(
        tagged(CONLL, id="0", pos_tags=21, chunk_tags=11),
        {"ner_tags": CONLL, "pos_tags": CONLL_PARTS_OF_SPEECH, "chunk_tags": CONLL_CHUNKS},
        order="id tokens pos_tags chunk_tags ner_tags",
        card=False,
        others={"dataset_infos.json": b"legacy"},
    ),
    "leondz/wnut_17": converted(WNUT, "wnut_17", id="0"),
    "GermanEval/germeval_14": converted(
        GERMEVAL, "germeval_14", id="0", source="n-tv.de", nested_ner_tags=0
    ),
    "ncbi/ncbi_disease": converted(NCBI, "ncbi_disease", id="0"),
    "tner/bc5cdr": converted(BC5CDR, "bc5cdr", "tags"),
    "tner/ontonotes5": converted(ONTONOTES, "ontonotes5", "tags"),
    "unimelb-nlp/wikiann": Hosted(
        tagged(WIKIANN, langs=["en"] * 3, spans=["PER: See"]),
        {"ner_tags": WIKIANN},
        path="{config}/{split}-00000-of-00001.parquet",
        configs=("ace", "de", "en"),
    ),
    "DFKI-SLT/few-nerd": Hosted(
        tagged(FEW_NERD, id="0", fine_ner_tags=0),
        {"ner_tags": FEW_NERD, "fine_ner_tags": ("O", "art-film")},
        path="{config}/{split}-00000-of-00001.parquet",
        configs=("inter", "intra", "supervised"),
    ),
    "Babelscape/multinerd": Hosted(
        tagged(MULTINERD, lang="en"),
        path="{split}/{split}_en.jsonl",
        sizes={"train": 40, "val": 7, "test": 5},
        card=False,
        others={"train/train_de.jsonl": b"{}\n", "test/test_de.jsonl": b"{}\n"},
    ),
    "stanfordnlp/sst2": Hosted(
        texts(("negative", "positive"), text="sentence", idx="number"),
        {"label": ("negative", "positive")},
        order="idx sentence label",
        unlabelled=("test",),
    ),
    "fancyzhx/ag_news": Hosted(texts(AG_NEWS), {"label": AG_NEWS}, NO_VALIDATION),
    "stanfordnlp/imdb": Hosted(
        texts(("neg", "pos")),
        {"label": ("neg", "pos")},
        {**NO_VALIDATION, "unsupervised": 9},
        path="plain_text/{split}-00000-of-00001.parquet",
        configs=("plain_text",),
        unlabelled=("unsupervised",),
    ),
    "SetFit/TREC-QC": Hosted(
        texts(TREC, label_text="kind", label_coarse="", label_coarse_original="kind"),
        sizes=NO_VALIDATION,
        path="{split}.jsonl",
        card=False,
        others={
            "TREC_10.label": b"NUM:dist How far is it ?\n",
            "train_5500.label": b"DESC:manner How ?\n",
            "question_types.txt": b"ABBREVIATION\n",
            "prepare.py": b"print()\n",
        },
    ),
    "legacy-datasets/banking77": Hosted(texts(BANKING), {"label": BANKING}, BANKING_SIZES),
    "FinanceMTEB/financial_phrasebank": Hosted(
        texts(("negative", "neutral", "positive"), label_text="kind"), sizes=NO_VALIDATION
    ),
}


def add_sources(hub: Hub, checkpoint: Callable[..., Path]) -> None:
    """Put every checkpoint and every data set that a shipped recipe names on the Hub.

    checkpoint: builds a family's tiny checkpoint and names its folder
    """
    for name, (family, positions) in CHECKPOINTS.items():
        hub.add_folder(name, checkpoint(family, max_position_embeddings=positions))
        files = hub.repos[name].files
        files |= {"tf_model.h5": b"", "onnx/model.onnx": b"", "README.md": b"# A model"}
        files["1_Pooling/config.json"] = b"{}"
        if name in _BIN_ONLY:
            files["pytorch_model.bin"] = _as_bin(files.pop("model.safetensors"))
    for name, hosted in HOSTED.items():
        hub.repos[f"datasets/{name}"] = repository(hosted)


def _as_bin(weights: bytes) -> bytes:
    import safetensors.torch
    import torch

    file = io.BytesIO()
    torch.save(safetensors.torch.load(weights), file)
    return file.getvalue()
