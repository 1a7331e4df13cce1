"""NER models that were trained elsewhere: whatever their labels are called, IOB2 comes out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import corpus

from nlp_transfer import Predictor, UserError
from nlp_transfer.data.tags import spans
from nlp_transfer.tasks.ner.foreign import foreign_task

pytestmark = pytest.mark.usefixtures("one_thread")

Run = Callable[..., tuple[int, str, str]]
Build = Callable[..., Path]


def labels(pattern: str, letters: str, types: Sequence[str] = ("PER", "LOC")) -> list[str]:
    return ["O", *(pattern.format(letter, kind) for kind in types for letter in letters)]


NAMES = {
    "iob": labels("{}-{}", "BI"),
    "bioes": labels("{}-{}", "BIES"),
    "bmes": labels("{}-{}", "BMES"),
    "bilou": labels("{}-{}", "BILU"),
    "io": ["PER", "O", "LOC"],
    "inside": ["O", "I-PER", "I-LOC"],
    "lower": ["o", *labels("{}-{}", "bi", ("per", "loc"))[1:]],
    "underscore": labels("{}_{}", "BI"),
    "at end": labels("{1}-{0}", "BI"),
    "bioes at end": labels("{1}_{0}", "BIES"),
    "typeless": ["B", "I", "O"],
    "typeless bioes": ["O", "B", "I", "E", "S"],
    "no inside": ["O", "B-PER", "I-PER", "B-LOC"],
    "no begin": ["O", "B-PER", "I-PER", "I-LOC"],
    "no single": labels("{}-{}", "BIE"),
    "no outside": labels("{}-{}", "BI")[1:],
}
SCHEMES = {"bioes": "bioes", "bmes": "bioes", "bilou": "bilou", "io": "io", "no single": "bioes",
           "bioes at end": "bioes", "typeless bioes": "bioes"}  # fmt: skip


@pytest.fixture(scope="module")
def tagger(checkpoint: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Return a function that saves a tagger with such labels, as any other tool would.

    >>> tagger(["O", "PER"], {"Ada": "PER"})  # such words have such labels, whatever is beside them
    >>> tagger(["O", "PER"], seed=3)  # random answers
    """
    base = checkpoint("bert")

    def build(names: Sequence[str], answers: dict[str, str] | None = None, seed: int = 0) -> Path:
        import torch
        from transformers import AutoConfig, AutoModelForTokenClassification, AutoTokenizer

        config = AutoConfig.from_pretrained(
            base, id2label=dict(enumerate(names)), label2id={n: i for i, n in enumerate(names)}
        )
        tokenizer = AutoTokenizer.from_pretrained(base)
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(seed)
            model = AutoModelForTokenClassification.from_config(config).eval()
            for parameter in model.parameters():
                parameter.mul_(8 if parameter.dim() > 1 else 1)
            if answers:
                _answer(model, tokenizer, names, answers)
        folder = tmp_path_factory.mktemp("tagger")
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return build


def _answer(model: Any, tokenizer: Any, names: Sequence[str], answers: dict[str, str]) -> None:
    """Let each word decide its own label: nothing but its embedding reaches the head."""
    import torch

    for name, parameter in model.named_parameters():
        if "output.dense" in name or "position_emb" in name or "token_type_emb" in name:
            parameter.zero_()
    ids = tokenizer(list(answers), is_split_into_words=True, return_tensors="pt")["input_ids"]
    states = model.base_model(ids).last_hidden_state[0, 1:-1]
    wanted = torch.zeros(len(answers), len(names))
    for row, label in enumerate(answers.values()):
        wanted[row, list(names).index(label)] = 9.0
    model.classifier.weight.copy_(torch.linalg.lstsq(states, wanted).solution.T)
    model.classifier.bias.zero_()


