"""Raw text becomes words: by Unicode's rules in every script, as the data has them, and in time."""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import regex
from damaging import made_by_hand
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_transfer import Predictor, finetune, load_recipe
from nlp_transfer.data.raw_words import measure
from nlp_transfer.data.samples import sample_folder
from nlp_transfer.data.spans import read_spans, to_words
from nlp_transfer.data.words import split_words
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection, WordRule

pytestmark = pytest.mark.usefixtures("one_thread")

Run = Callable[..., tuple[int, str, str]]
RULES = ("unicode", "treebank", "blanks", "characters")

# What stood here before: for text without marks, joiners and scripts without blanks it was right.
LATIN = re.compile(
    r"""
      https?://\S+ | [\w.+-]+@[\w-]+\.[\w.]+
    | [@\#]\w+
    | (?:[^\W\d_]\.){2,}(?:-\w+)*
    | (?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|Col|Gen|Sgt|Capt|Lt|Rev|Inc|Ltd|Co|Corp|vs)\.
    | [^\W\d_]\.(?=\s+[^\W\d_])
    | \d+(?:[.,:/-]\d+)*(?:%|\w+)?(?:-\w+)*
    | ['’]s(?!\w)
    | \w+(?:[-./&]\w+|['’](?!s(?!\w))\w+)*
    | \.\.\. | -- | [^\w\s]
    """,
    re.VERBOSE,
)


def words(text: str, rule: WordRule = "unicode") -> list[str]:
    return [word.text for word in split_words(text, rule)]


def write_conll(path: Path, sentences: list[str]) -> None:
    """Write sentences of word/TAG items."""
    lines = ["\n".join(item.replace("/", "\t") for item in s.split()) for s in sentences]
    path.write_text("\n\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    "text",
    [
        "दिल्ली में अनिल शर्मा", "বাংলাদেশ ঢাকা", "தமிழ்நாடு சென்னை", "తెలుగు", "മലയാളം", "ਪੰਜਾਬੀ ਗੁਰਮੁਖੀ",
        "اَلْعَرَبِيَّةُ مُحَمَّدٌ", "شָלוֹם יְרוּשָׁלַיִם".replace("ش", "ש"), "צה״ל צה\"ל ג׳ירפה", "می‌خواهم می‌رود",
        "Zu\u0308rich Sa\u0303o A\u030angstro\u0308m", "Zusammen\u00adarbeit", "co\u2060operate",
        "👨‍👩‍👧 👍🏽 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ❤️ 🧑🏿‍🚀", "🇩🇪 🇫🇷", "1️⃣ #️⃣ *️⃣", "col·lecció", "O‘zbekiston",
        "Việt Na\u0323m", "১২৩ ٣٫١٤ ५००", "한국어 한국어", "ქართული", "አማርኛ", "m² 10³",
    ],
)  # fmt: skip
def test_a_word_of_any_script_stays_whole(text):
    assert words(text) == text.split()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("我爱北京。", "我 爱 北 京 。"),
        ("東京タワーへ", "東 京 タ ワ ー へ"),
        ("ﾄﾖﾀ ガギ", "ﾄ ﾖ ﾀ ガ ギ"),
        ("iPhone手机2020年", "iPhone 手 机 2020 年"),
        ("看https://a.b/c，好", "看 https://a.b/c ， 好"),
        ("#北京 @张三x", "# 北 京 @ 张 三 x"),
        ("ที่นี่ นำ ๒๕๖๓", "ที่ นี่ นำ ๒๕๖๓"),
        ("ລາວ", "ລ າ ວ"),
        ("ភ្នំពេញ", "ភ្នំ ពេ ញ"),
        ("တက္ကသိုလ်", "တ က္က သို လ်"),
        ("🇩🇪🇫🇷1️⃣2️⃣", "🇩🇪 🇫🇷 1️⃣ 2️⃣"),
        ("(दिल्ली), राम।", "( दिल्ली ) , राम ।"),
    ],
)
def test_scripts_without_blanks_are_split_between_characters(text, expected):
    assert words(text) == expected.split()


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        ("unicode", "I don't know Al-Sadr's 3.5% !!!", "I don't know Al-Sadr 's 3.5% ! ! !"),
        ("treebank", "I'm sure, Al-Sadr's !!! :)", "I 'm sure , Al - Sadr 's !!! :)"),
        ("treebank", "can't we'll U.S.-led", "ca n't we 'll U.S. - led"),
        ("blanks", "don't , 北京。 a\u200bb", "don't , 北京。 a\u200bb"),
        ("characters", "at 北京 ที่", "a t 北 京 ที่"),
    ],
)  # fmt: skip
def test_each_rule_splits_as_it_says(rule, text, expected):
    assert words(text, rule) == expected.split()


