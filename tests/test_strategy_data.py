"""Strategies that change what is learned from: augmentation, pseudo-labels, gazetteers."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from shutil import copytree
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from steps import built
from tiny import tagged_sentences, write_conll

from nlp_transfer import finetune, load_recipe
from nlp_transfer.data.added import misspelled
from nlp_transfer.data.arrow_tables import iterate
from nlp_transfer.data.tags import spans, to_iob2
from nlp_transfer.errors import UserError
from nlp_transfer.recipe.reader import variants
from nlp_transfer.strategies.parts.label_words import in_words
from nlp_transfer.tasks.classification.alterations import TextAlterer
from nlp_transfer.tasks.ner.alterations import SentenceAlterer

pytestmark = pytest.mark.usefixtures("one_thread")
settings.register_profile("quick", deadline=None, max_examples=60)
settings.load_profile("quick")

Recipes = Callable[..., Path]
SHORT = {"epochs": 1, "arguments": {"max_steps": 2}}

words = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=8)
entities = st.tuples(st.sampled_from(["PER", "LOC"]), st.lists(words, min_size=1, max_size=3))
parts = st.one_of(entities, st.tuples(st.none(), st.lists(words, min_size=1, max_size=3)))


def tagged(sentence: list[tuple[str | None, list[str]]]) -> dict[str, Any]:
    row: dict[str, Any] = {"words": [], "tags": []}
    for kind, run in sentence:
        row["words"] += run
        inside = [f"I-{kind}"] * (len(run) - 1)
        row["tags"] += [f"B-{kind}", *inside] if kind else ["O"] * len(run)
    return row


corpora = st.lists(st.lists(parts, min_size=1, max_size=5).map(tagged), min_size=1, max_size=6)


def train_rows(path: Path, *overrides: str) -> list[dict[str, Any]]:
    recipe = load_recipe(str(path), list(overrides))
    return list(iterate(built(recipe).splits["train"]))


def refused(path: Path, *overrides: str) -> str:
    with pytest.raises(UserError) as caught:
        train_rows(path, *overrides)
    return str(caught.value)


# Augmentation


@given(corpora, st.integers(0, 99))
def test_altered_sentences_keep_words_tags_and_entities_together(
    rows: list[dict[str, Any]], seed: int
) -> None:
    alter = SentenceAlterer(rows, replace_entities=1, change_case=0, join_sentences=0.5, typos=0.5)
    for row in rows:
        new = alter(row, str(seed))
        assert len(new["words"]) == len(new["tags"])
        assert all(new["words"])
        assert to_iob2(new["tags"], "iob2") == (new["tags"], []), "no tag breaks the scheme"
        kinds = [span.type for span in spans(row["tags"])]
        assert [span.type for span in spans(new["tags"])][: len(kinds)] == kinds
        assert alter(row, str(seed)) == new


@given(corpora)
def test_replaced_entities_are_entities_of_their_type_in_train(rows: list[dict[str, Any]]) -> None:
    known = {
        (span.type, *row["words"][span.first : span.last + 1])
        for row in rows
        for span in spans(row["tags"])
    }
    alter = SentenceAlterer(rows, replace_entities=1, change_case=0, join_sentences=0, typos=0)
    for row in rows:
        new = alter(row, "0")
        for span in spans(new["tags"]):
            assert (span.type, *new["words"][span.first : span.last + 1]) in known
        outside = [word for word, tag in zip(row["words"], row["tags"], strict=True) if tag == "O"]
        left = [word for word, tag in zip(new["words"], new["tags"], strict=True) if tag == "O"]
        assert left == outside


def test_case_of_a_sentence_changes_as_a_whole() -> None:
    row = {"words": ["Ada", "left", "Rome"], "tags": ["B-PER", "O", "B-LOC"]}
    alter = SentenceAlterer([row], replace_entities=0, change_case=1, join_sentences=0, typos=0)
    seen = {" ".join(alter(row, str(seed))["words"]) for seed in range(20)}
    assert seen == {"ada left rome", "ADA LEFT ROME", "Ada Left Rome"}


@given(st.text(max_size=12), st.integers(0, 99))
def test_a_misspelled_word_is_still_one_word(word: str, seed: int) -> None:
    new = misspelled(word, Random(seed))
    assert abs(len(new) - len(word)) <= 1
    assert bool(new) == bool(word)
    assert new.split() == [new] or not word.isalpha()
    assert set(new) <= set(word)


def test_text_keeps_a_word_and_swaps_keep_all() -> None:
    row = {"text": "where is my parcel", "text_pair": None}
    assert TextAlterer(drop_words=0.99, swap_words=0, typos=0)(row, "1")["text"]
    swapped = TextAlterer(drop_words=0, swap_words=1, typos=0)(row, "1")["text"]
    assert Counter(swapped.split()) == Counter(row["text"].split())
    assert swapped != row["text"]


@pytest.mark.parametrize("task", ["ner", "classification"])
def test_copies_are_added_to_train_alone_and_counted(
    task: str, tmp_path: Path, tiny_recipe: Recipes
) -> None:
    strategy = ["full", {"name": "augmentation", "copies": 2, "typos": 0.3}]
    path = tiny_recipe(task, strategy=strategy, training=SHORT)
    report = finetune(load_recipe(str(path)), output=tmp_path / "run")
    data = json.loads((tmp_path / "run" / "data.json").read_text("utf-8"))["splits"]
    added = data["train"]["ledger"]["examples_added"]
    assert 48 < added <= 96
    assert data["train"]["examples"] == data["train"]["ledger"]["sentences"] == 48 + added
    assert not any(data[s]["ledger"]["examples_added"] for s in ("validation", "test"))
    assert report.metrics["splits"]["test"]["ledger"]["sentences"] == 12
    rows = train_rows(path)
    assert rows == train_rows(path), "the seed decides"
    assert rows != train_rows(path, "training.seed=7")
    assert rows[:48] == train_rows(tiny_recipe(task))
    assert all(row["where"].endswith("altered") for row in rows[48:])


def test_share_of_the_other_task_is_refused(tiny_recipe: Recipes) -> None:
    path = tiny_recipe(strategy=["full", {"name": "augmentation", "drop_words": 0.1}])
    assert "drop_words is for classification, the task is ner" in refused(path)


# Pseudo-labels


@pytest.fixture
def teacher(tmp_path: Path, tiny_recipe: Recipes, trained: Recipes) -> Callable[[str], Path]:
    """Return a function that names the run of a model for a task, which tests must not change."""

    def train(task: str) -> Path:
        return trained(tiny_recipe(task, path=tmp_path / f"{task}.yaml", training=SHORT))

    return train


def pseudo(tiny_recipe: Recipes, task: str, teacher: Path, texts: Path, **fields: Any) -> Path:
    strategy = {"name": "pseudo_labels", "teacher": str(teacher), "texts": str(texts), **fields}
    return tiny_recipe(task, strategy=["full", strategy], training=SHORT)


@pytest.mark.parametrize("task", ["ner", "classification"])
def test_texts_are_learned_with_the_labels_of_the_teacher(
    task: str, tmp_path: Path, tiny_recipe: Recipes, teacher: Any, nlpt: Any
) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("Grace Hopper met Zola in Rome\n\nthe parcel is lost\n", "utf-8")
    model = teacher(task)
    rows = train_rows(pseudo(tiny_recipe, task, model, texts, threshold=0))[48:]
    code, out, _ = nlpt("predict", model, texts)
    assert code == 0
    predicted = [json.loads(line) for line in out.splitlines() if json.loads(line)["text"]]
    if task == "ner":
        key = lambda row: (row["tokens"], row["tags"])  # noqa: E731
        assert sorted((row["words"], row["tags"]) for row in rows) == sorted(map(key, predicted))
    else:
        found = {(row["text"], *row["labels"]) for row in rows}
        assert found == {(row["text"], row["label"]) for row in predicted}


def test_threshold_share_and_number_choose_the_surest(
    tmp_path: Path, tiny_recipe: Recipes, teacher: Any, nlpt: Any
) -> None:
    texts = tmp_path / "texts.txt"
    lines = [f"text {number} about a parcel" for number in range(20)]
    texts.write_text("\n".join(lines), "utf-8")
    model = teacher("classification")
    _, out, _ = nlpt("predict", model, texts, "--precision", "fp32")
    ranked = sorted(map(json.loads, out.splitlines()), key=lambda row: -row["score"])

    def taken(**fields: Any) -> list[str]:
        rows = train_rows(pseudo(tiny_recipe, "classification", model, texts, **fields))
        return [row["text"] for row in rows[48:]]

    assert len(taken(top_share=0.25)) == 5
    bar = ranked[7]["score"] - 1e-4
    assert set(taken(threshold=bar)) >= {row["text"] for row in ranked[:8]}
    by_class = Counter(row["label"] for row in ranked)
    most = taken(threshold=0, most_per_class=2)
    assert len(most) == sum(min(2, count) for count in by_class.values())


def test_texts_of_a_split_are_not_learned_again(
    tmp_path: Path, tiny_recipe: Recipes, teacher: Any, caplog: Any
) -> None:
    test = train_rows(tiny_recipe("classification"))[0]["text"]
    texts = tmp_path / "texts.txt"
    texts.write_text(f"{test}\nsomething new\n", "utf-8")
    with caplog.at_level(logging.INFO, "nlp_transfer"):
        path = pseudo(tiny_recipe, "classification", teacher("classification"), texts, threshold=0)
        assert [row["text"] for row in train_rows(path)[48:]] == ["something new"]
    assert "1 of 2 texts taken (1 are in a split already" in caplog.text


@pytest.mark.parametrize("command", ["finetune", "pretrain"])
def test_what_an_unlabelled_file_lacks_is_said_of_it(
    command: str, tmp_path: Path, tiny_recipe: Recipes, nlpt: Any
) -> None:
    texts = tmp_path / "texts.txt"
    path = unlabelled(
        tiny_recipe, "classification", texts, {"name": "pseudo_labels", "threshold": 0}
    )
    for content, says in (("a\n\nb c\n", "1 of 3 texts of"), ("", "holds no text")):
        texts.write_text(content, "utf-8")
        _, _, err = nlpt(command, "-r", path, "-o", tmp_path / f"{says[0]}", "training.epochs=1")
        assert says in err
        assert "data.unlabelled" in err
        assert "nothing to predict" not in err
        assert "their answers" not in err


def test_a_further_round_is_taught_by_the_model_of_the_last(
    tmp_path: Path, tiny_recipe: Recipes, teacher: Any
) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("the parcel is lost\nmoney back please\n", "utf-8")
    model = teacher("classification")
    path = pseudo(tiny_recipe, "classification", model, texts, threshold=0, rounds=2)
    run = tmp_path / "run"
    finetune(load_recipe(str(path)), output=run)
    assert not (run / "earlier-round").exists(), "kept only while it is needed"
    took = json.loads((run / "metrics.json").read_text("utf-8"))["training"]
    assert took["earlier_rounds_seconds"] > 0
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, its_teacher in ((first, model), (second, first)):
        once = pseudo(tiny_recipe, "classification", its_teacher, texts, threshold=0)
        finetune(load_recipe(str(once)), output=folder)
        once_took = json.loads((folder / "metrics.json").read_text("utf-8"))["training"]
        assert "earlier_rounds_seconds" not in once_took
    of_rounds, by_hand = (
        load_file(folder / "model" / "model.safetensors") for folder in (run, second)
    )
    assert all(by_hand[name].equal(tensor) for name, tensor in of_rounds.items())
    finetune(load_recipe(str(path)), output=run, fresh=True)


def test_bad_teachers_and_texts_are_refused(
    tmp_path: Path, tiny_recipe: Recipes, teacher: Any
) -> None:
    texts, empty = tmp_path / "texts.txt", tmp_path / "empty.txt"
    texts.write_text("a text\n", "utf-8")
    empty.write_text("\n\n", "utf-8")
    model = teacher("classification")
    for task, name, file, fields, message in (
        ("classification", "no/such/run", texts, {}, "strategies pseudo_labels: teacher: there is"),
        ("ner", model, texts, {}, "is a model for classification, the recipe is for ner"),
        ("classification", model, tmp_path / "none.txt", {}, "texts: there is no file"),
        (
            "classification",
            model,
            empty,
            {},
            r"has no text that is not in a split already (0 read)",
        ),
        ("classification", model, texts, {"threshold": 1.0}, "sure enough of no text (at most 0."),
        ("classification", model, texts, {"threshold": 0.5, "top_share": 0.5}, "keep one"),
        ("classification", model, texts, {"rounds": 0}, "rounds"),
    ):
        assert message in refused(pseudo(tiny_recipe, task, Path(name), file, **fields))


def unlabelled(tiny_recipe: Recipes, task: str, texts: Path | None, *strategies: Any) -> Path:
    path = tiny_recipe(task, strategy=list(strategies), training=SHORT)
    if texts is not None:
        said = path.read_text("utf-8").replace("data:\n", f"data:\n  unlabelled: {texts}\n")
        path.write_text(said, "utf-8")
    return path


def test_a_run_that_is_sure_of_no_text_goes_on_without(
    tmp_path: Path, tiny_recipe: Recipes, caplog: Any
) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("the parcel is lost\nmoney back please\n", "utf-8")
    sure = {"name": "pseudo_labels", "threshold": 1}
    path = unlabelled(tiny_recipe, "classification", texts, "frozen", sure)
    report = finetune(load_recipe(str(path)), output=tmp_path / "run")
    assert "sure enough of no text" in caplog.text
    assert "Nothing is added" in caplog.text
    plain = finetune(load_recipe(str(path), ["strategies=frozen"]), output=tmp_path / "plain")
    assert report.metrics["splits"] == plain.metrics["splits"]


def test_a_file_without_labels_is_read_by_the_columns_of_the_data(
    tmp_path: Path, tiny_recipe: Recipes, teacher: Any
) -> None:
    texts = tmp_path / "more.csv"
    texts.write_text("text,words\na title,what is to be read\n", "utf-8")
    path = pseudo(tiny_recipe, "classification", teacher("classification"), texts, threshold=0)
    source = tmp_path / "data"
    source.mkdir()
    for file in Path(load_recipe(str(path)).data.source).iterdir():
        renamed = file.read_text("utf-8").replace("text,label", "words,label", 1)
        (source / file.name).write_text(renamed, "utf-8")
    rows = train_rows(path, f"data.source={source}", "data.columns={text: words}")
    assert rows[-1]["text"] == "what is to be read"


def test_what_cannot_be_read_without_labels_is_told_without_keys_that_are_not_for_it(
    tmp_path: Path, tiny_recipe: Recipes
) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_bytes("wo ist das Päckchen\n".encode("latin-1"))
    path = unlabelled(tiny_recipe, "classification", texts, "frozen", "pseudo_labels")
    said = refused(path)
    assert said.startswith(f"data.unlabelled: {texts}:1: byte 0xE4")
    assert "not for this file. Save it as UTF-8" in said


def test_without_a_teacher_the_run_itself_is_the_first_round(
    tmp_path: Path, tiny_recipe: Recipes, caplog: Any
) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("the parcel is lost\nmoney back please\n", "utf-8")
    labelling = {"name": "pseudo_labels", "threshold": 0}
    path = unlabelled(tiny_recipe, "classification", texts, "frozen", labelling)
    run, first, second = tmp_path / "run", tmp_path / "first", tmp_path / "second"
    with caplog.at_level(logging.INFO, "nlp_transfer"):
        finetune(load_recipe(str(path)), output=run)
    assert "2 of 2 texts taken" in caplog.text
    assert "data.unlabelled is not read" not in caplog.text
    data = json.loads((run / "data.json").read_text("utf-8"))
    assert data["splits"]["train"]["ledger"]["examples_added"] == 2
    assert "data.unlabelled" in data["read"]
    finetune(load_recipe(str(path)), output=run)  # finished: shown again
    finetune(load_recipe(str(path), ["strategies=frozen"]), output=first)
    assert "data.unlabelled is not read" in caplog.text
    by_hand = ["frozen", {**labelling, "teacher": str(first), "texts": str(texts)}]
    again = unlabelled(tiny_recipe, "classification", None, *by_hand)
    finetune(load_recipe(str(again)), output=second)
    one, other = (load_file(f / "model" / "model.safetensors") for f in (run, second))
    assert all(other[name].equal(tensor) for name, tensor in one.items())


def test_texts_that_are_no_use_are_refused_before_the_teacher_learns(
    tmp_path: Path, tiny_recipe: Recipes, nlpt: Any, caplog: Any
) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_text("\n\n", "utf-8")
    path = unlabelled(tiny_recipe, "ner", empty, "pseudo_labels")
    for overrides, message in (
        ([], f"data.unlabelled: {empty} has no text that is not in a split already (0 read)"),
        (["data.unlabelled=none.txt"], "data.unlabelled: there is no file 'none.txt'"),
        (["data.unlabelled=null"], "pseudo_labels: texts is null, and so is data.unlabelled"),
        (["data.unlabelled=null", "strategies=full", "strategies=[full, {name: gazetteer, "
          "dictionary: names.tsv}]"], "gazetteer: texts is null, and so is data.unlabelled"),
    ):  # fmt: skip
        code, out, err = nlpt("finetune", "-r", path, "-o", tmp_path / "run", *overrides)
        assert (code, out) == (2, "")
        assert message in err
        assert not (tmp_path / "run").exists()
    assert not [record for record in caplog.records if "loading the checkpoint" in record.message]


def test_unlabelled_texts_lapse_with_the_data_that_they_are_like(
    tmp_path: Path, tiny_recipe: Recipes
) -> None:
    texts, other = tmp_path / "texts.txt", tmp_path / "other"
    texts.write_text("a text\n", "utf-8")
    path = unlabelled(tiny_recipe, "ner", texts, "full")
    other.symlink_to(load_recipe(str(path)).data.source)
    recipe = load_recipe(str(path))
    assert recipe.data.unlabelled == str(texts)
    assert load_recipe(str(path), [f"data.source={other}"]).data.unlabelled is None
    both = [f"data.source={other}", f"data.unlabelled={texts}"]
    assert load_recipe(str(path), both).data.unlabelled == str(texts)
    settings = dict(one.split("=") for one in both)
    (varied,) = variants(recipe, [settings])
    assert varied.data.unlabelled == str(texts)
    (varied,) = variants(recipe, [{"data.source": str(other)}])
    assert varied.data.unlabelled is None


# Gazetteers


def gazetteer(tiny_recipe: Recipes, folder: Path, dictionary: str, **fields: Any) -> Path:
    (folder / "names.tsv").write_text(dictionary, "utf-8")
    (folder / "texts.txt").write_text("Mary Ann Evans left new york .\nnobody here\n", "utf-8")
    files = {"dictionary": str(folder / "names.tsv"), "texts": str(folder / "texts.txt")}
    return tiny_recipe(strategy=["full", {"name": "gazetteer", **files, **fields}])


def test_longest_names_of_the_dictionary_become_entities(
    tmp_path: Path, tiny_recipe: Recipes
) -> None:
    names = "Mary\tLOC\nMary Ann Evans\tPER\nNew York\tLOC\n"
    (row,) = train_rows(gazetteer(tiny_recipe, tmp_path, names))[48:]
    assert row["tags"] == ["B-PER", "I-PER", "I-PER", "O", "O", "O", "O"]
    (row,) = train_rows(gazetteer(tiny_recipe, tmp_path, names, match_case=False))[48:]
    assert row["tags"] == ["B-PER", "I-PER", "I-PER", "O", "B-LOC", "I-LOC", "O"]


def test_names_and_texts_are_split_as_the_recipe_says(tmp_path: Path, tiny_recipe: Recipes) -> None:
    files = {"dictionary": str(tmp_path / "names.tsv"), "texts": str(tmp_path / "texts.txt")}
    (tmp_path / "names.tsv").write_text("Al-Sadr\tPER\n", "utf-8")
    (tmp_path / "texts.txt").write_text("Al-Sadr didn't come\n", "utf-8")
    strategies = ["full", {"name": "gazetteer", **files}]
    recipe = tiny_recipe(strategy=strategies)
    text = recipe.read_text("utf-8").replace("data:\n", "data:\n  words: treebank\n")
    recipe.write_text(text, "utf-8")
    (row,) = train_rows(recipe)[48:]
    assert row["words"] == ["Al", "-", "Sadr", "did", "n't", "come"]
    assert row["tags"] == ["B-PER", "I-PER", "I-PER", "O", "O", "O"]


def test_texts_of_held_out_splits_are_left_out_however_they_are_written(
    tmp_path: Path, tiny_recipe: Recipes, data_folder: Callable[[str], Path]
) -> None:
    data = copytree(data_folder("ner"), tmp_path / "data")
    (tmp_path / "names.tsv").write_text("Lisbon\tLOC\nU.N.\tORG\n", "utf-8")
    held_out = [("Lisbon", "B-LOC"), ("asks", "O"), ("the", "O"), ("U.N", "B-ORG"), (".", "O")]
    texts = ["Lisbon asks the U.N.", "LISBON asks the U. N .", "Lisbon asks"]
    (tmp_path / "texts.txt").write_text("\n".join(texts), "utf-8")
    files = {"dictionary": str(tmp_path / "names.tsv"), "texts": str(tmp_path / "texts.txt")}
    strategies = ["full", {"name": "gazetteer", "match_case": False, **files}]
    recipe = tiny_recipe(strategy=strategies, source=data)
    with (data / "test.conll").open("a", encoding="utf-8") as file:
        file.write("\n" + "\n".join(map(" ".join, held_out)) + "\n")
    (row,) = train_rows(recipe)[48:]
    assert row["words"] == ["Lisbon", "asks"]


@pytest.mark.parametrize(
    ("dictionary", "message"),
    [
        ("Mary\tPRE\n", "names.tsv:1: the data has no type 'PRE' (LOC, ORG, PER)."),
        ("Mary PER\n", "names.tsv:1: a line is a name, a tab and its type"),
        ("\tPER\n", "names.tsv:1: a line is a name, a tab and its type"),
        ("Mary\tPER\nMary\tLOC\n", "names.tsv:2: 'Mary' is PER in another line and LOC here"),
        ("\n", "the dictionary is empty"),
        ("Zanzibar\tLOC\n", "none of the 2 sentences"),
    ],
)
def test_dictionary_that_cannot_be_used_is_refused(
    dictionary: str, message: str, tmp_path: Path, tiny_recipe: Recipes
) -> None:
    assert message in refused(gazetteer(tiny_recipe, tmp_path, dictionary))


# Corpora that are learned first


@pytest.fixture
def corpora(tmp_path: Path) -> list[Path]:
    """Two corpora whose types are partly those of the data of `tiny_recipe`."""
    folders = []
    for number, kinds in enumerate(({"LOC": "PLACE"}, {"ORG": "FIRM", "PER": "PER"})):
        folder = tmp_path / f"corpus {number}"
        folder.mkdir()
        sentences = [
            [(word, tag[:2] + kinds.get(tag[2:], tag[2:])) for word, tag in one]
            for one in tagged_sentences(30, seed=77 + number)
        ]
        write_conll(folder / "train.conll", sentences)
        folders.append(folder)
    return folders


def first(folders: Any, **fields: Any) -> dict[str, Any]:
    return {"name": "intermediate_task", "data": folders, "epochs": 1, **fields}


def test_corpora_are_learned_first_and_their_head_is_matched(
    tmp_path: Path, tiny_recipe: Recipes, corpora: list[Path], caplog: Any
) -> None:
    both = [str(corpora[0]), {"source": str(corpora[1]), "format": "conll"}]
    path = tiny_recipe(strategy=[{"name": "frozen", "layers": 1}, first(both)], training=SHORT)
    run, alone, second = tmp_path / "run", tmp_path / "alone", tmp_path / "second"
    with caplog.at_level(logging.INFO, "nlp_transfer"):
        finetune(load_recipe(str(path)), output=run)
    assert "50 sentences come first, and 10 sentences to validate on" in caplog.text
    assert "head carried over for the labels O, B-LOC, I-LOC, B-ORG, I-ORG, B-PER" in caplog.text
    assert not (run / "earlier-round").exists()
    labels = json.loads((run / "model" / "config.json").read_text("utf-8"))["id2label"].values()
    assert not [label for label in labels if label.endswith(("FIRM", "PLACE"))]
    frozen = "{name: frozen, layers: 1}"
    only = json.dumps(first(both, only_data=True))
    by_hand = [f"strategies=[{frozen}, {only}]", "evaluation.splits=[validation]"]
    finetune(load_recipe(str(path), by_hand), output=alone)
    matched = f"strategies=[{frozen}, {{name: intermediate_task, head: matched}}]"
    finetune(load_recipe(str(path), [matched, f"model.checkpoint={alone}"]), output=second)
    one, other = (load_file(f / "model" / "model.safetensors") for f in (run, second))
    assert all(other[name].equal(tensor) for name, tensor in one.items())
    finetune(load_recipe(str(path)), output=run)  # finished: shown again
    sentences = (corpora[1] / "train.conll").read_text("utf-8")
    (corpora[1] / "train.conll").write_text(sentences.replace("PER", "HUMAN"), "utf-8")
    message = r"strategies intermediate_task: data\.1, train split: 20 examples then, 20 now"
    with pytest.raises(UserError, match=message):
        finetune(load_recipe(str(path)), output=run)


def test_a_corpus_gives_no_sentence_that_is_scored(
    tmp_path: Path, tiny_recipe: Recipes, corpora: list[Path], caplog: Any
) -> None:
    scored = {"splits": ["validation"]}
    path = tiny_recipe(strategy=[first(str(corpora[0]), only_data=True)], evaluation=scored)
    data = Path(load_recipe(str(path)).data.source)
    leaked = (data / "test.conll").read_text("utf-8").upper().split("\n\n")[1:3]
    with (corpora[0] / "train.conll").open("a", encoding="utf-8") as file:
        file.write("\n" + "\n\n".join(leaked) + "\n")
    parts = built(load_recipe(str(path)))
    assert "2 sentences are left out: in the run's own validation or test split" in caplog.text
    texts = {" ".join(row["words"]) for split in parts.splits for row in parts.splits[split]}
    assert len(parts.splits["train"]) + len(parts.splits["validation"]) == 30
    assert not [text for text in texts if text.isupper()]
    assert parts.splits.labels == ("LOC", "ORG", "PER", "PLACE")


def test_what_corpora_are_validated_on_is_a_share_of_all_that_is_learned(
    tiny_recipe: Recipes, corpora: list[Path]
) -> None:
    (corpora[0] / "validation.conll").write_text(
        (corpora[1] / "train.conll").read_text("utf-8"), "utf-8"
    )
    (corpora[0] / "test.conll").write_text("Oslo B-PLACE\n", "utf-8")
    data = {"source": str(corpora[0]), "validation_share": 0.5}
    scored = {"splits": ["validation"]}

    def held_out(**keys: Any) -> list[str]:
        strategy = [first({**data, **keys}, only_data=True)]
        splits = built(load_recipe(str(tiny_recipe(strategy=strategy, evaluation=scored)))).splits
        assert (len(splits["train"]), len(splits["validation"])) == (30, 30)
        return [" ".join(row["words"]) for row in splits["validation"]]

    assert held_out() != held_out(split_seed=7)


def test_a_teacher_hands_on_what_it_learned_of_corpora(
    tmp_path: Path, tiny_recipe: Recipes, corpora: list[Path], caplog: Any
) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("Grace Hopper met Zola in Rome\n", "utf-8")
    labelling = {"name": "pseudo_labels", "threshold": 0}
    path = unlabelled(tiny_recipe, "ner", texts, labelling, first(str(corpora[0])))
    with caplog.at_level(logging.INFO, "nlp_transfer"):
        finetune(load_recipe(str(path)), output=tmp_path / "run")
    assert caplog.text.count("sentences come first") == 1
    assert caplog.text.count("first the round before this one") == 2
    assert caplog.text.count("head carried over") == 2
    assert "1 of 1 texts taken" in caplog.text


def test_corpora_that_cannot_come_first_are_refused(
    tmp_path: Path, tiny_recipe: Recipes, corpora: list[Path], nlpt: Any
) -> None:
    texts = tmp_path / "classes.csv"
    texts.write_text("text,label\na parcel,lost\nmoney,back\n", "utf-8")
    strange = tmp_path / "strange.conll"
    write_conll(strange, [[("Rome", "B-CITY"), ("is", "O")], [("Oslo", "B-CITY")]] * 9)
    own = load_recipe(str(tiny_recipe())).data.source
    single = tmp_path / "single.conll"
    scored = (Path(own) / "test.conll").read_text("utf-8").split("\n\n")[1:3]
    single.write_text("\n\n".join([*scored, "Oslo B-CITY"]) + "\n", "utf-8")
    alone = tmp_path / "alone.conll"
    alone.write_text("Oslo B-CITY\n", "utf-8")
    unread = {"source": str(texts), "columns": {"text": "nothing"}}
    for strategies, message in (
        ([first(str(alone))], "alone.conll has too few examples to hold one out for validation."),
        ([first(unread)], "are those of this corpus, under strategies intermediate_task: data."),
        ([first(str(single))], "single.conll has 1 sentence to learn, too few to hold one out"),
        ([first(str(texts))], "strategies intermediate_task: data: "),
        ([first([str(corpora[0]), "no/such.conll"])], "intermediate_task.data.1"),
        ([first(str(strange), head="matched")], "data shares no label with the data of the run"),
        ([first(own)], "stands in the data of the run itself"),
        ([first(str(corpora[0])), "lora"], "which 'lora' leaves as they are"),
        ([first(str(strange), only_data=True)], "Set evaluation.splits=[validation]"),
        ([{"name": "intermediate_task", "only_data": True}], "there is no data to learn"),
        ([{"name": "intermediate_task", "epochs": 5}], "epochs are of data"),
        ([first({"source": str(strange), "test_share": 0.2})], "test_share is not used"),
        ([first(str(strange), only_data=True), "augmentation"], "learns nothing of 'augmentation'"),
    ):
        path = tiny_recipe(strategy=strategies)
        code, out, err = nlpt("finetune", "-r", path, "-o", tmp_path / "run")
        assert (code, out) == (2, ""), err
        assert message in err
        assert not (tmp_path / "run").exists()
    code, _, err = nlpt("finetune", "-r", tiny_recipe(strategy=[first(own)]), "--dry-run")
    assert (code, "stands in the data of the run itself" in err) == (2, True)
    assert nlpt("finetune", "-r", tiny_recipe(strategy=[first(str(strange))]), "--dry-run")[0] == 0


# Names of classes as texts


def test_names_of_classes_become_training_texts(tiny_recipe: Recipes) -> None:
    rows = train_rows(tiny_recipe("classification", strategy=["full", "label_examples"]))
    plain = train_rows(tiny_recipe("classification"))
    named = rows[len(plain) :]
    assert rows[: len(plain)] == plain
    labels = {label for row in plain for label in row["labels"]}
    assert {row["labels"][0]: row["text"] for row in named} == {
        label: " ".join(label.split("_")) for label in labels
    }
    template = {"name": "label_examples", "template": "It is about {}."}
    around = train_rows(tiny_recipe("classification", strategy=["full", template]))[len(plain) :]
    assert [row["text"] for row in around] == [f"It is about {row['text']}." for row in named]


@pytest.mark.parametrize("template", ["no place", "{} and {}"])
def test_template_without_one_place_is_refused(template: str, tiny_recipe: Recipes) -> None:
    strategy = ["full", {"name": "label_examples", "template": template}]
    assert "must hold {} once" in refused(tiny_recipe("classification", strategy=strategy))


def test_names_that_say_nothing_are_no_texts(tmp_path: Path, tiny_recipe: Recipes) -> None:
    rows = "".join(f"some text {n},LABEL_{n % 2}\n" for n in range(20))
    (tmp_path / "train.csv").write_text("text,label\n" + rows, encoding="utf-8")
    shares = "validation_share: 0.2, test_share: 0.2"
    data = f"data={{source: {tmp_path}, {shares}}}"
    path = tiny_recipe("classification", strategy=["full", "label_examples"])
    assert {row["text"] for row in train_rows(path, data)} < {f"some text {n}" for n in range(20)}


def test_a_single_letter_is_a_name_where_it_is_a_word(tmp_path: Path, tiny_recipe: Recipes) -> None:
    rows = "".join(f"some text {n},{'ab家車'[n % 4]}\n" for n in range(40))
    (tmp_path / "train.csv").write_text("text,label\n" + rows, encoding="utf-8")
    path = tiny_recipe("classification", source=tmp_path, strategy=["full", "label_examples"])
    assert {row["text"] for row in train_rows(path) if len(row["text"]) == 1} == {"家", "車"}


def test_names_of_classes_are_no_pairs(
    tmp_path: Path, tiny_recipe: Recipes, caplog: pytest.LogCaptureFixture
) -> None:
    rows = "".join(f"premise {n},it follows,{'yes' if n % 2 else 'never'}\n" for n in range(20))
    (tmp_path / "train.csv").write_text("text,text_pair,label\n" + rows, encoding="utf-8")
    path = tiny_recipe("classification", source=tmp_path, strategy=["full", "label_examples"])
    assert {row["text_pair"] for row in train_rows(path)} == {"it follows"}
    assert "nothing is added: texts are pairs" in caplog.text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("हिन्दी_भाषा", "हिन्दी भाषा"),
        ("e\u0301conomie", "e\u0301conomie"),
        ("ไทยรัฐ", "ไทยรัฐ"),
        ("card-arrival_2", "card arrival 2"),
        ("__", "__"),
    ],
)
def test_names_keep_the_marks_that_words_are_written_with(name: str, words: str) -> None:
    assert in_words(name) == words
