"""`nlpt inspect` as a user types it: what the data doctor finds in small files, and what not."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from nlp_transfer.data.sources.choosing import split_of

Run = Callable[..., tuple[int, str, str]]
Find = Callable[..., dict[str, Any]]


@pytest.fixture
def nlpt(nlpt: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run `nlpt inspect` in an empty folder; return exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    return partial(nlpt, "inspect")


@pytest.fixture
def inspect(nlpt: Run) -> Find:
    """Write files, inspect them, and return the JSON object."""

    def run(task: str, files: dict[str, str | bytes], *arguments: str) -> dict[str, Any]:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode("utf-8")
            Path(name).write_bytes(data)
        code, out, err = nlpt(*files, "--task", task, "--json", *arguments)
        assert code == 0, err
        result: dict[str, Any] = json.loads(out)
        return result

    return run


def conll(*sentences: str) -> str:
    """Write sentences of "word/TAG" items; a bare word is O."""
    return "".join(
        "".join(
            f"{word}\t{tag or 'O'}\n"
            for word, _, tag in (item.partition("/") for item in sentence.split(" ") if item)
        )
        + "\n"
        for sentence in sentences
    )


def table(*rows: str) -> str:
    """Write a CSV file of "text,label" lines."""
    return "\n".join(["text,label", *rows, ""])


CLEAN_NER = conll(
    "Ada/B-PER left Rome/B-LOC .", "Alan/B-PER Turing/I-PER left Paris/B-LOC .",
    "Nothing happened here .", "Grace/B-PER saw Oslo/B-LOC .", "Zoë/B-PER saw Bonn/B-LOC .",
    "Émile/B-PER saw New/B-LOC York/I-LOC .", "Li/B-PER waved ❤️ .",
)  # fmt: skip
CLEAN_TEXTS = table(*(f"this text number {i} is fine,{'ab'[i % 2]}" for i in range(24)))


def only(result: dict[str, Any], code: str) -> dict[str, Any]:
    """Return the one finding of a code."""
    found = [finding for finding in result["findings"] if finding["code"] == code]
    assert len(found) == 1, [finding["code"] for finding in result["findings"]]
    return found[0]


def codes(result: dict[str, Any]) -> set[str]:
    return {finding["code"] for finding in result["findings"]}


NER_CASES: dict[str, tuple[str, str, int, str, str]] = {
    # code: (content, severity, count, in the message, in an example)
    "duplicates": (conll("A/B-X b", "c d", "A/B-X b"), "warning", 1, "1 of 3", "train.conll:1"),
    "duplicates_hidden": (conll("A/B-X b", "a/B-X B"), "warning", 1, "but for case", ":1"),
    "conflicting_labels": (conll("Bonn/B-LOC b", "Bonn/B-ORG b"), "warning", 1, "tags", "B-LOC"),
    "inconsistent_types": (
        conll("Bonn/B-LOC one", "Bonn/B-ORG two", "Bonn/B-ORG"), "warning", 1, "1 of 3", "LOC 1",
    ),
    "missed_annotations": (
        conll("New/B-LOC York/I-LOC a", "New/B-LOC York/I-LOC b", "c New York", "New York d"),
        "info", 1, "2 times", "outside 2",
    ),
    "entities_of_punctuation": (conll("A/B-X ./B-X 😍/B-X"), "warning", 1, "only", '"." X'),
    "punctuation_at_edges": (
        conll("Ada/B-X ,/I-X left", "UN/B-X (/I-X NY/I-X )/I-X"), "info", 1, "punctuation",
        '"Ada ,"',
    ),
    "long_entities": (conll("w/B-X" + " w/I-X" * 10), "info", 1, "more than 10 words", "w w"),
    "adjacent_entities": (conll("Ada/B-X Zoë/B-X"), "info", 1, "same type", '"Ada Zoë"'),
    "hidden_words": (conll("A/B-X \ufe0f", "\u200b b"), "warning", 2, "cannot be seen", "\\ufe0f"),
    "hidden_characters": (conll("A\u200bc/B-X b"), "warning", 1, "cannot be seen", "\\u200b"),
    "inner_blanks": (conll("a\u00a0b/B-X c"), "warning", 1, "white space inside", "\\xa0"),
    "replacement_character": (conll("a\ufffdb/B-X"), "warning", 1, "U+FFFD", "a"),
    "mojibake": (conll("ZoÃ«/B-X donâ€™t"), "warning", 2, "another encoding", "ZoÃ«"),
    "markup": (conll("A/B-X &amp; b < c"), "info", 1, "HTML", "&amp;"),
    "long_words": (conll("A/B-X " + "w" * 101), "info", 1, "100 characters", "www"),
    "long_sentences": (conll("A/B-X " + "w " * 501), "info", 1, "more than 500", "502 words"),
    "one_word_sentences": (conll("A/B-X", "b c"), "info", 1, "1 of 2", "A"),
    "rare_labels": (conll("A/B-X b/B-Y"), "info", 2, "X (1), Y (1)", ""),
    "imbalance": (conll("a/B-Y " + "b/B-X " * 20), "info", 1, "20 times", ""),
    "labels_alike": (conll("A/B-PER b/B-per"), "warning", 1, '"PER" / "per"', ""),
    "no_entities": (conll("all outside here"), "error", 1, "undefined", ""),
    "tags_repaired": (conll("A/B-X b c/I-Y d/I-X"), "warning", 2, "2 tags", ""),
    "file_crlf": (conll("A/B-X b").replace("\n", "\r\n"), "info", 3, "CRLF", ""),
    "file_mixed_line_ends": ("A\tB-X\r\nb\tO\n\nc\tO\n", "info", 1, "1 CRLF, 3 LF", ""),
    "file_byte_order_mark": ("\ufeffA\tB-X\n", "info", 1, "byte order mark", "EF BB BF"),
    "file_white_lines": ("A\tB-X\n\t\nb\tO\n  \nc\tO\n", "info", 2, "(1 of one tab)", "\\t"),
    "file_trailing_blank_lines": ("A\tB-X\n\n\n", "info", 2, "2 blank lines", ""),
    "file_comments": ("# id 1\nA\tB-X\n#\tO\n", "info", 1, "1 comment line", "# id 1"),
}  # fmt: skip
TEXT_CASES: dict[str, tuple[str, str, int, str, str]] = {
    "duplicates": (table("ok,a", "no,b", "ok,a"), "warning", 1, "1 of 3 texts repeats", ":2"),
    "duplicates_hidden": (
        table("so  it is,a", "no,b", "so it is ,a", "So it is,a", "ｓo it is,a", "so it is,b"),
        "warning", 3,
        "case or white space (1 for white space", ":2",
    ),
    "conflicting_labels": (table("good,a", "Good,b"), "warning", 1, "different labels", "a at "),
    "rare_labels": (table("x,a", "y,b"), "info", 2, "fewer than 5", ""),
    "singleton_classes": (table("x,a", "y,b", "z,b"), "warning", 1, ": a", ""),
    "imbalance": (table("x,a", *(f"y{i},b" for i in range(10))), "warning", 1, "b is 10", ""),
    "labels_alike": (table("x,Spam", "y,spam"), "warning", 1, '"Spam" / "spam"', ""),
    "labels_unusual": (table("x,why?", "y,fine_one"), "info", 1, '"why?"', ""),
    "sorted_by_label": (
        table(*(f"t{i},a" for i in range(20)), *(f"u{i},b" for i in range(20))), "info", 1,
        "1 time in 40", "a",
    ),
    "outer_blanks": (table("x ,a", "y,b"), "info", 1, "white space", '"x "'),
    "line_breaks": (table('"x\ny",a', "y,b"), "info", 1, "line break", "x\\ny"),
    "empty_texts": (table("?!,a", "👍,b"), "warning", 1, "without a letter", "?!"),
    "long_texts": (table("w " * 501 + ",a", "y,b"), "info", 1, "500 words", "w w"),
    "hidden_characters": (table("x\u200by,a", "y,b"), "warning", 1, "cannot be seen", "\\u200b"),
    "replacement_character": (table("x\ufffdy,a", "y,b"), "warning", 1, "U+FFFD", ""),
    "mojibake": (table("cafÃ©,a", "y,b"), "warning", 1, "another encoding", "cafÃ©"),
    "markup": (table("x<br>y,a", "a < b > c,b"), "info", 1, "HTML", "<br>"),
    "file_crlf": (CLEAN_TEXTS.replace("\n", "\r\n"), "info", 25, "CRLF", ""),
}  # fmt: skip


def check(finding: dict[str, Any], expected: tuple[str, str, int, str, str]) -> None:
    _, severity, count, message, example = expected
    assert set(finding) == {"code", "severity", "split", "count", "message", "examples", "fix"}
    assert (finding["severity"], finding["count"]) == (severity, count), finding
    assert message in finding["message"]
    assert finding["fix"]
    assert len(finding["examples"]) <= 5
    if example:
        assert example in " ".join(f"{e['where']} {e['text']}" for e in finding["examples"])


@pytest.mark.parametrize("code", NER_CASES)
def test_every_fault_of_tagged_sentences_is_found(inspect: Find, code: str) -> None:
    result = inspect("ner", {"train.conll": NER_CASES[code][0]})
    check(only(result, code), NER_CASES[code])


@pytest.mark.parametrize("code", TEXT_CASES)
def test_every_fault_of_texts_is_found(inspect: Find, code: str) -> None:
    result = inspect("classification", {"train.csv": TEXT_CASES[code][0]})
    check(only(result, code), TEXT_CASES[code])


def test_clean_files_give_no_warning(inspect: Find) -> None:
    for task, name, content in (
        ("ner", "a.conll", CLEAN_NER),
        ("classification", "a.csv", CLEAN_TEXTS),
    ):
        found = inspect(task, {name: content})["findings"]
        assert [f for f in found if f["severity"] != "info"] == []


def test_sizes_count_what_the_splits_hold(inspect: Find) -> None:
    result = inspect("ner", {"x.conll": CLEAN_NER}, "task.types=[PER,LOC,ORG]")
    train = result["splits"]["train"]
    assert (result["schema"], result["task"], list(result["splits"])) == (1, "ner", ["train"])
    assert (train["examples"], train["words"], train["entities"]) == (7, 30, 11)
    assert train["labels"] == {"PER": 6, "LOC": 5, "ORG": 0}
    assert train["lengths"]["words"] == {"median": 4, "p95": 5, "max": 5}
    assert train["losses"]["tags_repaired"] == 0
    assert "pieces" not in result
    assert only(result, "labels_unused")["count"] == 1


def test_documents_are_counted_as_runs(inspect: Find) -> None:
    rows = [{"tokens": ["a"], "tags": ["B-X"], "doc": d} for d in ("p", "p", "q")]
    text = "\n".join(map(json.dumps, rows))
    result = inspect("ner", {"a.jsonl": text}, "data.columns.document=doc")
    assert result["splits"]["train"]["documents"] == 2


def test_ids_that_occur_twice_are_named(inspect: Find) -> None:
    rows = [{"id": i, "tokens": ["Ada", str(n)], "tags": ["B-X", "O"]} for n, i in enumerate("112")]
    result = inspect("ner", {"a.jsonl": "\n".join(map(json.dumps, rows))})
    finding = only(result, "duplicate_ids")
    assert (finding["severity"], finding["message"]) == ("warning", "id 1 occurs 2 times")


def test_leaks_between_splits_are_found_exact_and_hidden(inspect: Find) -> None:
    files = {
        "train.csv": table("good film,a", "bad film,b", "long film,b"),
        "dev.csv": table("one film,a", "BAD film ,b"),
        "test.csv": table("good film,a", "one film,a"),
    }
    result = inspect("classification", files)
    exact, hidden = only(result, "leakage_train"), only(result, "leakage_train_hidden")
    assert (exact["split"], exact["message"]) == ("test", "1 of 2 test texts is in train")
    assert exact["examples"][0]["where"].endswith("test.csv:2")
    assert "train.csv:2" in exact["examples"][0]["text"]
    assert (hidden["split"], hidden["count"]) == ("validation", 1)
    assert only(result, "leakage_validation")["message"] == "1 of 2 test texts is in validation"


def test_labels_and_tags_that_train_lacks_are_found(inspect: Find) -> None:
    files = {
        "train.conll": conll("Bonn/B-LOC is here"),
        "test.conll": conll("New/B-LOC York/I-LOC is not", "UN/B-ORG fell"),
    }
    result = inspect("ner", files)
    unseen, tags = only(result, "labels_unseen_in_train"), only(result, "tags_unseen_in_train")
    assert (unseen["severity"], unseen["split"], unseen["count"]) == ("warning", "test", 1)
    assert "ORG (1)" in unseen["message"]
    assert (tags["severity"], tags["message"]) == ("info", "I-LOC (1) does not occur in train")


def test_conflicts_across_splits_name_both_places(inspect: Find) -> None:
    files = {"train.csv": table("good,a", "x,b"), "test.csv": table("y,a", "good,b")}
    finding = only(inspect("classification", files), "conflicting_labels_across")
    assert finding["split"] is None
    assert finding["examples"][0]["where"].endswith("test.csv:3")
    assert "train.csv:2" in finding["examples"][0]["text"]


def test_a_test_split_without_entities_is_a_warning(inspect: Find) -> None:
    result = inspect("ner", {"train.conll": CLEAN_NER, "test.conll": conll("nobody here")})
    finding = only(result, "no_entities")
    assert (finding["severity"], finding["split"]) == ("warning", "test")


def test_spans_that_were_trimmed_or_widened_are_counted(inspect: Find) -> None:
    rows = [
        {"text": "in Bonn today", "spans": [{"start": 2, "end": 7, "label": "LOC"}]},
        {"text": "two Berliners", "spans": [{"start": 4, "end": 10, "label": "LOC"}]},
        {"text": "one Berliner", "spans": [{"start": 4, "end": 10, "label": "LOC"}]},
    ]
    text = "\n".join(map(json.dumps, rows))
    widened = inspect("ner", {"a.jsonl": text}, "data.misaligned=expand")
    assert only(widened, "spans_trimmed")["count"] == 1
    assert only(widened, "spans_expanded")["count"] == 2
    dropped = inspect("ner", {"a.jsonl": text}, "data.misaligned=drop")
    assert only(dropped, "entities_dropped")["count"] == 2
    assert dropped["splits"]["train"]["entities"] == 3
    assert dropped["splits"]["train"]["labels"] == {"LOC": 3}


def test_rows_left_out_are_counted(inspect: Find) -> None:
    result = inspect(
        "classification", {"a.csv": table("x,a", ",b", "y,b")}, "data.drop_missing=true"
    )
    finding = only(result, "examples_dropped")
    assert (finding["severity"], finding["count"]) == ("warning", 1)


def test_texts_without_a_label_are_counted(inspect: Find) -> None:
    rows = [{"text": f"t{i}", "label": "ab"[i % 2]} for i in range(4)]
    blank = [{"text": "u", "label": -1}, {"text": "v", "label": None}]
    files = {
        "train.jsonl": "\n".join(map(json.dumps, rows)),
        "test.jsonl": "\n".join(map(json.dumps, blank)),
    }
    finding = only(inspect("classification", files), "unlabelled")
    assert (finding["severity"], finding["split"], finding["count"]) == ("warning", "test", 2)


def test_texts_still_in_their_quotes_are_found(inspect: Find) -> None:
    text = 'text\tlabel\n"he said ""no"""\ta\nplain "x" words\tb\n'
    result = inspect("classification", {"a.tsv": text})
    assert "data.quoted=true" in only(result, "quoted_texts")["fix"]
    few = inspect("classification", {"a.tsv": 'text\tlabel\n"no"\ta\nyes\tb\n"so" "it"\tb\n'})
    assert "quoted_texts" not in codes(few)