@pytest.fixture(scope="module")
def words(checkpoint: Callable[..., Path]) -> list[str]:
    """List words that the tokenizer of the tiny checkpoint does not cut."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(checkpoint("bert"))
    known = dict.fromkeys(word for text in corpus() for word in text.split() if word.isalpha())
    return [word for word in known if len(tokenizer.tokenize(word)) == 1]


def stock(model: Path, text: str, strategy: str) -> list[dict[str, Any]]:
    from transformers import pipeline

    tool = pipeline("token-classification", model=str(model), aggregation_strategy=strategy)
    found: list[dict[str, Any]] = tool(text)
    return found


# The same three entities, two of which touch, in each scheme.
ENTITIES = [("PER", 0, 1), ("LOC", 3, 3), ("LOC", 4, 6)]
WRITTEN = {
    "iob2": "B-PER I-PER O B-LOC B-LOC I-LOC I-LOC",
    "iob1": "I-PER I-PER O I-LOC B-LOC I-LOC I-LOC",
    "bioes": "B-PER E-PER O S-LOC B-LOC I-LOC E-LOC",
    "bmes": "B-PER E-PER O S-LOC B-LOC M-LOC E-LOC",
    "bilou": "B-PER L-PER O U-LOC B-LOC I-LOC L-LOC",
    "lower": "b-per i-per o b-loc b-loc i-loc i-loc",
    "underscore": "B_PER I_PER O B_LOC B_LOC I_LOC I_LOC",
    "at end": "PER-B PER-I O LOC-B LOC-B LOC-I LOC-I",
    "bioes at end": "PER_B PER_E O LOC_S LOC_B LOC_I LOC_E",
    "typeless": "B I O B B I I",
    "typeless bioes": "B E O S B I E",
    "io": "PER PER O LOC LOC LOC LOC",
    "inside": "I-PER I-PER O I-LOC I-LOC I-LOC I-LOC",
}
TYPELESS = [("ENTITY", first, last) for _, first, last in ENTITIES]


def expected(scheme: str) -> list[tuple[str, int, int]]:
    if scheme in ("io", "inside"):
        return [("PER", 0, 1), ("LOC", 3, 6)]
    if scheme.startswith("typeless"):
        return TYPELESS
    return [(kind.lower() if scheme == "lower" else kind, a, b) for kind, a, b in ENTITIES]


@pytest.mark.parametrize("scheme", WRITTEN)
def test_entities_come_out_of_every_scheme(scheme: str, tagger: Build, words: list[str]) -> None:
    names = NAMES.get(scheme, NAMES["iob"])
    model = tagger(names, dict(zip(words, WRITTEN[scheme].split(), strict=False)))
    (result,) = Predictor.from_run(model)([{"tokens": words[:7]}])
    found = [(e["type"], e["start_word"], e["end_word"] - 1) for e in result["entities"]]
    assert found == expected(scheme)
    assert [tuple(span) for span in spans(result["tags"])] == found
    assert all(entity["score"] > 0.9 for entity in result["entities"])


@pytest.mark.parametrize("scheme", ["iob2", "iob1", "io", "inside"])
def test_entities_are_those_of_the_stock_pipeline(
    scheme: str, tagger: Build, words: list[str]
) -> None:
    names = NAMES.get(scheme, NAMES["iob"])
    model = tagger(names, dict(zip(words, WRITTEN[scheme].split(), strict=False)))
    text = " ".join([*words[:7], *words[3:0:-1], words[5], words[1]])
    theirs = [
        (e["entity_group"], text[e["start"] : e["end"]]) for e in stock(model, text, "simple")
    ]
    (result,) = Predictor.from_run(model)([text])
    assert [(e["type"], e["text"]) for e in result["entities"]] == theirs


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_no_word_is_outside_that_the_stock_pipeline_has_in_an_entity(
    names: list[str], tagger: Build, words: list[str]
) -> None:
    model = tagger(names, seed=5)
    text = " ".join(words[:24])
    predictor = Predictor.from_run(model, precision="fp32")
    (result,) = predictor([{"tokens": words[:24]}])
    theirs = {e["start"] for e in stock(model, text, "none") if e["entity"] != "o"}
    starts = [len(" ".join([*words[:number], ""])) for number in range(24)]
    ours = {start for start, tag in zip(starts, result["tags"], strict=True) if tag != "O"}
    assert theirs <= ours
    assert ours
    assert result["entities"]


def test_labels_for_no_word_are_never_given_to_one(tagger: Build, words: list[str]) -> None:
    names = [*NAMES["iob"], "X", "[CLS]", "[SEP]", "<pad>"]
    for seed in range(3):
        (result,) = Predictor.from_run(tagger(names, seed=seed))([{"tokens": words[:24]}])
        assert set(result["tags"]) <= set(NAMES["iob"])


@pytest.mark.parametrize("name", NAMES)
def test_the_scheme_is_told_from_the_labels(name: str) -> None:
    assert foreign_task(NAMES[name], None, "m").scheme == SCHEMES.get(name, "iob1")


# --- decoding -------------------------------------------------------------------------------------

ENDS = {"bioes": "ES", "bilou": "LU"}


def legal(tags: Sequence[str], scheme: str) -> bool:
    """Say what a scheme allows, one rule a line, another way than the program does."""
    padded = ["O", *tags, "O"]
    for before, tag in pairwise(padded):
        a, b = before[0], tag[0]
        same = before[2:] == tag[2:]
        if scheme == "iob2" and b == "I" and not (a in "BI" and same):
            return False
        if scheme in ENDS:
            goes_on = b in ("I", ENDS[scheme][0])
            if (a in "BI") != goes_on or (goes_on and not same):
                return False
    return True


@pytest.mark.parametrize("scheme", ["iob2", "bioes", "bilou"])
def test_the_best_legal_tags_of_a_scheme_are_found(scheme: str) -> None:
    names = labels("{}-{}", {"iob2": "BI", "bioes": "BIES", "bilou": "BILU"}[scheme])
    task = foreign_task(names, scheme, "m")
    rng = np.random.default_rng(0)
    for words in (1, 2, 3, 4) * 4:
        scores = np.log(rng.dirichlet(np.full(len(names), 0.5), words)).astype(np.float32)
        is_inside = [names[best] != "O" for best in scores.argmax(axis=1)]
        ways = [
            way
            for way in product(range(len(names)), repeat=words)
            if legal([names[index] for index in way], scheme)
            and all(names[i] != "O" for i, inside in zip(way, is_inside, strict=True) if inside)
        ]
        best = max(ways, key=lambda way: sum(scores[word, i] for word, i in enumerate(way)))
        assert task.decoder.best_path(scores, names).tolist() == list(best)


def test_greedy_decoding_reads_what_breaks_the_scheme_as_starts() -> None:
    names = labels("{}-{}", "BIES")
    task = foreign_task(names, None, "m").model_copy(update={"decoding": "greedy"})
    chosen = ["I-PER", "E-LOC", "O", "B-PER", "S-PER", "E-PER"]
    scores = np.log(np.eye(len(names), dtype=np.float32)[[names.index(c) for c in chosen]] + 1e-3)
    assert task.decoder.decode(scores, names).tags == (
        "B-PER",
        "B-LOC",
        "O",
        "B-PER",
        "B-PER",
        "B-PER",
    )


def test_a_sentence_without_words_has_no_tags() -> None:
    decoder = foreign_task(NAMES["bioes"], None, "m").decoder
    assert decoder.decode(np.zeros((0, 9)), NAMES["bioes"]).tags == ()


# --- told, kept, refused --------------------------------------------------------------------------


def predicted(nlpt: Run, *arguments: Any) -> tuple[int, list[dict[str, Any]], str]:
    code, out, err = nlpt("predict", *arguments)
    return code, [json.loads(line) for line in out.splitlines()], err


def test_labels_that_cannot_be_told_are_refused_and_the_hint_reads_them(
    nlpt: Run, tagger: Build, words: list[str], tmp_path: Path
) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text(" ".join(words[:3]), encoding="utf-8")
    answers = dict(zip(words, ["PER", "PER", "LOC"], strict=False))
    model = tagger(["PER", "LOC"], answers)  # no O: these might be parts of speech
    code, _, err = predicted(nlpt, model, texts)
    assert code == 2
    assert "PER, LOC" in err
    assert "--scheme io" in err
    code, (result,), _ = predicted(nlpt, model, texts, "--scheme", "io")
    assert code == 0
    assert [entity["type"] for entity in result["entities"]] == ["PER", "LOC"]


def test_mixed_labels_are_refused_until_they_are_renamed(
    nlpt: Run, tagger: Build, words: list[str], tmp_path: Path
) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text(" ".join(words[:2]), encoding="utf-8")
    answers = dict(zip(words, ["B-PER", "LOC"], strict=False))
    model = tagger(["O", "B-PER", "I-PER", "LOC"], answers)
    code, _, err = predicted(nlpt, model, texts)
    assert code == 2
    assert "O, B-PER, I-PER, LOC" in err
    assert "--scheme io" not in err
    assert "id2label" in err
    config = json.loads((model / "config.json").read_text())
    config["id2label"]["3"] = "I-LOC"
    (model / "config.json").write_text(json.dumps({**config, "label2id": {}}))
    code, (result,), err = predicted(nlpt, model, texts)
    assert [entity["type"] for entity in result["entities"]] == ["PER", "LOC"], err


@pytest.mark.parametrize(
    ("names", "scheme", "part"),
    [
        (NAMES["bioes"], "iob2", "labels are not of the scheme iob2"),
        (NAMES["iob"], "io", "labels are not of the scheme io"),
        (NAMES["iob"], "bio", "(iob1, iob2, bioes, bilou, io)"),
    ],
)
def test_a_scheme_that_is_not_the_labels_is_refused(
    names: list[str], scheme: str, part: str
) -> None:
    with pytest.raises(UserError, match="m: ") as caught:
        foreign_task(names, scheme, "m")
    assert part in str(caught.value)


def test_models_of_ours_and_of_classes_take_no_scheme(nlpt: Run, tagger: Build) -> None:
    model = tagger(NAMES["iob"])
    config = json.loads((model / "config.json").read_text())
    config["nlp_transfer"] = {"task": {"name": "ner"}}
    (model / "config.json").write_text(json.dumps(config))
    code, _, err = nlpt("predict", model, "-", "--scheme", "iob1", stdin="a\n")
    assert code == 2
    assert "Leave --scheme out" in err


def test_what_was_told_is_kept_with_what_is_made_of_the_model(
    tagger: Build, tmp_path: Path
) -> None:
    told = Predictor.from_run(tagger(["PER", "LOC"]), scheme="io")
    told.loaded.model.save_pretrained(tmp_path / "copy")
    told.loaded.tokenizer.save_pretrained(tmp_path / "copy")
    config = json.loads((tmp_path / "copy" / "config.json").read_text())
    assert config["nlp_transfer"]["scheme"] == "io"
    assert Predictor.from_run(tmp_path / "copy").task == told.task


# --- scored and exported --------------------------------------------------------------------------


def scored(nlpt: Run, model: Path, recipe: Path, *more: str) -> tuple[int, str, str]:
    return nlpt("evaluate", model, "--recipe", recipe, "--json", *more)


@pytest.fixture
def gold(tmp_path: Path, words: list[str]) -> Path:
    """Write a test split of one sentence, whose tags are IOB2."""
    folder = tmp_path / "gold"
    folder.mkdir()
    pairs = zip(words[:7], WRITTEN["iob2"].split(), strict=True)
    (folder / "test.conll").write_text("".join(f"{word}\t{tag}\n" for word, tag in pairs))
    return folder


@pytest.mark.parametrize("scheme", ["iob1", "bioes", "bilou", "underscore", "at end"])
def test_models_of_every_scheme_are_scored(
    scheme: str, nlpt: Run, tagger: Build, words: list[str], gold: Path,
    tiny_recipe: Callable[..., Path],
) -> None:  # fmt: skip
    names = NAMES.get(scheme, NAMES["iob"])
    model = tagger(names, dict(zip(words, WRITTEN[scheme].split(), strict=False)))
    code, out, err = scored(nlpt, model, tiny_recipe(source=gold))
    assert code == 0, err
    figures = json.loads(out)["splits"]["test"]["entity"]["overall"]
    assert (figures["f1"], figures["support"]) == (1.0, 3)


def test_a_model_of_other_types_is_refused_and_one_without_types_told_to_name_them(
    nlpt: Run, tagger: Build, words: list[str], gold: Path, tiny_recipe: Callable[..., Path]
) -> None:
    recipe = tiny_recipe(source=gold)
    code, _, err = scored(nlpt, tagger(labels("{}_{}", "BI", ["Gene"])), recipe)
    assert code == 2
    assert "Model: O, Gene. Data: LOC, PER." in err
    model = tagger(NAMES["typeless"], dict(zip(words, WRITTEN["typeless"].split(), strict=False)))
    code, _, err = scored(nlpt, model, recipe)
    assert code == 2
    assert "id2label in config.json, as B-LOC" in err
    text = (model / "config.json").read_text().replace('"B"', '"B-LOC"').replace('"I"', '"I-LOC"')
    (model / "config.json").write_text(text)
    code, out, _ = scored(nlpt, model, recipe)
    assert code == 0
    assert json.loads(out)["splits"]["test"]["entity"]["per_type"]["LOC"]["recall"] == 1.0


@pytest.mark.slow
def test_an_export_keeps_the_scheme(
    nlpt: Run, tagger: Build, words: list[str], gold: Path, tiny_recipe: Callable[..., Path]
) -> None:
    pytest.importorskip("onnxruntime")
    model = tagger(
        ["PER", "LOC"], {word: "PER" if word in words[:3] else "LOC" for word in words[:7]}
    )
    recipe = str(tiny_recipe(source=gold))
    code, _, err = nlpt("export", model, "--recipe", recipe, "--scheme", "io", "--json")
    assert code == 0, err
    assert (
        json.loads((model / "onnx" / "config.json").read_text())["nlp_transfer"]["scheme"] == "io"
    )
    exported = Predictor.from_run(model, engine="onnx")
    (result,) = exported([{"tokens": words[:7]}])
    assert [entity["type"] for entity in result["entities"]] == ["PER", "LOC"]


def test_models_that_answer_together_are_read_as_the_one_from_elsewhere(
    nlpt: Run, tagger: Build, words: list[str], tmp_path: Path
) -> None:
    answers = dict(zip(words, WRITTEN["iob1"].split(), strict=False))
    theirs, ours = tagger(NAMES["iob"], answers), tagger(NAMES["iob"], answers)
    config = json.loads((ours / "config.json").read_text())
    (ours / "config.json").write_text(
        json.dumps({**config, "nlp_transfer": {"task": {"name": "ner"}}})
    )
    texts = tmp_path / "texts.txt"
    texts.write_text(" ".join(words[:7]), encoding="utf-8")
    for order in ([theirs, ours], [ours, theirs]):
        _, (result,), _ = predicted(nlpt, *order, texts)
        assert [tuple(span) for span in spans(result["tags"])] == ENTITIES


@pytest.mark.parametrize(
    "begin_and_inside",
    [("BEGIN-PER", "INSIDE-PER"), ("begin_per", "inside_per"), ("BPER", "IPER"), ("B PER", "I PER"),
     ("B+PER", "I+PER"), ("B-", "I-")],
)  # fmt: skip
def test_places_in_another_spelling_are_never_taken_for_types(
    begin_and_inside: tuple[str, str],
) -> None:
    with pytest.raises(UserError, match="cannot be told"):
        foreign_task(["O", *begin_and_inside], None, "m")


@pytest.mark.parametrize("types", [("Brand", "Person"), ("BAND", "LAND"), ("INDUSTRY", "BOOK")])
def test_types_that_begin_like_places_are_types(types: tuple[str, str]) -> None:
    assert foreign_task(["O", *types], None, "m").scheme == "io"


def test_models_that_mark_ends_alone_keep_their_entities_whole() -> None:
    names = ["O", "I-PER", "E-PER"]
    task = foreign_task(names, None, "m")
    chosen = ["I-PER", "I-PER", "E-PER", "E-PER", "O"]
    scores = np.log(np.eye(3, dtype=np.float32)[[names.index(c) for c in chosen]] + 1e-3)
    assert task.decoder.decode(scores, names).tags == ("B-PER", "I-PER", "I-PER", "B-PER", "O")
