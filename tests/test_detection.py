"""What a file is, told by its content: for training and prediction alike, whatever its name."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nlp_transfer import finetune, load_recipe
from nlp_transfer.data.formats import format_of
from nlp_transfer.data.text_file import DataFile
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection

pytestmark = pytest.mark.usefixtures("one_thread")

Run = Callable[..., tuple[int, str, str]]
TABLE = b"id,text,label\n1,good film,pos\n2,bad film,neg\n"
TABS = TABLE.replace(b",", b"\t")


def _zip(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return content.getvalue()


def _tar() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.csv"))
    return content.getvalue()


def _numpy() -> bytes:
    content = io.BytesIO()
    np.save(content, np.zeros(2))
    return content.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "training", "prediction"),
    [
        ("TEXTS.CSV", TABLE, "csv", "csv"),
        ("texts.csv.GZ", gzip.compress(TABLE, mtime=0), "csv", "csv"),
        ("packed.csv", gzip.compress(TABLE, mtime=0), "csv", "csv"),
        ("texts", TABLE, "csv", "csv"),
        ("texts.txt", TABLE, "csv", "csv"),
        ("texts.dat", TABS, "tsv", "tsv"),
        ("capitals", TABLE.replace(b"text", b"Text"), "csv", "csv"),
        ("semicolons", TABLE.replace(b",", b";"), "csv", "csv"),
        ("column", b"text\nwell, a text\n", "tsv", "tsv"),
        ("quoted", b'id,text\n1,"a, b\nc"\n2,d\n', "csv", "csv"),
        ("commas.tsv", TABLE, "csv", "csv"),
        ("table.jsonl", TABLE, "csv", "csv"),
        ("wide.csv", TABLE.decode().encode("utf-16"), "csv", "csv"),
        ("marked", b"\xef\xbb\xbf" + TABLE, "csv", "csv"),
        ("rows.csv", b'{"text": "a"}\n', "jsonl", "jsonl"),
        ("rows", b'[{"text": "a"}]', "jsonl", "jsonl"),
        ("fast.csv", b"__label__pos good, film\n__label__neg bad\n", "fasttext", "fasttext"),
        ("words.txt", b"Ada B-PER\nleft O\n\nZoe B-PER\n", "conll", "conll"),
        ("start", b"-DOCSTART- -X- O O\n\nAda NNP O B-PER\n", "conll", "conll"),
        ("prose.txt", b"Hello, world\nGood, bye\nSo, long\n", "conll", "text"),
        ("vitamins", b"I like vitamin O\nBuy the text O\n", "conll", "text"),
        ("magic.txt", b"ORC is a monster\nBZh9 is a plate\n", "conll", "text"),
        ("empty", b"", "conll", "text"),
    ],
)
def test_the_format_is_told_by_the_content(
    name: str, content: bytes, training: str, prediction: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    data = DataSection(source="x")
    with DataFile(tmp_path / name) as file:
        assert format_of(file, data).name == training
        assert format_of(file, data, annotated=False).name == prediction


FOREIGN = {
    "a.xlsx": (_zip("[Content_Types].xml", "xl/workbook.xml"), "Excel workbook", "CSV (UTF-8)"),
    "excel.csv": (_zip("[Content_Types].xml", "xl/workbook.xml"), "Excel workbook", "CSV"),
    "zip.xlsx": (_zip("a.txt"), "a zip archive", "Unpack it"),
    "a.docx": (_zip("[Content_Types].xml", "word/document.xml"), "Word document", "Save its text"),
    "a.ods": (_zip("mimetype", "content.xml"), "OpenDocument", "CSV"),
    "a.pt": (_zip("archive/data.pkl"), "PyTorch", "may run code"),
    "old.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old Word or Excel", "CSV"),
    "a.csv.bz2": (bz2.compress(TABLE), "bzip2", "bunzip2"),
    "a.jsonl.xz": (lzma.compress(TABLE), "xz archive", "unxz"),
    "a.zst": (b"\x28\xb5\x2f\xfd" + bytes(9), "zstd", "unzstd"),
    "a.7z": (b"7z\xbc\xaf\x27\x1c" + bytes(9), "7z", "Unpack"),
    "a.tar": (_tar(), "tar archive", "Unpack"),
    "a.tar.gz": (gzip.compress(_tar()), "tar archive", "Unpack"),
    "a.pdf": (b"%PDF-1.7\n", "a PDF", "Save its text"),
    "a.pkl": (pickle.dumps({"text": ["a"]}), "pickle", "may run code"),
    "old.pkl": (pickle.dumps([{"a": 1}], protocol=2), "pickle", "may run code"),
    "a.npy": (_numpy(), "NumPy array", "Parquet"),
    "a.sqlite": (b"SQLite format 3\0" + bytes(90), "SQLite", "Parquet"),
    "login.csv": (b"\n<!DOCTYPE html>\n<html>", "a web page", "download refused"),
    "lfs.csv": (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer", "git lfs pull"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_not_read_is_named_with_what_to_do(name: str, nlpt: Run, tmp_path: Path) -> None:
    content, kind, cure = FOREIGN[name]
    (tmp_path / name).write_bytes(content)
    for annotated in (True, False):
        with pytest.raises(UserError) as error:
            format_of(DataFile(tmp_path / name), DataSection(source="x"), annotated=annotated)
        assert f"{name}: by its content this is " in str(error.value)
        assert kind in str(error.value)
        assert cure in str(error.value)
    for command in (
        ["inspect", tmp_path / name, "--task", "ner"],
        ["predict", "m", tmp_path / name],
    ):
        code, out, err = nlpt(*command)
        assert (code, out, kind in err, "latin-1" in err) == (2, "", True, False)


def test_every_database_is_an_sqlite_file(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.csv") as base:
        base.execute("create table texts (text)")
    with pytest.raises(UserError, match="SQLite"):
        format_of(DataFile(tmp_path / "a.csv"), DataSection(source="x"))


@pytest.fixture(scope="module")
def model(
    tmp_path_factory: pytest.TempPathFactory, checkpoint: Callable[..., Path]
) -> tuple[Path, Path]:
    """Train on a folder of class folders; return the run and the data."""
    from tiny import CLASSES, write_recipe

    folder = tmp_path_factory.mktemp("classes")
    for split in ("train", "test"):
        for name, texts in CLASSES.items():
            (folder / "data" / split / name).mkdir(parents=True)
            for number, text in enumerate(texts * 2):
                path = folder / "data" / split / name / f"{number}.txt"
                path.write_text(f"{text}\nand more\n", "utf-8")
    path = write_recipe(
        folder / "r.yaml", task="classification", data=folder / "data",
        checkpoint=checkpoint("bert"), strategy="full", training={"epochs": 1},
    )  # fmt: skip
    finetune(load_recipe(str(path)), output=folder / "run")
    return folder / "run", folder / "data"


def test_folders_of_classes_are_read(nlpt: Run, model: tuple[Path, Path]) -> None:
    run, data = model
    described = json.loads((run / "data.json").read_text("utf-8"))
    assert described["labels"] == ["order", "praise", "refund"]
    assert described["splits"]["test"]["examples"] == 24
    code, out, _ = nlpt("predict", run, data / "test")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [row["input_label"] for row in rows] == ["order"] * 8 + ["praise"] * 8 + ["refund"] * 8
    assert rows[0]["text"] == "where is my parcel\nand more"
    assert rows[0]["id"] == "order/0.txt"
    code, out, _ = nlpt("inspect", data / "test", "--task", "classification", "--json")
    assert json.loads(out)["splits"]["train"]["examples"] == 24


def test_files_beside_class_folders_are_named(nlpt: Run, tmp_path: Path) -> None:
    for name in ("pos", "neg"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "1").write_text("a text\n")
    (tmp_path / "data" / "urls.txt").write_text("http://\n")
    code, _, err = nlpt("inspect", tmp_path / "data", "--task", "classification")
    assert (code, "in none: urls.txt" in err) == (2, True)


def test_fasttext_lines_are_read_without_their_labels(
    nlpt: Run, model: tuple[Path, Path], tmp_path: Path
) -> None:
    source = tmp_path / "train.txt"
    source.write_text("__label__a __label__b good film\n\n__label__c bad , film\n", "utf-8")
    code, out, _ = nlpt("predict", model[0], source)
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [(row["text"], row["input_label"]) for row in rows] == [
        ("good film", ["a", "b"]), ("bad , film", "c")
    ]  # fmt: skip
    options = ("--task", "classification", "task.multi_label=true", "--json")
    assert json.loads(nlpt("inspect", source, *options)[1])["splits"]["train"]["examples"] == 2
    source.write_text("__label__a good\nbad film\n", "utf-8")
    code, _, err = nlpt("inspect", source, "data.format=fasttext", *options)
    assert (code, "train.txt:2: 'bad film' has no __label__" in err) == (2, True)


def test_a_column_of_texts_that_is_not_read_is_named(
    nlpt: Run, model: tuple[Path, Path], tmp_path: Path
) -> None:
    rows = "".join(f"is it good {n},the film {n},{'yes' if n % 2 else 'no'}\n" for n in range(9))
    source = tmp_path / "train.csv"
    source.write_text(f"question,sentence,label\n{rows}", "utf-8")
    arguments = (source, "--task", "classification", "--json")
    (found,) = (
        finding
        for finding in json.loads(nlpt("inspect", *arguments)[1])["findings"]
        if finding["code"] == "unread_texts"
    )
    assert "'question' holds texts and is not read" in found["message"]
    assert "data.columns.text_pair=question" in found["fix"]
    followed = nlpt("inspect", *arguments, "data.columns.text_pair=question")[1]
    assert "unread_texts" not in followed
    _, out, err = nlpt("predict", model[0], source)
    assert "'sentence' is read as the text; not read: question, label" in err
    assert json.loads(out.splitlines()[0])["question"] == "is it good 0"