def test_multi_label_texts_and_gzip_files_are_read(inspect: Find) -> None:
    packed = gzip.compress(b"\xef\xbb\xbftext,label\r\nx,a|b\r\ny,\r\nz,b\r\n")
    result = inspect("classification", {"a.csv.gz": packed}, "task.multi_label=true")
    assert result["splits"]["train"]["labels"] == {"a": 1, "b": 2}
    assert {"file_crlf", "file_byte_order_mark"} <= codes(result)


def test_the_tokenizer_of_an_override_counts_pieces_and_what_others_cut(
    inspect: Find, checkpoint: Callable[..., Path]
) -> None:
    text = conll("Ada/B-PER " + "left " * 60 + "Rome/B-LOC", "Grace/B-PER 漢 \ufe0f left")
    cased = [f"model.checkpoint={checkpoint('bert')}", "model.max_pieces=32", "model.overlap=4"]
    result = inspect("ner", {"a.conll": text}, *cased)
    pieces = result["pieces"]["splits"]["train"]
    assert result["pieces"]["uncased"] is False
    assert pieces["pieces_per_word"] >= 1
    assert pieces["longest"] >= 62
    assert pieces["words_beyond_first_window"] >= 32
    assert pieces["entities_beyond_first_window"] == 1
    assert only(result, "long_examples")["severity"] == "info"
    assert only(result, "unknown_words")["severity"] == "warning"
    assert '"漢"' in {example["text"] for example in only(result, "unknown_words")["examples"]}
    uncased = inspect("ner", {"a.conll": text}, f"model.checkpoint={checkpoint('electra')}")
    assert only(uncased, "words_without_pieces")["count"] == 1
    assert only(uncased, "uncased_checkpoint")["severity"] == "warning"