def test_the_words_of_the_embedded_corpus_are_split_as_before():
    for file in sorted((sample_folder("samples/newsroom")).glob("*.conll")):
        for block in file.read_text("utf-8").split("\n\n"):
            lines = [line for line in block.split("\n") if line and not line.startswith("# ")]
            text = " ".join(line.split("\t")[0] for line in lines)
            assert words(text) == LATIN.findall(text) == text.split()


@given(
    text=st.text(
        st.one_of(st.characters(max_codepoint=126), st.sampled_from("'.-@# \nsS1éß€’—ΩЖ²½")),
        max_size=60,
    )
)
@settings(deadline=None, max_examples=300)
def test_text_without_marks_is_split_as_before(text):
    assert words(text) == LATIN.findall(text)


ANY = st.text(
    st.one_of(
        st.sampled_from("aA1.'’-@#&:/\"·\n\x1c\u3000 \u00a0"),
        st.sampled_from("\u0301\u094d\u093f\u0e33\u0e35\u17d2\u1039\u200b\u200c\u200d\u200f\u00ad\ufe0f\ufeff"),
        st.sampled_from("कตກខကא北あア한🇩👍🏽👨❤\u20e3\u0600\u070f\u06dd。，"),
        st.characters(),
    ),
    max_size=40,
)  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
@given(text=ANY)
@settings(deadline=None, max_examples=200)
def test_every_character_but_white_space_is_in_one_word_of_every_rule(rule, text):
    held = [0] * len(text)
    for word in split_words(text, rule):
        assert text[word.start : word.end] == word.text != ""
        for index in range(word.start, word.end):
            held[index] += 1
    assert held == [int(not char.isspace()) for char in text]


CHARACTERS = [
    "a", "क्ष", "षि", "u\u0308", "ת\u05b8", "ที่", "ក្រ", "ញ", "北", "か\u3099", "👨\u200d", "👩🏽",
    "🇩", "🇪🇫", "❤\ufe0f", "1\ufe0f\u20e3", "1", "\u06001", ".", "-", "'", "@", '"', " ",
]  # fmt: skip


