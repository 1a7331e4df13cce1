"""Files as people really have them: each is read with the right counts, or refused by one line."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

Run = Callable[..., tuple[int, str, str]]

THREE = "Angela\tB-PER\nMerkel\tI-PER\nspoke\tO\n\nSiemens\tB-ORG\nhired\tO\n\nBonn\tB-LOC\n"
THREE_COUNTS = {"examples": 3, "words": 6, "entities": 3}


def gz(text: str) -> bytes:
    return gzip.compress(text.encode(), mtime=0)


def parquet(**columns: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def rows(*items: Any) -> str:
    return "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items)


def spans(text: str, *found: Any) -> str:
    return rows({"text": text, "spans": list(found)})


def span(start: Any, end: Any, label: str = "LOC", **more: Any) -> dict[str, Any]:
    return {"start": start, "end": end, "label": label, **more}


# name, content, options, what `nlpt inspect --json` counts in the split
READ: list[tuple[str, str | bytes, list[str], dict[str, Any]]] = [
    ("crlf.conll", THREE.replace("\n", "\r\n"), [], THREE_COUNTS),
    ("lone-cr.conll", THREE.replace("\n", "\r"), [], THREE_COUNTS),
    ("bom.conll", "\ufeff" + THREE, [], THREE_COUNTS),
    ("latin.conll", "Müller\tB-PER\n".encode("latin-1"), ["data.encoding=latin-1"],
     {"words": 1, "entities": 1}),
    ("wide.conll", THREE.encode("utf-16"), ["data.encoding=utf-16"], THREE_COUNTS),
    ("wider.conll", THREE.encode("utf-32"), ["data.encoding=utf-32"], THREE_COUNTS),
    ("tabs.csv", "text\tlabel\na b\tx\nc\ty\n", ["data.format=tsv"], {"examples": 2}),
    ("packed.conll.gz", gz(THREE), [], THREE_COUNTS),
    ("tab-lines.conll", THREE.replace("\n\n", "\n\t\n"), [], THREE_COUNTS),
    ("blank-lines.conll", "\n\n" + THREE.replace("\n\n", "\n   \n\n\n") + "\n\n", [], THREE_COUNTS),
    ("no-end.conll", "Bonn\tB-LOC", [], {"examples": 1, "entities": 1}),
    ("touching.conll", "Ajax\tB-ORG\nRome\tI-LOC\nwon\tO\n", [],
     {"entities": 2, "labels": {"LOC": 1, "ORG": 1}}),
    ("bioes.conll", "Ada\tB-PER\nL\tI-PER\nK\tE-PER\nin\tO\nRome\tS-LOC\n", [], {"entities": 2}),
    ("bilou.conll", "Ada\tB-PER\nL\tI-PER\nK\tL-PER\nin\tO\nRome\tU-LOC\n", [], {"entities": 2}),
    ("broken.conll", "a\tS-PER\nb\tI-PER\nc\tO\nd\tB-LOC\ne\tO\nf\tE-ORG\ng\tB-ORG\nh\tS-ORG\n",
     ["data.repair=true"], {"entities": 6}),
    ("lower.conll", "Ada\tb-per\nwrote\to\n", ["data.fold_case=true"], {"labels": {"per": 1}}),
    ("bare.conll", "Ada\tPER\nK\tPER\nin\tO\nRome\tLOC\n", ["data.scheme=io"], {"entities": 2}),
    ("inside-only.conll", "Ada\tI-PER\nin\tO\nRome\tI-LOC\n", [], {"entities": 2}),
    ("hyphens.conll", "War\tB-work-of-art\nPeace\tI-work-of-art\n", [],
     {"labels": {"work-of-art": 1}}),
    ("invisible.conll", "love\tO\n\ufe0f\tO\n\u200b\tO\nDub\ufeff\tB-PER\n\xa0\tO\n", [],
     {"words": 5, "entities": 1}),
    ("emoji.conll", "👩‍👧\tO\n🇩🇪\tB-LOC\n", [], {"words": 2, "entities": 1}),
    ("long-sentence.conll", "very\tO\n" * 4999 + "Rome\tB-LOC\n", [],
     {"examples": 1, "words": 5000, "entities": 1}),
    ("long-word.conll", "x" * 20000 + "\tB-URL\nends\tO\n", [], {"words": 2, "entities": 1}),
    ("closing.conll", "Ada\tB-PER\n\n-DOCSTART-\tO\n\nRome\tB-LOC\n\n-DOCSTART-\tO\n", [],
     {"examples": 2, "words": 2, "documents": 2}),
    ("opening.conll", "-DOCSTART- -X- O\n\nEU NNP B-ORG\n\nAda NNP B-PER\n\n-DOCSTART- -X- O\n\n"
     "Rome NNP B-LOC\n\n-DOCSTART- -X- O", [], {"examples": 3, "words": 3, "documents": 2}),
    ("hashes.conll", "# sent_id = 1\n# text = # is\n#\tO\nis\tO\n#Rome\tB-LOC\n", [],
     {"words": 3, "entities": 1}),
    ("first-word-is-one.conll", "1\tCD\tO\nAda\tNNP\tB-PER\n\n2\tCD\tO\nways\tNNS\tO\n", [],
     {"words": 4, "entities": 1}),
    ("numbered.conll", "# newdoc id = a\n1\tAda\tB-PER\t-\t-\n2\tspoke\tO\t-\t-\n", [],
     {"words": 2, "entities": 1, "documents": 1}),
    ("ranges.conllu", "1-2\tIm\t_\t_\n1\tIn\tin\tADP\n2\tdem\tder\tDET\n2.1\tist\t_\tAUX\n",
     ["data.columns={tokens: 1, tags: 3}", "data.scheme=none"],
     {"examples": 1, "words": 2, "entities": 0}),
    ("tag-first.conll", "O\tgo\nB-LOC\tRome\n", ["data.columns={tokens: 1, tags: 0}"],
     {"words": 2, "entities": 1}),
    ("semicolons.conll", "go;O\nRome;B-LOC\n", ["data.separator=;"], {"words": 2, "entities": 1}),
    ("all-outside.conll", "it\tO\nrained\tO\n", [], {"words": 2, "entities": 0}),
    ("numbers.jsonl", rows({"tokens": ["Ada", "spoke"], "ner_tags": [1, 0]}),
     ["data.label_names=[O, B-PER, I-PER]"], {"labels": {"PER": 1}}),
    ("no-words.jsonl", rows({"tokens": ["a"], "tags": ["O"]}, {"tokens": [], "tags": []}), [],
     {"examples": 1}),
    ("bom.jsonl", "\ufeff\n" + rows({"tokens": ["Ada"], "tags": ["B-PER"]}) + "\n\n", [],
     {"examples": 1, "entities": 1}),
    ("where.jsonl", rows({"tokens": ["Ada"], "tags": ["B-PER"], "where": "my own column"}), [],
     {"examples": 1}),
    ("list.json", json.dumps([{"tokens": ["Ada"], "tags": ["B-PER"]}] * 2, indent=1), [],
     {"examples": 2, "entities": 2}),
    ("blanks.jsonl", spans("in  Bonn  today", span(3, 10)), [], {"entities": 1}),
    ("nested.jsonl", spans("Bank of America paid", span(0, 15, "ORG"), span(8, 15)),
     ["data.overlapping=longest"], {"entities": 2, "labels": {"LOC": 1, "ORG": 1}}),
    ("inner.jsonl", spans("Berliners like it", span(0, 6)), ["data.misaligned=expand"],
     {"words": 3, "entities": 1}),
    ("utf16.jsonl", spans("😀😀 Bonn", span(5, 9, text="Bonn")), ["data.offsets=utf16"],
     {"entities": 1}),
    ("doccano.jsonl", rows({"text": "Ada in Rome", "label": [[0, 3, "PER"], [7, 11, "LOC"]]}), [],
     {"entities": 2}),
    ("rejected.jsonl", spans("Rome", span(0, 4)) + rows(
        {"text": "Rome", "spans": [], "answer": "reject"}), [], {"examples": 1}),
    ("numeric.csv", "text,label\n" + "".join(f"t{n},{n}\n" for n in range(12)), [],
     {"examples": 12, "labels": {str(n): 1 for n in range(12)}}),
    ("names.csv", "text,label\na,NA\nb,None\nc,pos\n", [],
     {"labels": {"NA": 1, "None": 1, "pos": 1}}),
    ("quoted.csv", 'text,label\n"one\ntwo",a\n"said ""no"", then",b\nc,a\n', [], {"examples": 3}),
    ("quotes.tsv", 'text\tlabel\n"unbalanced\ta\nsays "no"\tb\nc"\ta\nd\tb\n', [], {"examples": 4}),
    ("excel.csv", "\ufefftext,label\r\nfine,pos\r\nbad,neg\r\n", [],
     {"labels": {"neg": 1, "pos": 1}}),
    ("semicolons.csv", "text;label\na, b;x\nc;y\n", ["data.separator=;"], {"examples": 2}),
    ("headless.csv", "good film,pos\nbad film,neg\n",
     ["data.header=false", "data.columns={text: 0, label: 1}"], {"examples": 2}),
    ("gaps.csv", "text,label\n,a\nfine,a\nb,\nc,b\n", ["data.drop_missing=true"], {"examples": 2}),
    ("bools.jsonl", rows({"text": "a", "label": True}, {"text": "b", "label": False}), [],
     {"labels": {"false": 1, "true": 1}}),
    ("rare.csv", "text,label\n" + "a,x\nb,y\n" * 6 + "c,rare\n", [], {"examples": 13}),
    ("ints.parquet", parquet(text=["a", "b"], label=[0, 1]), [], {"labels": {"0": 1, "1": 1}}),
    ("dictionary.parquet", parquet(text=["a", "b"], label=pa.array(["p", "n"]).dictionary_encode()),
     [], {"labels": {"n": 1, "p": 1}}),
]  # fmt: skip

# name, content, options, what the one line on stderr says
REFUSED: list[tuple[str, str | bytes | None, list[str], str]] = [
    ("latin.conll", "Müller\tB-PER\n".encode("latin-1"), [], "byte 0xFC at offset 1 is not utf-8"),
    ("late.conll", THREE.encode() * 9000 + b"\xff\tO\n", [], f"offset {len(THREE) * 9000} is not"),
    ("wide.conll", THREE.encode("utf-16"), [], "looks like UTF-16 (byte order mark FF FE)"),
    ("wider.conll", THREE.encode("utf-32"), [], "looks like UTF-32 (byte order mark FF FE 00 00)"),
    ("semicolons.csv", "text;label\na;x\nb;y\n", [], "data.separator=';'"),
    ("tabs.csv", "text\tlabel\na\tx\nb\ty\n", [], "data.format=tsv"),
    ("mixed.conll", "Ada\tB-PER\nspoke O\n", [], "mixed.conll:2: the file is separated by tabs"),
    ("mixed2.conll", "Ada B-PER\nspoke\tO\n", [],
     "mixed2.conll:2: the file is separated by blanks"),
    ("short.conll", "Ada NNP B-PER\nspoke VBD\n", [], "short.conll:2: 'spoke VBD' has 2 column(s)"),
    ("no-tag.conll", "Ada\tB-PER\nspoke\t\n", [], "no-tag.conll:2"),
    ("broken.conll", "a\tS-PER\nb\tI-PER\n", [], "data.repair=true"),
    ("lower.conll", "Ada\tb-PER\n", [], "data.fold_case=true"),
    ("bare.conll", "Ada\tPER\nin\tO\n", [], "data.scheme=io"),
    ("told.conll", "Ada\tS-PER\n", ["data.scheme=iob2"], "does not belong to the scheme iob2"),
    ("typeless.conll", "Ada\tB-\n", [], "has no type"),
    ("wrong-column.iob2", "1\tAda\tB-PER\ts\n2\tspoke\tO\ts\n", ["data.columns.tags=3"], "'s'"),
    ("pos.conllu", "1\tAda\tAda\tPROPN\n2\tspoke\tspeak\tVERB\n", [], "is no IOB tag"),
    ("no-such-column.conll", THREE, ["data.columns.tags=7"], "none has the number 7"),
    ("empty.conll", "", [], "no example was found"),
    ("blank.conll", "\n \n# only = comments\n\n", [], "no example was found"),
    ("cut.conll.gz", gz(THREE * 50)[:-20], [], "not a whole gzip file"),
    ("plain.conll.gz", THREE, [], "not a whole gzip file"),
    ("nul.conll", "A\0da\tB-PER\n", [], "nul.conll:1: there is a NUL byte"),
    ("numbers.jsonl", rows({"tokens": ["Ada"], "tags": [1]}), [], "data.label_names=["),
    ("range.jsonl", rows({"tokens": ["Ada"], "tags": [7]}), ["data.label_names=[O, B-PER]"],
     "label number 7 has no name"),
    ("below.jsonl", rows({"tokens": ["Ada"], "tags": [-1]}), ["data.label_names=[O, B-PER]"],
     "label number -1 has no name"),
    ("uneven.jsonl", rows({"tokens": ["Ada"], "tags": []}), [], "1 tokens but 0 tags"),
    ("empty-token.jsonl", rows({"tokens": ["", "a"], "tags": ["O", "O"]}), [],
     "token 1 is an empty string"),
    ("null-token.jsonl", rows({"tokens": ["a", None], "tags": ["O", "O"]}), [], "token 2 is None"),
    ("broken.jsonl", rows({"tokens": ["a"], "tags": ["O"]}) + '{"tokens": ["b"\n', [],
     "broken.jsonl:2: this is not valid JSON"),
    ("twice.jsonl", '{"tokens": ["a"], "tags": ["O"], "tags": ["B-X"]}\n', [], "stands twice"),
    ("past-end.jsonl", spans("I saw Bonn", span(6, 99)), [], "past-end.jsonl:1"),
    ("overlap.jsonl", spans("Bank of America", span(0, 15, "ORG"), span(8, 15)), [],
     "data.overlapping=longest"),
    ("inner.jsonl", spans("Berliners like it", span(0, 6)), [], "data.misaligned=expand"),
    ("reversed.jsonl", spans("I saw Bonn", span(10, 6)), [], "reversed.jsonl:1"),
    ("empty-span.jsonl", spans("x", span(0, 0)), [], "empty-span.jsonl:1"),
    ("utf16.jsonl", spans("😀😀 Bonn", span(5, 9, text="Bonn")), [], "data.offsets=utf16"),
    ("half-offset.jsonl", spans("Bonn", span(0.5, 4)), [], "half-offset.jsonl:1"),
    ("empty-text.csv", "text,label\nfine,a\n   ,b\n", [], "empty-text.csv:3: the text is empty"),
    ("same-number.csv", "text,label\na,1\nb,1.0\nc,0\n", [], "mean the same number"),
    ("headless.csv", "good film,pos\nbad film,neg\n", [], "data.header=false"),
    ("other-names.csv", "sentence,mood\nfine,pos\n", [], "data.columns.label=COLUMN"),
    ("twice.csv", "text,label,label\na,x,y\n", [], "stands twice in the header"),
    ("newline-label.csv", 'text,label\na,"b\nc"\nd,e\n', [], "newline-label.csv:2: the label"),
    ("nul.csv", "text,label\na\0b,pos\n", [], "nul.csv:2: there is a NUL byte"),
    ("empty.csv", "", [], "no example was found"),
    ("one-class.csv", "text,label\na,pos\nb,pos\n", [], "at least 2"),
    ("nan.jsonl", '{"text": NaN, "label": "x"}\n', [], "nan.jsonl:1: the text is nan"),
    ("number.jsonl", rows({"text": 5, "label": "x"}), [], "number.jsonl:1: the text is 5"),
    ("fraction.jsonl", rows({"text": "a", "label": 0.5}), [], "the label is 0.5"),
    ("fake.parquet", "text,label\na,x\n", [], "not a Parquet file"),
    ("types.parquet", parquet(text=[1, 2], label=["a", "b"]), [], "row 0: the text is 1"),
    ("missing.csv", None, [], "there is no file"),
]  # fmt: skip


def task_of(name: str, content: str | bytes | None) -> str:
    if name.endswith((".csv", ".tsv", ".parquet")):
        return "classification"
    is_text = isinstance(content, str) and '"text"' in content and '"label":' in content
    return "classification" if is_text and "spans" not in content and "[[" not in content else "ner"


def inspected(
    nlpt: Run, folder: Path, name: str, content: str | bytes | None, options: list[str]
) -> tuple[int, str, str]:
    path = folder / name
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return nlpt("inspect", path, "--task", task_of(name, content), "--json", *options)


@pytest.mark.parametrize(("name", "content", "options", "counts"), READ, ids=lambda v: str(v)[:20])
def test_a_nasty_file_is_read_whole(nlpt, tmp_path, name, content, options, counts):
    code, out, err = inspected(nlpt, tmp_path, name, content, options)
    assert code == 0, err
    found = json.loads(out)["splits"]["train"]
    assert {key: found[key] for key in counts} == counts


@pytest.mark.parametrize(("name", "content", "options", "says"), REFUSED, ids=lambda v: str(v)[:20])
def test_a_faulty_file_is_refused_by_one_line(nlpt, tmp_path, name, content, options, says):
    code, out, err = inspected(nlpt, tmp_path, name, content, options)
    assert (code, out) == (2, ""), err
    assert len(err.strip().splitlines()) == 1, err
    assert err.startswith("error: ")
    assert name.split(".")[0] in err or "The " in err
    assert says in err


def test_numeric_classes_keep_the_order_of_their_numbers(nlpt, tmp_path):
    (tmp_path / "a.csv").write_text("text,label\n" + "".join(f"t{n},{n}\n" for n in range(12)))
    _, out, _ = nlpt("inspect", tmp_path / "a.csv", "--task", "classification", "--json")
    assert list(json.loads(out)["splits"]["train"]["labels"]) == [str(n) for n in range(12)]


def test_a_class_of_one_example_stays_in_train(tmp_path):
    from loading import load_classification

    from nlp_transfer.recipe import DataSection

    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "".join(f"t{n},{'xy'[n % 2]}\n" for n in range(40)) + "u,z\n")
    splits = load_classification(DataSection(source=str(path)))
    assert ["z"] in splits["train"]["labels"]
    assert sum(len(splits[name]) for name in splits) == 41


def test_a_json_document_of_splits_is_mapped_or_refused(nlpt, tmp_path):
    splits = {"oos_val": [["huh", "oos"]], "train": [["hi", "greet"], ["bye", "part"]],
              "val": [["hello", "greet"]], "oos_train": [["xx", "oos"]]}  # fmt: skip
    path = tmp_path / "data_full.json"
    path.write_text(json.dumps(splits))
    columns = "data.columns={text: 0, label: 1}"
    ask = ("inspect", path, "--task", "classification", "--json", columns)
    code, _, err = nlpt(*ask)
    assert code == 2
    assert "oos_val" in err
    code, out, err = nlpt(*ask, "data.splits={train: train+oos_train, validation: val+oos_val}")
    assert code == 0, err
    found = json.loads(out)["splits"]
    assert found["train"]["labels"] == {"greet": 1, "oos": 1, "part": 1}
    assert found["validation"]["examples"] == 2