def test_texts_that_will_be_cut_are_a_warning(
    inspect: Find, checkpoint: Callable[..., Path]
) -> None:
    text = table("refund my money " * 20 + ",a", "x,b")
    options = [f"model.checkpoint={checkpoint('bert')}", "model.max_pieces=32"]
    result = inspect("classification", {"a.csv": text}, *options, "task.long_texts=truncate")
    assert only(result, "long_examples")["severity"] == "warning"


def test_a_recipe_is_inspected_with_its_checkpoint_and_nothing_is_split_off(
    nlpt: Run, tiny_recipe: Callable[..., Path]
) -> None:
    recipe = tiny_recipe("ner")
    code, out, _ = nlpt("--recipe", recipe, "--json")
    result = json.loads(out)
    assert code == 0
    assert list(result["splits"]) == ["train", "validation", "test"]
    assert result["pieces"]["splits"]["train"]["examples_in_several_windows"] == 1
    code, out, _ = nlpt("-r", recipe, "data.splits={validation: null}", "--json")
    result = json.loads(out)
    assert "split off from train" in only(result, "no_validation")["message"]
    assert result["splits"]["train"]["examples"] == 48


def test_the_terminal_shows_sizes_labels_and_findings(nlpt: Run) -> None:
    Path("train.csv").write_text(table("ok,a", "no,b", "ok,a", "[red]x,b"), encoding="utf-8")
    code, out, err = nlpt("train.csv", "--task", "classification")
    assert (code, err) == (0, "")
    assert "1 of 4 texts repeats an earlier one" in out
    assert 'train.csv:4  same as train.csv:2: "ok"' in out
    assert "1 warning, " in out