@given(parts=st.lists(st.sampled_from(CHARACTERS), max_size=15))
@settings(deadline=None, max_examples=300)
def test_no_word_begins_inside_a_character(parts):
    text = "".join(parts)
    inside = {i for m in regex.finditer(r"\X", text) for i in range(m.start() + 1, m.end())}
    assert not inside & {word.start for word in split_words(text, "unicode")}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "unit",
    [
        "\u0301", "a\u0301", "a+", "a@", "a.", "1,", "aあ", "a'", "中", '"', "🇩", "👨\u200d",
        'א"', "ក្", "a-", "\u0600", "\u094d\u0308", "😀\u0308\u200d", "n't", "a", "1", "http://",
        "a. ", "\u200b", "-", "a" * 63 + "@", "क्", ":-",
    ],
)  # fmt: skip
def test_long_lines_of_one_thing_take_time_in_proportion(rule, unit):
    text = unit * (40_000 // len(unit))
    before = time.process_time()
    split_words(text, rule)
    assert time.process_time() - before < 3  # the square of it would take minutes


def test_spans_lie_on_whole_words_of_their_script():
    text = "अनिल शर्मा दिल्ली गए"
    spans = read_spans([[0, 10, "PER"], [11, 17, "LOC"]], "x")
    aligned = to_words(text, spans, where="x", data=DataSection(source="x"))
    assert aligned.words == ["अनिल", "शर्मा", "दिल्ली", "गए"]
    assert aligned.tags == ["B-PER", "I-PER", "B-LOC", "O"]


def test_spans_may_leave_out_what_cannot_be_seen_at_the_edge_of_a_word():
    text = "\u2067דוד\u2069 \u200fבחיפה"
    spans = read_spans([[1, 4, "PER"], [7, 12, "LOC"]], "x")
    aligned = to_words(text, spans, where="x", data=DataSection(source="x"))
    assert aligned.tags == ["B-PER", "B-LOC"]
    assert not aligned.losses.spans_expanded


def test_spans_are_laid_over_the_words_of_the_rule():
    spans = read_spans([[4, 8, "ORG"]], "x")
    data = DataSection(source="x", words="treebank")
    aligned = to_words("pre-ACME days", spans, where="x", data=data)
    assert aligned.words == ["pre", "-", "ACME", "days"]
    assert aligned.tags == ["O", "O", "B-ORG", "O"]


@pytest.fixture
def segmenter(tmp_path, monkeypatch):
    """Install a jieba that knows one word, and loses the text now and then."""
    (tmp_path / "jieba.py").write_text(
        "def setLogLevel(level): pass\n"
        "def cut(text):\n"
        "    return ['北京', *text[2:]] if text.startswith('北京') else list(text)\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "jieba", raising=False)
    from nlp_transfer.data.segmenters import open_segmenter

    open_segmenter.cache_clear()
    yield
    open_segmenter.cache_clear()


@pytest.mark.usefixtures("segmenter")
def test_an_installed_segmenter_splits_what_has_no_blanks_and_nothing_else():
    assert words("北京大 I don't ที่", "jieba") == ["北京", "大", "I", "don't", "ที่"]


@pytest.mark.parametrize("rule", ["jieba", "janome", "pythainlp"])
def test_a_segmenter_that_is_not_installed_is_named_with_the_command(
    rule, nlpt, tiny_recipe, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, rule, None)  # as if it were not installed
    output = tmp_path / "run"
    code, _, err = nlpt(
        "finetune", "--recipe", tiny_recipe(), f"data.words={rule}", "--output", output
    )
    assert (code, output.exists()) == (2, False)
    assert f"pip install {rule}" in err
    assert nlpt("inspect", "--recipe", tiny_recipe(), "data.words=unicode")[0] == 0


HINDI = [
    "अनिल/B-PER शर्मा/I-PER दिल्ली/B-LOC गए/O", "सीता/B-PER देवी/I-PER मुंबई/B-LOC गई/O",
    "राम/B-PER सिंह/I-PER लखनऊ/B-LOC पहुँचे/O", "मीरा/B-PER वर्मा/I-PER पटना/B-LOC आई/O",
]  # fmt: skip


@pytest.fixture(scope="module")
def hindi_run(tmp_path_factory, checkpoint):
    """Train on Hindi CoNLL files until the entities are found."""
    from tiny import write_recipe

    folder = tmp_path_factory.mktemp("hindi")
    (folder / "data").mkdir()
    for split in ("train", "valid", "test"):
        write_conll(folder / "data" / f"{split}.conll", HINDI * 4)
    recipe = write_recipe(
        folder / "hindi.yaml", task="ner", data=folder / "data", checkpoint=checkpoint("bert"),
        strategy="full",
        training={"epochs": 20, "learning_rate": 3e-3,
                  "arguments": {"eval_strategy": "no", "save_strategy": "no"}},
    )  # fmt: skip
    report = finetune(load_recipe(str(recipe)), output=folder / "run")
    return folder / "run", report


def test_a_model_of_hindi_words_finds_the_same_in_raw_text(hindi_run):
    run, report = hindi_run
    predictor = Predictor.from_run(run)
    tokens = [[item.partition("/")[0] for item in sentence.split()] for sentence in HINDI]
    given = list(predictor([{"tokens": row} for row in tokens]))
    raw = list(predictor([" ".join(row) for row in tokens]))
    assert [result["tokens"] for result in raw] == tokens
    assert [result["entities"] for result in raw] == [result["entities"] for result in given]
    assert [len(result["entities"]) for result in raw] == [2] * len(HINDI)
    assert report.metrics["splits"]["test"]["entity"]["overall"]["f1"] == 1.0


def test_how_text_is_split_is_kept_with_the_model_and_in_the_ledger(hindi_run):
    run, report = hindi_run
    kept = {"rule": "unicode", "sentences": 16, "same": 16}
    config = json.loads((run / "model/config.json").read_text("utf-8"))
    assert config["nlp_transfer"]["words"] == kept
    assert report.metrics["words"] == {**kept, "share": 1.0}
    assert json.loads((run / "data.json").read_text("utf-8"))["words"] == {**kept, "share": 1.0}
    line = "training sentences of 16 whose raw text splits into their words"
    assert line in (run / "report.md").read_text("utf-8")


OTHERWISE = [
    "I/O do/O n't/O know/O Ada/B-PER", "they/O 've/O met/O Bob/B-PER", "we/O 're/O Al/B-PER",
    "Eve/B-PER did/O n't/O wait/O", "you/O 'll/O see/O Tom/B-PER",
]  # fmt: skip


@pytest.fixture(scope="module")
def treebank_run(tmp_path_factory, checkpoint):
    """Train on words as the Penn Treebank has them."""
    from tiny import write_recipe

    folder = tmp_path_factory.mktemp("treebank")
    (folder / "data").mkdir()
    for split in ("train", "valid", "test"):
        write_conll(folder / "data" / f"{split}.conll", OTHERWISE * 2)
    recipe = write_recipe(
        folder / "treebank.yaml", task="ner", data=folder / "data", checkpoint=checkpoint("bert"),
        strategy="full", training={"epochs": 1},
    )  # fmt: skip
    finetune(load_recipe(str(recipe)), output=folder / "run")
    return folder / "run"


def test_predict_warns_where_raw_text_is_split_unlike_the_training_words(nlpt: Run, treebank_run):
    text = "I don't know Ada.\nThey've met Bob.\n"
    code, out, err = nlpt("predict", treebank_run, "-", stdin=text)
    assert code == 0
    assert "0 of 10 training sentences (0%)" in err
    assert err.count("--words") == 1  # once, not for every text
    assert "don't" in json.loads(out.splitlines()[0])["tokens"]

    code, out, err = nlpt("predict", treebank_run, "-", "--words", "treebank", stdin=text)
    assert (code, "Raw text" in err) == (0, False)
    assert json.loads(out.splitlines()[0])["tokens"] == ["I", "do", "n't", "know", "Ada", "."]

    tokens = json.dumps({"tokens": ["I", "do", "n't"]}) + "\n"
    code, out, err = nlpt("predict", treebank_run, "-", "--format", "jsonl", stdin=tokens)
    assert (code, "Raw text" in err) == (0, False)


def test_a_rule_that_there_is_not_is_refused_with_those_that_there_are(nlpt: Run, treebank_run):
    code, _, err = nlpt("predict", treebank_run, "-", "--words", "tree_bank", stdin="x")
    assert code == 2
    assert "unicode, treebank, blanks, characters" in err
    assert "Did you mean 'treebank'" in err
    assert all(rule in err for rule in get_args(WordRule))


def test_inspect_shows_what_splits_otherwise_and_names_the_rule_that_fits(nlpt: Run, treebank_run):
    path = treebank_run.parent / "data/train.conll"

    def finding(*overrides: str) -> list[dict[str, Any]]:
        code, out, err = nlpt("inspect", path, "--task", "ner", "--json", *overrides)
        assert code == 0, err
        return [f for f in json.loads(out)["findings"] if f["code"] == "raw_text"]

    (found,) = finding()
    assert (found["severity"], found["count"]) == ("warning", 10)
    assert found["examples"][0]["text"] == '"do | n\'t" would be "don\'t | know"'
    assert "data.words=treebank fits 100% of the sentences" in found["fix"]
    assert not finding("data.words=treebank")
    assert not finding("data.words=blanks")


def test_a_rule_of_the_recipe_is_the_rule_of_the_model(nlpt: Run, treebank_run, tmp_path):
    recipe = treebank_run / "recipe.yaml"
    options = ["data.words=treebank", "training.epochs=1"]
    report = finetune(load_recipe(str(recipe), options), output=tmp_path / "run")
    assert report.metrics["words"]["share"] == 1.0
    predictor = Predictor.from_run(tmp_path / "run")
    (result,) = predictor(["We don't."])
    assert result["tokens"] == ["We", "do", "n't", "."]


def test_a_model_saved_before_splits_by_the_default_and_a_newer_one_is_refused(hindi_run, tmp_path):
    folder = tmp_path / "model"
    made_by_hand(shutil.copytree(hindi_run[0] / "model", folder))
    config = json.loads((folder / "config.json").read_text("utf-8"))
    del config["nlp_transfer"]["words"]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (result,) = Predictor.from_run(folder)(["राम don't"])
    assert result["tokens"] == ["राम", "don't"]
    config["nlp_transfer"]["words"] = {"rule": "from-the-future"}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(UserError, match=r"from-the-future.*does not know"):
        Predictor.from_run(folder)


def test_models_that_split_otherwise_answer_for_the_words_of_the_first(
    nlpt: Run, treebank_run: Path, tmp_path: Path
) -> None:
    other = made_by_hand(shutil.copytree(treebank_run / "model", tmp_path / "other"))
    config = json.loads((other / "config.json").read_text("utf-8"))
    config["nlp_transfer"]["words"] = {"rule": "treebank"}
    (other / "config.json").write_text(json.dumps(config), encoding="utf-8")
    text = "I don't know\n"
    code, out, err = nlpt("predict", other, treebank_run, "-", stdin=text)
    assert (code, json.loads(out)["tokens"]) == (0, ["I", "do", "n't", "know"])
    assert "raw text is split for all models as for" in err
    assert "data.words=unicode" in err


@pytest.mark.parametrize(
    ("sentence", "rule", "same"),
    [
        ("Ada left Rome , Italy .", "unicode", True),
        ("Ada 's dog ( old ) slept .", "unicode", True),
        ("我 爱 北 京 。", "unicode", True),
        ("我 爱 北京 。", "unicode", False),  # words, which no rule of ours finds
        ("在 iPhone 上", "unicode", True),
        ("I do n't know", "unicode", False),
        ("I do n't know", "treebank", True),
        ("a well - known man", "unicode", False),  # hyphens are apart in all of this corpus
        ("a well - known man", "treebank", True),
        ("Rome , Italy .", "blanks", True),
        ("北 京 U S A", "characters", True),
        ("北 京 USA", "characters", False),
    ],
)
def test_the_text_that_words_came_from_is_put_together_as_people_write_it(sentence, rule, same):
    found = measure(Dataset.from_dict({"words": [sentence.split()]}), rule)
    assert (found.sentences, found.same) == (1, int(same))


def test_a_sample_of_a_large_split_is_looked_at():
    found = measure(Dataset.from_dict({"words": [["Ada", "left"]] * 10_001}), "unicode")
    assert found.same == found.sentences <= 1_000
