"""Predictions written in the format of a tool: read again, they are the same; or not written."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForTokenClassification, AutoTokenizer

from nlp_transfer.data.formats import FORMATS
from nlp_transfer.data.formats.writing import check_results, check_target, write_results
from nlp_transfer.data.sources import open_source
from nlp_transfer.data.tags import spans
from nlp_transfer.data.words import split_words
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection
from nlp_transfer.tasks.classification.reading import TextReader
from nlp_transfer.tasks.classification.results import ClassificationResults
from nlp_transfer.tasks.ner.reading import SentenceReader
from nlp_transfer.tasks.ner.results import NerResults

KEYS = {"ner": NerResults.keys, "classification": ClassificationResults.keys}
NER, CLASSES = (
    [known.name for known in FORMATS if known.writer and known.writer.can_hold(keys)]
    for keys in KEYS.values()
)
READ_AS = {"doccano": "jsonl", "spans": "spans"}  # our names where they are not the writer's

# Half surrogate pairs and NUL are refused by readers; that is tested by itself.
CHARACTERS = st.one_of(
    st.sampled_from("aB1.'-@#:=/\"\\,|{[ \n\t\r\u00a0\u2028\u200b\ufeff\ufe0fé€😀"),
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
)
TEXTS = st.text(CHARACTERS, max_size=30)


@st.composite
def tagged(draw, texts=TEXTS, types=("PER", "LOC", "E-mail", "Ö")):
    """Draw a result of NER as the predictor gives it."""
    text = draw(texts)
    words, entities, tags, word = split_words(text, "unicode"), [], [], 0
    while word < len(words):
        length = draw(st.integers(0, min(3, len(words) - word)))
        if not length:
            tags.append("O")
            word += 1
            continue
        kind = draw(st.sampled_from(types))
        start, end = words[word].start, words[word + length - 1].end
        tags += [f"B-{kind}"] + [f"I-{kind}"] * (length - 1)
        entities.append(
            {"type": kind, "start_word": word, "end_word": word + length, "start": start,
             "end": end, "text": text[start:end], "score": 0.5}
        )  # fmt: skip
        word += length
    tokens = [word.text for word in words]
    return {"text": text, "tokens": tokens, "tags": tags, "entities": entities}


def one(text="Ada left", **others):
    """Return one result with an entity over the first word."""
    words = text.split(" ")
    entity = {"type": "PER", "start_word": 0, "end_word": 1, "start": 0, "end": len(words[0])}
    tags = ["B-PER"] + ["O"] * (len(words) - 1)
    entity |= {"text": words[0], "score": 1.0}
    return {"text": text, "tokens": words, "tags": tags, "entities": [entity], **others}


def classed(text="fine", label="pos", **others):
    return {"text": text, "label": label, "score": 0.75, "scores": {label: 0.75}, **others}


def written(results, to, folder):
    output = Path(folder) / "out"
    write_results(iter(results), to=to, output=output)
    return output


def read_again(output, to, task="ner", **options):
    data = DataSection(source=str(output), format=READ_AS.get(to, to), **options)
    several = task == "multi-label"
    reader = SentenceReader(data) if task == "ner" else TextReader(data, multi_label=several)
    _, (split,) = open_source(data)
    for raw in split.read():
        row, _ = reader.read(raw)
        if row is not None:
            yield row


@pytest.mark.parametrize("to", NER)
@given(results=st.lists(tagged(), max_size=4))
@settings(deadline=None, max_examples=60)
def test_words_and_entities_survive_every_format(to, results):
    with tempfile.TemporaryDirectory() as folder:
        if to == "conll":
            results = [r for r in results if not any("\0" in word for word in r["tokens"])]
        output = written(results, to, folder)
        if to == "brat" and not results:
            return  # an empty folder
        rows = list(read_again(output, to))
        expected = [result for result in results if result["tokens"]]
        assert [row["words"] for row in rows] == [result["tokens"] for result in expected]
        assert [row["tags"] for row in rows] == [result["tags"] for result in expected]


@pytest.mark.parametrize("to", [name for name in NER if name not in ("conll", "jsonl")])
@given(tokens=st.lists(TEXTS.filter(lambda t: t and not any(map(str.isspace, t))), min_size=1))
@settings(deadline=None, max_examples=40)
def test_words_without_a_text_are_joined_by_blanks(to, tokens):
    result = one(" ".join(tokens))
    del result["text"]
    with tempfile.TemporaryDirectory() as folder:
        (row,) = read_again(written([result], to, folder), to)
    # Our own splitter may cut a given word, but never joins two: the entity keeps its characters.
    (entity,) = spans(row["tags"])
    assert "".join(row["words"]) == "".join(tokens)
    assert "".join(row["words"][: entity.last + 1]) == tokens[0]
    assert entity.first == 0


@pytest.mark.parametrize("to", CLASSES)
@given(
    pairs=st.lists(
        st.tuples(TEXTS.filter(str.strip), st.sampled_from(["pos", "no", "a, b", '"', "Ö"])),
        min_size=1,
        max_size=4,
    )
)
@settings(deadline=None, max_examples=60)
def test_classes_survive_every_format(to, pairs):
    with tempfile.TemporaryDirectory() as folder:
        output = written([classed(*pair) for pair in pairs], to, folder)
        task = "multi-label" if to == "doccano" else "classification"  # its labels are lists
        rows = list(read_again(output, to, task))
    assert [(row["text"], *row["labels"]) for row in rows] == pairs


@pytest.mark.parametrize("to", CLASSES)
def test_several_labels_survive_every_format(to, tmp_path):
    labels = [["a", "b"], ["b"]]
    results = [{"text": "x", "labels": names, "scores": {}} for names in labels]
    output = written(results, to, tmp_path)
    assert [row["labels"] for row in read_again(output, to, "multi-label")] == labels


@pytest.mark.parametrize("to", [name for name in NER if name not in ("conll", "jsonl")])
def test_id_and_document_come_along(to, tmp_path):
    named = [one(id="x1", document="d"), one(id="x2", document="d")]
    rows = list(read_again(written(named, to, tmp_path), to))
    assert [row["id"] for row in rows] == ["x1", "x2"]
    assert [row["document"] for row in rows] == (["x1", "x2"] if to == "brat" else ["d", "d"])


def test_conll_has_a_line_where_a_document_begins(tmp_path):
    results = [one(document=name) for name in (None, "a", "a", "b", None)]
    output = written(results, "conll", tmp_path)
    assert output.read_text("utf-8") == (
        "Ada\tB-PER\nleft\tO\n\n"
        "-DOCSTART-\tO\n\nAda\tB-PER\nleft\tO\n\nAda\tB-PER\nleft\tO\n\n"
        "-DOCSTART-\tO\n\nAda\tB-PER\nleft\tO\n\n"
        "-DOCSTART-\tO\n\nAda\tB-PER\nleft\tO\n\n"
    )
    documents = [row["document"] for row in read_again(output, "conll")]
    assert [documents.count(name) for name in dict.fromkeys(documents)] == [1, 2, 1, 1]


def test_conll_says_how_many_items_have_no_words(tmp_path, caplog):
    output = written([one(), {"text": " ", "tokens": [], "tags": [], "entities": []}],
                     "conll", tmp_path)  # fmt: skip
    assert len(list(read_again(output, "conll"))) == 1
    assert "1 item(s) without words" in caplog.text


def test_jsonl_is_what_the_predictor_gives(tmp_path):
    given = [one(id="x", document=None), one("Ada \ud83d")]
    lines = written(given, "jsonl", tmp_path).read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == given


def test_tools_find_what_they_expect(tmp_path):
    for folder in (tmp_path / name for name in NER):
        folder.mkdir()
    row = json.loads(written([one()], "doccano", tmp_path / "doccano").read_text())
    assert row == {"text": "Ada left", "label": [[0, 3, "PER"]]}
    row = json.loads(written([one()], "spans", tmp_path / "spans").read_text())
    assert row == {"text": "Ada left", "spans": [{"start": 0, "end": 3, "label": "PER"}]}
    (task,) = json.loads(written([one()], "label-studio", tmp_path / "label-studio").read_text())
    value = {"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]}
    region = {"id": "r1", "from_name": "label", "to_name": "text", "type": "labels", "value": value}
    assert task == {"data": {"text": "Ada left"}, "annotations": [{"result": [region]}]}
    folder = written([one("Ada\nLove left")], "brat", tmp_path / "brat")
    assert sorted(file.name for file in folder.iterdir()) == ["000001.ann", "000001.txt"]
    assert (folder / "000001.ann").read_text() == "T1\tPER 0 3;4 8\tAda Love\n"
    folder = tmp_path / "csv"
    folder.mkdir()
    output = written([classed("a\r\nb", id=1)], "csv", folder)
    (record,) = csv.DictReader(io.StringIO(output.read_bytes().decode(), newline=""))
    assert record == {"id": "1", "text": "a\r\nb", "label": "pos", "score": "0.75"}


def test_brat_names_are_safe_and_no_item_overwrites_another(tmp_path):
    ids = ["../../etc", "A", "a", "a-000003", "", ".hidden", "é" * 300, "a", "/", None]
    folder = written([one(id=name) for name in ids], "brat", tmp_path)
    names = [file.stem for file in folder.glob("*.txt")]
    assert len({name.casefold() for name in names}) == len(ids) == len(list(folder.glob("*.ann")))
    assert not [name for name in names if name[0] in ".-_" or "/" in name or len(name) > 99]
    assert {"etc", "A", "a-000003", "hidden", "000005", "000009", "000010"} <= set(names)
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize(
    ("to", "result", "expected"),
    [
        ("conll", one("a\tb left"), r"item 1: the word 'a\tb' would not be read as one"),
        ("conll", one("a\nb left", id="x"), "item 1 (id x): the word"),
        ("conll", one("\u00a0 left"), "the word"),
        ("conll", one(" left"), "the word ''"),
        ("conll", one("-DOCSTART- left"), "the word '-DOCSTART-'"),
        ("conll", one("#text= left"), "the word '#text='"),
        ("conll", one("a\0 left"), "conll cannot hold a NUL character"),
        ("conll", one("\ud83d left"), r"conll cannot hold '\ud83d', which is not utf-8"),
        ("brat", one("\ud83d left"), "brat cannot hold"),
        ("brat", one("a\0 left"), "brat cannot hold a NUL character"),
        ("brat", one() | {"entities": [one()["entities"][0] | {"type": "a b"}]}, "have no blanks"),
        ("csv", classed("a\0b"), "csv cannot hold a NUL character"),
        ("csv", {"text": "a", "labels": ["a|b"]}, "holds '|'"),
    ],
)
def test_what_a_format_cannot_hold_is_refused_and_nothing_is_left(to, result, expected, tmp_path):
    with pytest.raises(UserError) as error:
        written([result], to, tmp_path)
    assert expected in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_csv_items_have_the_same_columns(tmp_path):
    with pytest.raises(UserError, match="item 2: it has the columns text, text_pair, label"):
        written([classed(), classed(text_pair="x")], "csv", tmp_path)


@pytest.mark.parametrize(
    ("to", "output", "task", "expected"),
    [
        ("colln", None, "ner", "Did you mean 'conll'"),
        ("brat", None, "ner", "--output FOLDER"),
        ("csv", None, "ner", "csv cannot hold the results of ner (choose from jsonl, conll"),
        ("conll", None, "classification", "cannot hold the results of classification"),
        ("spans", None, "classification", "choose from jsonl, doccano, label-studio, csv"),
        ("jsonl", "nowhere/out", "ner", "there is no folder"),
        ("jsonl", "full", "ner", "is a folder"),
        ("brat", "full", "ner", "is there already"),
        ("brat", "full/file", "ner", "is there already"),
    ],
)
def test_what_cannot_be_written_is_refused_before_a_result_is_asked_for(
    to, output, task, expected, tmp_path
):
    def results():
        raise AssertionError("a result was asked for")
        yield

    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")

    def refused():
        check_results(to, KEYS[task], task)
        write_results(results(), to=to, output=output and tmp_path / output)

    with pytest.raises(UserError) as error:
        refused()
    assert expected in str(error.value)
    assert (tmp_path / "full" / "file").read_text() == "mine"


@pytest.mark.parametrize("to", NER)
def test_a_broken_run_leaves_what_was_there(to, tmp_path):
    def results():
        yield one()
        raise KeyboardInterrupt

    output = tmp_path / "out"
    output.mkdir() if to == "brat" else output.write_text("before")
    with pytest.raises(KeyboardInterrupt):
        write_results(results(), to=to, output=output)
    assert list(tmp_path.iterdir()) == [output]
    assert not list(output.iterdir()) if to == "brat" else output.read_text() == "before"


def test_a_device_keeps_its_name(capsys):
    write_results([one()], to="conll", output=Path("/dev/null"))
    assert Path("/dev/null").is_char_device()
    check_target("jsonl", None)
    write_results([one()], to="spans", output=None)
    assert json.loads(capsys.readouterr().out)["spans"]


def test_a_long_stream_is_written_as_it_comes(tmp_path):
    seen = []

    def results():
        for number in range(3000):
            (growing,) = tmp_path.iterdir()
            seen.append(growing.stat().st_size)
            yield one(f"Ada {number}")

    output = written(results(), "label-studio", tmp_path)
    assert seen[-1] > seen[0]
    assert len(json.loads(output.read_text())) == 3000


@pytest.fixture
def sees_persons(tiny_bert, tmp_path):
    """Save a model that takes every word for a person."""
    ids = {"O": 0, "B-PER": 1, "I-PER": 2}
    model = AutoModelForTokenClassification.from_pretrained(
        tiny_bert, id2label={number: name for name, number in ids.items()}, label2id=ids
    )
    model.classifier.weight.data.zero_()
    model.classifier.bias.data.copy_(torch.tensor([0.0, 9.0, 0.0]))
    model.save_pretrained(tmp_path / "model")
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_predict_writes_every_format_and_keeps_ids(nlpt, tmp_path, sees_persons):
    rows = [{"text": "Ada left", "id": "x1", "document": "d"}, {"text": "Bob came"}]
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for to in NER:
        assert nlpt("predict", sees_persons, source, "--to", to, "-o", tmp_path / to)[0] == 0
        words = [row["words"] for row in read_again(tmp_path / to, to)]
        assert sorted(words) == [["Ada", "left"], ["Bob", "came"]]
    assert (tmp_path / "brat" / "x1.ann").read_text() == ("T1\tPER 0 3\tAda\nT2\tPER 4 8\tleft\n")
    assert nlpt("predict", sees_persons, source)[1] == (tmp_path / "jsonl").read_text()
    assert nlpt("predict", sees_persons, source, "--to", "conll")[1].startswith(
        "-DOCSTART-\tO\n\nAda\tB-PER"
    )
    (sees_persons / "model.safetensors").unlink()  # mistakes are found before it is read
    for mistake in (["--to", "xml"], ["--to", "brat"], ["-o", "nowhere/out"]):
        code, out, err = nlpt("predict", sees_persons, source, *mistake)
        assert (code, out) == (2, "")
        assert mistake[0].replace("-o", "--output") in err