def test_findings_are_counted_as_they_are_shown(nlpt: Run) -> None:
    """One kind of finding in three splits is one row, and one warning."""
    names = ("train.csv", "validation.csv", "test.csv")
    for name in names:
        Path(name).write_text(table(*(f"{name} ?\u200b{i},{'ab'[i % 2]}" for i in range(12))))
    _, out, _ = nlpt(*names, "--task", "classification", "--markdown", "page.md")
    assert out.count("warning ") == 1
    page = Path("page.md").read_text("utf-8")
    for shown in (out, page):
        assert "1 warning, 0 for your information" in shown
    assert page.count("### warning, train, validation, test: hidden characters") == 1
    assert "test: 12 texts with characters" in page
    code, _, err = nlpt(*names, "--task", "classification", "--fail-on", "warning")
    assert (code, "1 finding of severity" in err) == (2, True)


LOOK_ALIKES = {
    "composed": ("caf\u00e9", "cafe\u0301"),
    "invisible": ("spam", "sp\u200bam"),
    "soft hyphen": ("spam", "sp\u00adam"),
    "width": ("spam", "\uff53pam"),
    "filler": ("spam", "spam\u3164"),
    "blanks": ("a b", "a\u00a0b"),
}


@pytest.mark.parametrize("pair", LOOK_ALIKES.values(), ids=LOOK_ALIKES)
def test_labels_that_look_the_same_are_one_finding_that_says_what_is_done(
    inspect: Find, pair: tuple[str, str]
) -> None:
    rows = [f"text {i} here,{pair[i % 2]}" for i in range(12)]
    result = inspect("classification", {"train.csv": table(*rows)})
    finding = only(result, "labels_alike")
    assert finding["count"] == 1
    assert "learned as different" in finding["fix"]
    first, second = finding["message"].split(": ")[1].split(" / ")
    assert first != second
    assert result["splits"]["train"]["labels"] == dict.fromkeys(pair, 6)


