"""data.train_examples: fewer examples to learn from, nested, the same for every seed and format."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_transfer import load_recipe
from nlp_transfer.data.arrow_tables import write_table
from nlp_transfer.data.load import schema_of
from nlp_transfer.data.subset import draw
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection
from nlp_transfer.records import Splits
from nlp_transfer.tasks.ner.rows import NerRows
from tests.loading import load_ner

Run = Callable[..., tuple[int, str, str]]
pytestmark = pytest.mark.usefixtures("one_thread")


def drawn(texts: Sequence[str], count: int, documents: Sequence[str | None] = ()) -> list[str]:
    given_documents = documents or [None] * len(texts)
    rows = ({"text": t, "document": d} for t, d in zip(texts, given_documents, strict=True))
    table = write_table(rows, schema_of("text", "document"))
    chosen = draw(table, count, content=["text"], whole_documents=bool(documents))
    return list(chosen["text"])


def is_within(few: Sequence[str], many: Sequence[str]) -> bool:
    """Tell whether all of few stand in many, in the same order."""
    rest = iter(many)
    return all(text in rest for text in few)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=40), st.data())
def test_fewer_examples_are_some_of_more_in_their_order(texts: list[str], data: Any) -> None:
    few = data.draw(st.integers(1, len(texts)))
    more = data.draw(st.integers(few, len(texts)))
    smaller, larger = drawn(texts, few), drawn(texts, more)
    assert (len(smaller), len(larger)) == (few, more)
    assert is_within(smaller, larger)
    assert is_within(larger, texts)
    assert drawn(texts, len(texts)) == texts


@settings(max_examples=40, deadline=None)
@given(st.permutations(list("aabbcdefgh")), st.integers(1, 10))
def test_the_order_of_the_lines_does_not_decide_what_is_drawn(texts: list[str], count: int) -> None:
    assert sorted(drawn(texts, count)) == sorted(drawn(sorted(texts), count))


def test_copies_are_drawn_one_by_one() -> None:
    texts = ["yes"] * 500 + [f"text {i}" for i in range(500)]
    assert 200 < drawn(texts, 500).count("yes") < 300


def test_a_draw_is_spread_over_the_whole_split() -> None:
    numbers = [int(text) for text in drawn([str(i) for i in range(1000)], 200)]
    assert 420 < sum(numbers) / 200 < 580


def test_with_context_whole_documents_are_drawn() -> None:
    documents = [f"d{i // 5}" for i in range(40)]
    for count in (5, 12, 13):
        numbers = [int(text) for text in drawn([str(i) for i in range(40)], count, documents)]
        runs = [n for n in numbers if n % 5 == 0]
        assert len(runs) == -(-count // 5), "no document is begun in its middle"
        assert all(n % 5 == 0 or n - 1 in numbers for n in numbers)
    alone = drawn(["a", "b", "c", "d"], 2, [None, None, "x", "x"])
    assert alone != ["c", "d"] or drawn(["a", "b", "c", "d"], 1, [None, None, "x", "x"]) == ["c"]


def load(folder: Path, count: int | None, **options: Any) -> Splits:
    return load_ner(DataSection(source=str(folder), train_examples=count, **options))


def test_held_out_splits_are_the_same_at_every_size(ner_data: Path) -> None:
    train = str(ner_data / "train.conll")
    few, more, whole = (
        load_ner(DataSection(source=train, train_examples=n)) for n in (5, 20, None)
    )
    for split in ("validation", "test"):
        same = {splits.fingerprints[split] for splits in (few, more, whole)}
        assert len(same) == 1
    assert (len(few["train"]), len(more["train"]), len(whole["train"])) == (5, 20, 35)
    assert few.losses["train"].examples_left_out == 30
    assert few.labels == whole.labels, "the model has outputs for what was not drawn"
    assert is_within(few["train"]["where"], more["train"]["where"])


def test_files_of_another_format_give_the_same_examples(ner_data: Path, tmp_path: Path) -> None:
    rows = load(ner_data, None)["train"]
    (tmp_path / "train.jsonl").write_text(
        "".join(json.dumps({"tokens": r["words"], "ner_tags": r["tags"]}) + "\n" for r in rows)
    )
    (tmp_path / "test.jsonl").write_text((tmp_path / "train.jsonl").read_text())
    there = load(ner_data, 9)["train"]["words"]
    section = DataSection(
        source=str(tmp_path), train_examples=9, splits={"validation": "test.jsonl"}
    )
    assert load_ner(section)["train"]["words"] == there


def test_documents_are_kept_together_where_context_is_read(ner_data: Path) -> None:
    section = DataSection(source=str(ner_data), train_examples=10)
    train = NerRows(in_documents=True).load(section)["train"]
    assert len(set(train["document"])) == 2
    assert len(set(NerRows().load(section)["train"]["document"])) > 2


def test_more_than_there_is_is_refused_with_the_count(
    nlpt: Run, tiny_recipe: Callable[..., Path], ner_data: Path
) -> None:
    recipe = tiny_recipe("ner")
    for command in ("finetune", "inspect"):
        code, _, err = nlpt(command, "--recipe", recipe, "data.train_examples=49")
        assert code == 2
        assert "data.train_examples: the train split has 48 examples" in " ".join(err.split())
    for wrong in ("0", "-3", "2.5", "all"):
        with pytest.raises(UserError, match=r"data\.train_examples"):
            load_recipe(str(recipe), [f"data.train_examples={wrong}"])
    with pytest.raises(UserError, match="has 35 examples without the 13 that are split off"):
        load_ner(DataSection(source=str(ner_data / "train.conll"), train_examples=36))


def test_too_few_to_learn_from_are_refused_by_the_key(
    tiny_recipe: Callable[..., Path], nlpt: Run
) -> None:
    code, _, err = nlpt(
        "prepare", "--recipe", tiny_recipe("classification"), "data.train_examples=1"
    )
    said = " ".join(err.split())
    assert code == 2
    assert "one class only" in said
    assert "data.train_examples: it leaves out 47 examples" in said


def test_prepare_and_a_run_say_what_is_left_out(
    nlpt: Run, tiny_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    recipe = tiny_recipe("ner", training={"epochs": 1})
    code, out, err = nlpt("prepare", "--recipe", recipe, "data.train_examples=20")
    assert code == 0, err
    assert "train: learns from 20 of its 48 examples (data.train_examples)" in " ".join(err.split())
    assert "training examples left out" in out
    described = {}
    for size, seed in ((20, 1), (20, 2), (30, 1)):
        where = tmp_path / f"{size}-{seed}"
        options = (f"data.train_examples={size}", f"training.seed={seed}")
        assert nlpt("finetune", "--recipe", recipe, "--output", where, *options)[0] == 0
        described[size, seed] = json.loads((where / "data.json").read_text("utf-8"))
    for page in ("report.md", "README.md"):
        said = (tmp_path / "20-1" / page).read_text("utf-8").replace("\\", "")
        assert "Learned from 20 of 48 training sentences (data.train_examples)." in said, page
    train = {key: of["splits"]["train"] for key, of in described.items()}
    assert train[20, 1] == train[20, 2], "the seed of training draws nothing"
    assert train[20, 1]["sha256"] != train[30, 1]["sha256"]
    assert [train[size, 1]["examples"] for size in (20, 30)] == [20, 30]
    assert [train[size, 1]["ledger"]["examples_left_out"] for size in (20, 30)] == [28, 18]
    assert train[20, 1]["ledger"]["sentences"] == 20
    scored = [of["splits"]["validation"] for of in described.values()]
    assert all(split["sha256"] == scored[0]["sha256"] for split in scored)
    code, _, err = nlpt(
        "finetune", "--recipe", recipe, "--output", tmp_path / "20-1", "data.train_examples=30"
    )
    assert code == 2
    assert "data.train_examples: 20 in the folder, 30 now" in " ".join(err.split())


def test_inspect_looks_at_all_and_says_so(nlpt: Run, tiny_recipe: Callable[..., Path]) -> None:
    recipe = tiny_recipe("ner")
    code, out, _ = nlpt("inspect", "--recipe", recipe, "--json", "data.train_examples=20")
    findings = json.loads(out)["findings"]
    said = [finding["message"] for finding in findings if finding["code"] == "train_examples"]
    assert said == ["a run learns from 20 of 48 examples; all are examined here"]
    assert code == 0
