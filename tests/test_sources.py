"""Data sources: files of every format in, the same rows out; faults named by file and line."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
from collections import Counter

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from loading import load_classification, load_ner

from nlp_transfer.data.columns import declared_names
from nlp_transfer.data.formats import format_of
from nlp_transfer.data.formats.arrow import label_names
from nlp_transfer.data.sources import open_source
from nlp_transfer.data.text_file import DataFile
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection

ROWS = [
    {"tokens": ["Ada", "Lovelace", "wrote"], "tags": ["B-PER", "I-PER", "O"]},
    {"tokens": ["#", "Paris", "É"], "tags": ["O", "B-LOC", "O"]},
    {"tokens": ["no", "1,5", '"'], "tags": ["O", "O", "O"]},
]
TEXTS = [
    {"text": 'She said "no",\nthen left.', "label": "no"},
    {"text": "a\ttab, a comma", "label": "on"},
    {"text": "ÉTÉ \u2028 e\u0301", "label": "no"},
]


def conll(rows=ROWS, separator="\t", blank="\n", end="\n") -> str:
    sentences = [
        "".join(f"{word}{separator}{tag}\n" for word, tag in zip(*row.values(), strict=True))
        for row in rows
    ]
    return blank.join(sentences).replace("\n", end)


def table(rows=TEXTS, delimiter=",") -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["text", "label"], delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def jsonl(rows) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def save(path, content):
    content = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def ner_rows(path, **options):
    """Read a file as train (nothing held out), by the public way in."""
    options.setdefault("splits", {"test": path.name})
    (split,) = [
        s for s in open_source(DataSection(source=str(path), **options))[1] if s.name == "test"
    ]
    return [{key: row.values[key] for key in ("tokens", "tags")} for row in split.read()]


def only(path, load, **options):
    """Load a folder of which this file is the test split."""
    given = {key: options.pop(key) for key in ("types", "classes", "multi_label") if key in options}
    data = DataSection(source=str(path.parent), splits={"test": path.name}, **options)
    return load(data, **given)


def said(call, *args, **options) -> str:
    with pytest.raises(UserError) as caught:
        call(*args, **options)
    return str(caught.value)


# --- CoNLL ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", ["\t", " ", "   "])
@pytest.mark.parametrize("blank", ["\n", "\t\n", " \t \n", "\n\n\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_conll_sentences_end_at_any_blank_line(tmp_path, separator, blank, end):
    path = save(tmp_path / "a.conll", conll(separator=separator, blank=blank, end=end))
    assert ner_rows(path) == ROWS


@pytest.mark.parametrize("content", [conll(), conll().rstrip("\n"), "\n\n" + conll() + "\n\n"])
def test_conll_files_may_start_and_end_as_they_like(tmp_path, content):
    assert ner_rows(save(tmp_path / "a.conll", content)) == ROWS


def test_a_byte_order_mark_is_no_part_of_the_first_word(tmp_path):
    assert ner_rows(save(tmp_path / "a.conll", "\ufeff" + conll())) == ROWS


def test_gzipped_conll_is_read(tmp_path):
    assert ner_rows(save(tmp_path / "a.conll.gz", conll())) == ROWS


def test_a_broken_gzip_file_is_named(tmp_path):
    path = tmp_path / "test.conll.gz"
    path.write_bytes(gzip.compress(conll().encode())[:-12])
    assert "test.conll.gz" in said(ner_rows, path)


def test_a_file_of_a_lone_hash_is_said_to_have_one_column(tmp_path):
    path = tmp_path / "hash.conll"
    path.write_bytes(b"\n#")
    with pytest.raises(UserError, match=r"hash.conll:2: one column only \('#'\)"):
        load_ner(DataSection(source=str(path), format="conll"))


def test_documents_start_at_docstart_lines(tmp_path):
    sentences = "Ada NNP B-PER\n\nwrote VBD O\n\n-DOCSTART- O\n\nno NN O\n"
    text = f"-DOCSTART- -X- O\n\n{sentences}"
    rows = only(save(tmp_path / "test.txt", text), load_ner)["test"]
    assert list(rows["words"]) == [["Ada"], ["wrote"], ["no"]]
    assert rows["document"][0] == rows["document"][1] != rows["document"][2]


def test_documents_start_at_newdoc_comments_and_keep_their_ids(tmp_path):
    text = "# newdoc id = a-1\nAda\tB-PER\n# newdoc id = b\n\nno\tO\n\n# newdoc\nyes\tO\n"
    rows = only(save(tmp_path / "test.conll", text), load_ner)["test"]
    assert list(rows["document"]) == ["a-1", "b", "document 3"]


def test_files_without_documents_have_none(tmp_path):
    rows = only(save(tmp_path / "test.conll", conll()), load_ner)["test"]
    assert set(rows["document"]) == {None}


@pytest.mark.parametrize(
    "comment",
    [
        "# a comment of several words",
        "# sent_id = 12",
        "# text = A song of The B-52s",
        "# text = Vitamin O",
        "# text =",
        "# text = one\ttab",
    ],
)
def test_comments_before_a_sentence_are_skipped(tmp_path, comment):
    path = save(tmp_path / "a.conll", f"{comment}\nAda\tB-PER\n\n{comment}\nno\tO\n")
    assert [row["tokens"] for row in ner_rows(path)] == [["Ada"], ["no"]]


@pytest.mark.parametrize("separator", ["\t", " "])
def test_a_number_sign_may_be_a_word(tmp_path, separator):
    text = "#_O\n1_O\n\nno_O\n#_B-X\n\n#_I-X\n".replace("_", separator)
    words = [row["tokens"] for row in ner_rows(save(tmp_path / "a.conll", text))]
    assert words == [["#", "1"], ["no", "#"], ["#"]]


@pytest.mark.parametrize("line", ["Babbage", "Babbage\t", "Babbage "])
def test_a_word_without_its_tag_is_an_error_with_file_and_line(tmp_path, line):
    path = save(tmp_path / "a.conll", f"Ada\tB-PER\n\nno\tO\n{line}\n")
    assert f"{path}:4: " in said(ner_rows, path)


def test_a_row_shorter_than_the_others_does_not_pass_its_part_of_speech_off_as_a_tag(tmp_path):
    path = save(tmp_path / "a.conll", "Ada NNP B-PER\nwrote VBD O\nmuch RB\n")
    assert f"{path}:3: " in said(ner_rows, path)


def test_a_blank_inside_a_word_is_an_error_and_not_a_lost_word(tmp_path):
    path = save(tmp_path / "a.conll", "Ada B-PER\n\nNew York B-LOC\n")
    assert f"{path}:3: " in said(ner_rows, path)


def test_rows_may_differ_in_length_where_the_columns_are_given(tmp_path):
    path = save(tmp_path / "a.conll", "Ada B-PER\n\nYork B-LOC seen twice\n")
    assert [row["tags"] for row in ner_rows(path, columns={"tags": 1})] == [["B-PER"], ["B-LOC"]]


def test_one_column_only_is_an_error_with_its_line(tmp_path):
    path = save(tmp_path / "a.conll", "# first comment\njust\nwords\n")
    assert f"{path}:2: one column only ('just')" in said(ner_rows, path)


def test_columns_are_chosen_by_number(tmp_path):
    path = save(tmp_path / "a.conll", "1 B-PER x Ada\n2 O x wrote\n")
    rows = ner_rows(path, columns={"tokens": 3, "tags": 1})
    assert rows == [{"tokens": ["Ada", "wrote"], "tags": ["B-PER", "O"]}]


def test_numbered_words_are_told_from_words(tmp_path):
    path = save(tmp_path / "a.tsv", "1\tAda\tB-PER\tO\n2\twrote\tO\tO\n", )  # fmt: skip
    assert ner_rows(path) == [{"tokens": ["Ada", "wrote"], "tags": ["B-PER", "O"]}]


def test_a_column_name_for_a_conll_file_is_explained(tmp_path):
    path = save(tmp_path / "a.conll", conll())
    assert "data.columns.tags: CoNLL columns are numbered" in said(
        ner_rows, path, columns={"tags": "ner"}
    )


def test_another_separator_may_be_given(tmp_path):
    path = save(tmp_path / "a.conll", "New York|B-LOC\nis|O\n")
    assert ner_rows(path, separator="|") == [{"tokens": ["New York", "is"], "tags": ["B-LOC", "O"]}]


@pytest.mark.parametrize("word", ["\u00a0", "a\u00a0b", "\u2028", "\u200b", "\ufe0f", "\x85"])
def test_odd_blanks_are_words_and_neither_cut_nor_dropped(tmp_path, word):
    path = save(tmp_path / "a.conll", f"Ada\tB-PER\n{word}\tO\nno\tO\n")
    assert ner_rows(path)[0]["tokens"] == ["Ada", word, "no"]


# --- encodings ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_wrong_encoding_names_the_byte_and_its_offset(tmp_path, mark):
    content = mark + "Ada\tB-PER\nÉ\tO\n".encode("latin-1")
    path = save(tmp_path / "a.conll", content)
    message = said(ner_rows, path)
    assert f"{path}:2: byte 0xC9 at offset {content.index(0xC9)} is not utf-8" in message
    assert "data.encoding" in message


def test_another_encoding_may_be_given(tmp_path):
    path = save(tmp_path / "a.conll", conll().encode("latin-1"))
    assert ner_rows(path, encoding="latin-1") == ROWS


def test_utf16_is_read_when_given(tmp_path):
    assert ner_rows(save(tmp_path / "a.conll", conll().encode("utf-16")), encoding="utf-16") == ROWS


# --- other formats --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["test.jsonl", "test.json", "test.jsonl.gz", "test.txt"])
def test_json_lines_are_read(tmp_path, name):
    assert ner_rows(save(tmp_path / name, jsonl(ROWS))) == ROWS


@pytest.mark.parametrize("indent", [None, 2])
def test_one_json_list_is_read(tmp_path, indent):
    assert ner_rows(save(tmp_path / "test.json", json.dumps(ROWS, indent=indent))) == ROWS


def test_broken_json_is_named_by_line(tmp_path):
    path = save(tmp_path / "test.jsonl", jsonl(ROWS) + "{oops\n")
    assert f"{path}:4: this is not valid JSON" in said(ner_rows, path)


def test_half_a_surrogate_pair_is_named_by_line(tmp_path):
    path = save(
        tmp_path / "test.jsonl", '{"text": "\\ud83d\\ude00", "label": "x"}\n{"text": "\\ud83d"}\n'
    )
    assert f"{path}:2: \\ud83d is half a character" in said(only, path, load_classification)


def test_json_that_is_no_object_is_refused(tmp_path):
    path = save(tmp_path / "test.jsonl", jsonl(ROWS) + '"text"\n')
    assert f"{path}:4: expected an object" in said(ner_rows, path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("test.csv", table()),
        ("test.csv.gz", table()),
        ("test.tsv", table(delimiter="\t")),
        ("test.jsonl", jsonl(TEXTS)),
        ("test.csv", "\ufeff" + table()),
    ],
)
def test_texts_come_out_of_every_format_as_they_are(tmp_path, name, content):
    options = {"quoted": True} if name.endswith(".tsv") else {}
    rows = only(save(tmp_path / name, content), load_classification, **options)["test"]
    assert list(rows["text"]) == [row["text"] for row in TEXTS]
    assert list(rows["labels"]) == [[row["label"]] for row in TEXTS]


def test_line_ends_inside_quotes_belong_to_the_text(tmp_path):
    path = save(tmp_path / "test.csv", b'text,label\r\n"one\r\ntwo",a\r\nthree,b\r\n')
    rows = only(path, load_classification)["test"]
    assert list(rows["text"]) == ["one\r\ntwo", "three"]


def test_a_record_with_too_few_fields_is_named_by_line(tmp_path):
    path = save(tmp_path / "test.csv", "text,label\ngood,a\nbad\n")
    assert f"{path}:3: 1 fields, the first row has 2 (text, label)" in said(
        only, path, load_classification
    )


def test_a_column_that_stands_twice_is_refused(tmp_path):
    path = save(tmp_path / "test.csv", "text,label,text\na,b,c\n")
    assert "'text' stands twice" in said(only, path, load_classification)


def test_parquet_is_read_whatever_its_name(tmp_path):
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "test.txt")
    assert ner_rows(tmp_path / "test.txt") == ROWS


def test_a_file_that_is_no_parquet_is_refused(tmp_path):
    path = save(tmp_path / "test.parquet", "word\tO\n")
    assert "this is not a Parquet file" in said(ner_rows, path)


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("a.csv", "text,label\nhello,a\n", "csv"),
        ("a.tsv", "text\tlabel\nhello\ta\n", "tsv"),
        ("a.tsv", "Ada\tB-PER\nwrote\tO\n\nno\tO\n", "conll"),
        ("a.json", '[\n  {"text": "a"}\n]', "jsonl"),
        ("a.txt", '{"text": "a"}\n', "jsonl"),
        ("a.txt", '[{"text": "a"}]', "jsonl"),
        ("a.csv", '{"text": "a"}\n', "jsonl"),
        ("a.txt", "Ada O\n", "conll"),
        ("a.conll", "{\tO\nAda\tB-PER\n}\tO\n", "conll"),
        ("a.conll", "{ O\nAda B-PER\n", "conll"),
        ("a", "Ada O\n", "conll"),
        ("a.csv.gz", "text,label\n", "csv"),
        ("a.bin", "PAR1....", "parquet"),
    ],
)
def test_the_format_is_told_from_the_inside_first(tmp_path, name, content, wanted):
    with DataFile(save(tmp_path / name, content)) as file:
        assert format_of(file, DataSection(source="x")).name == wanted


def test_the_format_may_be_given(tmp_path):
    path = save(tmp_path / "test.data", table())
    assert len(only(path, load_classification, format="csv")["test"]) == 3


# --- splits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        ("train.conll", "dev.conll", "test.conll"),
        ("train.txt", "valid.txt", "test.txt"),
        ("en_train.conll", "en_val.conll", "en_test.conll"),
        ("wiki-TRAIN.iob", "wiki-validation.iob", "wiki-test.iob"),
        ("eng.train", "eng.testa", "eng.testb"),
        ("x.train.conll.gz", "x.development.conll.gz", "x.test.conll.gz"),
        ("train", "dev", "test"),
    ],
)
def test_a_folders_splits_are_found_by_name(tmp_path, names):
    for name in (*names, "README.md"):
        save(tmp_path / name, f"{name}\tO\n")
    found = {
        s.name: next(s.read()).values["tokens"][0]
        for s in open_source(DataSection(source=str(tmp_path)))[1]
    }
    assert found == dict(zip(("train", "validation", "test"), names, strict=True))


def test_two_files_for_one_split_are_an_error_that_names_both(tmp_path):
    for name in ("dev.conll", "valid.conll", "train.conll"):
        save(tmp_path / name, conll())
    message = said(open_source, DataSection(source=str(tmp_path)))
    assert "dev.conll, valid.conll" in message
    assert "data.splits.validation" in message


def test_a_folder_without_splits_lists_what_it_has(tmp_path):
    save(tmp_path / "notes.conll", conll())
    assert "Found: notes.conll" in said(open_source, DataSection(source=str(tmp_path)))


def test_split_files_may_be_given_by_name_or_stem(tmp_path):
    for name in ("one.conll", "two.conll", "train.conll"):
        save(tmp_path / name, f"{name}\tO\n")
    splits = {"train": "one.conll", "test": "two", "validation": None}
    _, opened = open_source(DataSection(source=str(tmp_path), splits=splits))
    assert {s.name: next(s.read()).values["tokens"][0] for s in opened} == {
        "train": "one.conll",
        "test": "two.conll",
    }


def test_a_recipe_written_for_the_hub_finds_the_splits_of_a_folder(tmp_path):
    for name in ("train.conll", "dev.conll", "test.conll"):
        save(tmp_path / name, f"{name}\tO\n")
    splits = {"train": "train", "validation": "validation", "test": "test"}
    _, opened = open_source(DataSection(source=str(tmp_path), splits=splits))
    assert [next(s.read()).values["tokens"][0] for s in opened] == [
        "train.conll",
        "dev.conll",
        "test.conll",
    ]


def test_a_given_split_file_that_is_not_there_is_named(tmp_path):
    path = save(tmp_path / "train.conll", conll())
    for source in (path, tmp_path):
        message = said(open_source, DataSection(source=str(source), splits={"test": "tset.conll"}))
        assert "data.splits.test: there is no file 'tset.conll'" in message
        assert "train.conll" in message


@pytest.mark.parametrize("source", ["./nowhere", "gone.conll", "/gone/too"])
def test_a_source_that_is_not_there_is_named(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    assert f"there is no file or folder {source!r}" in said(open_source, DataSection(source=source))


def many(count=60):
    return [{"text": f"text {i}", "label": "abc"[i % 3]} for i in range(count)]


def loaded(tmp_path, rows, **options):
    path = save(tmp_path / "train.jsonl", jsonl(rows))
    return load_classification(DataSection(source=str(path), **options))


def test_what_a_source_lacks_is_held_out_of_train(tmp_path):
    # Both shares are of the whole source, whichever is split off first.
    splits = loaded(tmp_path, many(), test_share=0.2, validation_share=0.3)
    assert {name: len(splits[name]) for name in splits} == {
        "train": 30,
        "validation": 18,
        "test": 12,
    }
    texts = sorted(text for name in splits for text in splits[name]["text"])
    assert texts == sorted(row["text"] for row in many())


def test_held_out_rows_keep_the_proportions_of_the_classes(tmp_path):
    splits = loaded(tmp_path, many(), test_share=0.2, validation_share=0.2)
    for name in splits:
        counts = Counter(label for (label,) in splits[name]["labels"])
        assert len(set(counts.values())) == 1


def test_held_out_rows_depend_on_the_seed_alone(tmp_path):
    first, again, other = (loaded(tmp_path, many(), split_seed=seed) for seed in (1, 1, 2))
    assert first.fingerprints == again.fingerprints
    assert first.fingerprints["test"] != other.fingerprints["test"]


def test_documents_are_held_out_whole(tmp_path):
    rows = [{**row, "document": f"d{i // 6}"} for i, row in enumerate(many())]
    splits = loaded(tmp_path, rows, test_share=0.3, validation_share=0.3)
    documents = [set(splits[name]["document"]) for name in splits]
    assert all(documents)
    assert sum(map(len, documents)) == len(set.union(*documents)) == 10


def test_data_too_small_to_split_is_an_error(tmp_path):
    path = save(tmp_path / "one.conll", conll(ROWS[:1]))
    data = DataSection(source=str(path))
    assert "too few to split off a test split" in said(load_ner, data)
    assert "one class only" in said(loaded, tmp_path, many(1))


# --- columns, labels ------------------------------------------------------------------------------


def test_a_missing_column_names_those_found(tmp_path):
    path = save(tmp_path / "test.csv", "phrase,mood\na,b\n")
    message = said(only, path, load_classification)
    assert f"{path}:2: no column looks like text. Found: phrase, mood." in message
    assert "data.columns.text=" in message


def test_a_misspelt_column_names_the_nearest(tmp_path):
    path = save(tmp_path / "test.csv", "phrase,mood\na,b\n")
    message = said(only, path, load_classification, columns={"text": "phrse"})
    assert "data.columns.text: there is no column 'phrse'" in message
    assert "Did you mean 'phrase'?" in message


def test_tokens_and_tags_of_different_length_are_an_error(tmp_path):
    path = save(tmp_path / "test.jsonl", jsonl([{"tokens": ["a", "b"], "tags": ["O"]}]))
    assert f"{path}:1: 2 tokens but 1 tags" in said(only, path, load_ner)


NUMBERS = [{"tokens": ["Ada", "is", "here"], "tags": [3, 4, 0]}]
NAMES = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER", "B-ART", "I-ART")


def test_integer_tags_get_the_names_of_the_recipe(tmp_path):
    splits = only(save(tmp_path / "test.jsonl", jsonl(NUMBERS)), load_ner, label_names=NAMES)
    assert splits["test"]["tags"][0] == ["B-PER", "I-PER", "O"]


def test_named_types_keep_their_order_also_those_never_seen(tmp_path):
    splits = only(save(tmp_path / "test.jsonl", jsonl(NUMBERS)), load_ner, label_names=NAMES)
    assert splits.labels == ("LOC", "PER", "ART")


@pytest.mark.parametrize("tags", [[3, 4, 0], ["3", "4", "0"]])
def test_integer_tags_without_names_are_never_guessed(tmp_path, tags):
    path = save(tmp_path / "test.jsonl", jsonl([{**NUMBERS[0], "tags": tags}]))
    message = said(only, path, load_ner)
    assert f"{path}:1: " in message
    assert "data.label_names" in message


def test_a_tag_number_beyond_the_names_is_an_error(tmp_path):
    path = save(tmp_path / "test.jsonl", jsonl(NUMBERS))
    message = said(only, path, load_ner, label_names=("O", "B-LOC", "I-LOC"))
    assert f"{path}:1: label number 3 has no name" in message


@pytest.mark.parametrize(
    ("name", "content"),
    [("test.csv", "text,label\na,1\nb,0\n"), ("test.jsonl", jsonl([
        {"text": "a", "label": 1}, {"text": "b", "label": 0}]))],
)  # fmt: skip
def test_integer_classes_get_the_names_of_the_recipe_from_any_format(tmp_path, name, content):
    path = save(tmp_path / name, content)
    splits = only(path, load_classification, label_names=("pos", "neg"))
    assert list(splits["test"]["labels"]) == [["neg"], ["pos"]]
    assert splits.labels == ("pos", "neg")


def test_integer_classes_without_names_are_called_by_their_numbers(tmp_path):
    path = save(tmp_path / "test.jsonl", jsonl([{"text": "a", "label": 1}]))
    assert list(only(path, load_classification)["test"]["labels"]) == [["1"]]


def test_minus_one_and_null_are_no_labels(tmp_path):
    rows = [{"text": "a", "label": -1}, {"text": "b", "label": None}]
    path = save(tmp_path / "test.jsonl", jsonl(rows))
    assert list(only(path, load_classification)["test"]["labels"]) == [None, None]


def test_an_empty_label_is_an_error_with_its_line(tmp_path):
    path = save(tmp_path / "test.csv", "text,label\na,x\nb,\n")
    assert f"{path}:3: the label is empty" in said(only, path, load_classification)


def test_classes_are_in_the_recipes_order_else_sorted(tmp_path):
    path = save(tmp_path / "test.jsonl", jsonl(TEXTS))
    assert only(path, load_classification).labels == ("no", "on")
    declared = ("on", "off", "no")
    assert only(path, load_classification, classes=declared).labels == declared


def test_an_undeclared_class_is_an_error(tmp_path):
    path = save(tmp_path / "test.jsonl", jsonl(TEXTS))
    assert "the data has 'no', the recipe declares nope" in said(
        only, path, load_classification, classes=("nope", "on")
    )


def test_types_are_sorted_where_nothing_declares_them(tmp_path):
    assert only(save(tmp_path / "test.conll", conll()), load_ner).labels == ("LOC", "PER")


def test_several_labels_of_a_text_are_read_from_lists_and_fields(tmp_path):
    table_path = save(tmp_path / "test.csv", "text,label\na,x|y\nb,\n")
    list_path = save(tmp_path / "test.jsonl", jsonl([
        {"text": "a", "label": ["y", "x"]}, {"text": "b", "label": []}]))  # fmt: skip
    for path in (table_path, list_path):
        rows = only(path, load_classification, multi_label=True)["test"]
        assert list(rows["labels"]) == [["x", "y"], []]


def test_a_list_of_labels_for_a_single_label_task_is_explained(tmp_path):
    path = save(tmp_path / "test.jsonl", jsonl([{"text": "a", "label": ["y", "x"]}]))
    assert "task.multi_label=true" in said(only, path, load_classification)


def test_tags_of_any_scheme_are_loaded_as_iob2_and_repairs_are_counted(tmp_path):
    text = "Ada\tB-PER\nLovelace\tE-PER\nin\tO\nBath\tS-LOC\n\nYork\tE-LOC\n"
    path = save(tmp_path / "test.conll", text)
    assert f"{path}:6: word 1 ('York'): E-LOC breaks the scheme bioes" in said(only, path, load_ner)
    splits = only(path, load_ner, repair=True)
    assert list(splits["test"]["tags"]) == [["B-PER", "I-PER", "O", "B-LOC"], ["B-LOC"]]
    assert splits.losses["test"].tags_repaired == 1


def test_names_of_a_hub_data_set_are_those_of_its_tag_column():
    """conll2003 has named part-of-speech tags, chunks and entities, in this order."""
    named = [datasets.List(datasets.ClassLabel(names=n)) for n in (["NN", "VB"], ["O", "B-PER"])]
    features = datasets.Features(
        tokens=datasets.List(datasets.Value("string")), pos_tags=named[0], ner_tags=named[1]
    )
    names = label_names(features)
    assert declared_names(DataSection(source="x"), names) == ("O", "B-PER")
    pos = DataSection(source="x", columns={"tags": "pos_tags"})
    assert declared_names(pos, names) == ("NN", "VB")


# --- module:function ------------------------------------------------------------------------------

MODULE = """
def load():
    rows = [{"tokens": ["Ada", "here"], "tags": ["B-PER", "O"]}]
    return {"train": rows, "held": iter(rows)}

def wrong():
    return [1]
"""


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "my_own_rows.py", MODULE)
    yield "my_own_rows"
    sys.modules.pop("my_own_rows", None)


def test_a_function_beside_the_recipe_is_a_source(own_module):
    source = DataSection(source=f"{own_module}:load", splits={"test": "held", "train": None})
    splits = load_ner(source)
    assert list(splits) == ["test"]
    assert splits["test"]["words"][0] == ["Ada", "here"]
    assert splits.labels == ("PER",)


@pytest.mark.parametrize(
    ("function", "splits", "says"),
    [
        ("lod", {}, "cannot be imported"),
        ("wrong", {}, "must return a dict"),
        ("load", {"test": "tset"}, "has no split 'tset' (train, held)"),
    ],
)
def test_a_functions_faults_are_explained(own_module, function, splits, says):
    data = DataSection(source=f"{own_module}:{function}", splits=splits)
    assert says in said(load_ner, data)


def test_a_missing_module_is_explained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "cannot be imported" in said(open_source, DataSection(source="no_such_module_x:load"))