def test_vowel_signs_and_accents_tell_labels_apart(inspect: Find) -> None:
    rows = [f"text {i} here,{('की', 'को', 'cote', 'coté')[i % 4]}" for i in range(20)]
    assert not codes(inspect("classification", {"train.csv": table(*rows)})) & {
        "labels_alike", "labels_unusual"}  # fmt: skip


@pytest.mark.parametrize("mark", ["|", ";"])
def test_several_labels_in_a_field_name_the_option_that_reads_them(
    inspect: Find, nlpt: Run, mark: str
) -> None:
    """Also where some texts have none: following the advice loses no row."""
    cells = ["joy", f"joy{mark}fear", "", "fear"]
    Path("train.csv").write_text(table(*(f"t{i},{cells[i % 4]}" for i in range(24))))
    code, _, err = nlpt("train.csv", "--task", "classification")
    assert code == 2
    assert err.index("task.multi_label=true") < err.index("data.drop_missing=true")
    content = {"train.csv": Path("train.csv").read_bytes()}
    dropped = inspect("classification", content, "data.drop_missing=true")
    finding = only(dropped, "labels_joined")
    assert f"joy{mark}fear" in finding["message"]
    advised = [part.replace("'", "") for part in finding["fix"].split(": ")[1].split()]
    read = inspect("classification", content, *advised)
    assert read["splits"]["train"]["examples"] == 24
    assert read["splits"]["train"]["labels"] == {"fear": 12, "joy": 12}
    assert "labels_joined" not in codes(read)
    assert "task.multi_label" in only(dropped, "examples_dropped")["fix"]


def test_a_markdown_page_lists_every_example(nlpt: Run) -> None:
    Path("train.csv").write_text(table("o|k<b>,a", "no,b", "o|k<b>,a"), encoding="utf-8")
    code, _, _ = nlpt("train.csv", "--task", "classification", "--markdown", "page.md")
    page = Path("page.md").read_text("utf-8")
    assert code == 0
    assert page.startswith("# Data inspection")
    assert "### warning, train: duplicates" in page
    assert "`train.csv:4`" in page
    assert "<b>" not in page


@pytest.mark.parametrize(
    ("content", "fail_on", "expected"),
    [
        (table("ok,a", "no,b", "ok,a"), "warning", 2),
        (table("ok,a", "no,b", "ok,a"), "error", 0),
        (CLEAN_TEXTS, "warning", 0),
    ],
)
def test_fail_on_decides_the_exit_code(
    nlpt: Run, content: str, fail_on: str, expected: int
) -> None:
    Path("train.csv").write_text(content, encoding="utf-8")
    code, out, err = nlpt("train.csv", "--task", "classification", "--fail-on", fail_on, "--json")
    assert code == expected
    assert json.loads(out)["schema"] == 1
    assert ("of severity warning or above; see above" in err) == (expected == 2)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["missing.conll", "--task", "ner"], "there is no file or folder"),
        (["missing.conll", "train.conll", "--task", "ner"], "missing.conll is no file"),
        (["train.conll"], "--task ner"),
        ([], "--recipe"),
        (["train.conll", "--recipe", "quickstart-ner"], "not both"),
        (["--recipe", "quickstart-ner", "--task", "ner"], "--task goes with files"),
        (["train.conll", "--task", "ner", "--fail-on", "info"], "--fail-on"),
        (["train.conll", "--task", "pos"], "--task"),
        (["train.conll", "--task", "ner", "--markdown", "no/page.md"], "does not exist"),
        (["train.conll", "other.conll", "--task", "ner"], "data.splits"),
        (["train.conll", "--task", "ner", "task.typs=[X]"], "Did you mean 'types'"),
        (["train.conll", "--task", "ner", "data.encoding=latin-99"], "latin-99"),
    ],
)
def test_bad_input_ends_in_one_message_and_exit_2(
    nlpt: Run, arguments: list[str], expected: str
) -> None:
    for name in ("train.conll", "other.conll"):
        Path(name).write_text(CLEAN_NER, encoding="utf-8")
    code, out, err = nlpt(*arguments)
    assert (code, out) == (2, "")
    assert expected in err
    assert "Traceback" not in err


def test_overrides_are_told_from_files(nlpt: Run) -> None:
    Path("a=b.conll").write_bytes("Zoë\tB-PER\n".encode("latin-1"))
    code, out, _ = nlpt("a=b.conll", "data.encoding=latin-1", "--task", "ner", "--json")
    assert code == 0
    assert json.loads(out)["splits"]["train"]["entities"] == 1


def test_files_are_matched_to_splits_by_the_last_split_word() -> None:
    names = {
        "wnut17train.conll": "train", "emerging.dev.conll": "validation", "notes.txt": "train",
        "emerging.test.annotated": "test", "train-dev.csv": "validation", "devel.tsv": "validation",
    }  # fmt: skip
    assert {name: split_of(name) for name in names} == names


def test_files_without_train_show_the_splits_they_are(inspect: Find) -> None:
    result = inspect("ner", {"dev.conll": CLEAN_NER, "test.conll": conll("Li/B-PER waved ❤️ .")})
    assert list(result["splits"]) == ["validation", "test"]
    assert only(result, "leakage_validation")["count"] == 1


def test_a_copy_with_another_label_is_a_conflict_and_no_copy(inspect: Find) -> None:
    result = inspect("classification", {"a.csv": table("x,a", "y,b", "x,b", "x,b")})
    assert only(result, "conflicting_labels")["count"] == 1
    assert only(result, "duplicates")["count"] == 1  # the fourth repeats the third
