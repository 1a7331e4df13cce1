"""Where predictions fail: every error in one place, slices that add up, and words for people."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from damaging import made_by_hand
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, balanced_accuracy_score, matthews_corrcoef
from tiny import TRAINED_HEAD

from nlp_transfer.data.arrow_tables import write_table
from nlp_transfer.data.load import PLACE, schema_of
from nlp_transfer.data.tags import iob2_labels, spans, to_iob2
from nlp_transfer.metrics.bootstrap import resampled_sums
from nlp_transfer.metrics.confusion import chained, fold
from nlp_transfer.metrics.entity_errors import ErrorKind, entity_errors
from nlp_transfer.metrics.labels import class_figures
from nlp_transfer.metrics.slices import Attribute, by_name, by_number, slice_scores
from nlp_transfer.shown import BarChart, Grid, Table
from nlp_transfer.tasks import task_named
from nlp_transfer.tasks.analysis import Analysis
from nlp_transfer.tasks.analysis_blocks import (
    confusion_blocks,
    mistake_blocks,
    short_table,
    slice_blocks,
)
from nlp_transfer.tasks.classification.decoding import Classification
from nlp_transfer.tasks.ner.decoding import Tagging

TYPES = ("PER", "LOC", "ORG")
WORDS = ("Apple", "apple", "NATO", "eBay", "42", "in")


def table(rows: list[dict[str, Any]], *texts: str, lists: tuple[str, ...]) -> Any:
    empty = dict.fromkeys(PLACE)
    return write_table([{**empty, **row} for row in rows], schema_of(*PLACE, *texts, lists=lists))


def sentences(*rows: tuple[str, str], lost: tuple[str, ...] = (), **kept: Any) -> Any:
    """Make rows of sentences and predictions: words, then gold and predicted tags, by blanks."""
    made = [
        {
            "words": words.split(),
            "tags": tags.split(),
            "lost": list(lost),
            **{name: values[number] for name, values in kept.items()},
        }
        for number, (words, tags) in enumerate(rows)
    ]
    extra = [name for name in kept if name == "slices"]
    return table(made, lists=("words", "tags", "lost", *extra))


def tagging(tags: str, score: float = 0.9) -> Tagging:
    """Predict tags, each entity with the same score."""
    names = tuple(tags.split())
    return Tagging(names, [score] * len(names), [score] * len(spans(names)))


def analysed(
    rows: Any,
    predictions: list[Any],
    *,
    train: Any = None,
    columns: tuple[str, ...] = (),
    task: str = "ner",
    samples: int = 100,
    **settings: Any,
) -> Analysis:
    face = task_named(task).model_copy(update=settings).error_analysis
    assert face is not None
    return face.analyse(rows, predictions, train=train, columns=columns, samples=samples)


def again(analysis: Analysis) -> Analysis:
    """Write an analysis as metrics.json has it, strictly, and read it."""
    return Analysis.read(json.loads(json.dumps(analysis.as_dict(), allow_nan=False)))


# --- entities -------------------------------------------------------------------------------------


@st.composite
def corpora(draw: Any) -> tuple[list[list[str]], list[list[str]], list[list[str]]]:
    """Draw words, gold and predicted tags of a few sentences."""
    tags = st.sampled_from(iob2_labels(TYPES))
    words, gold, predicted = [], [], []
    for _ in range(draw(st.integers(1, 5))):
        length = draw(st.integers(1, 9))
        of_length = {"min_size": length, "max_size": length}
        words.append(draw(st.lists(st.sampled_from(WORDS), **of_length)))
        gold.append(to_iob2(draw(st.lists(tags, **of_length)), "iob2")[0])
        other = draw(st.one_of(st.just(gold[-1]), st.lists(tags, **of_length)))
        predicted.append(to_iob2(other, "iob2")[0])
    return words, gold, predicted


@settings(deadline=None)
@given(corpora())
def test_each_entity_stands_in_exactly_one_bucket(corpus: Any) -> None:
    for gold, predicted in zip(*(map(spans, side) for side in corpus[1:]), strict=True):
        errors = entity_errors(gold, predicted)
        correct = [*({*gold} & {*predicted})]
        ours = [error.gold for error in errors if error.gold]
        theirs = [error.predicted for error in errors if error.predicted]
        assert sorted([*correct, *ours]) == sorted(gold)
        assert sorted([*correct, *theirs]) == sorted(predicted)
        for kind, one, other in errors:
            assert (kind == "missed") == (other is None)
            assert (kind == "spurious") == (one is None)
            if one and other:
                assert one.first <= other.last
                assert other.first <= one.last
                same = (one.type == other.type, one[1:] == other[1:])
                assert (
                    kind
                    == {
                        (False, True): "wrong type",
                        (True, False): "wrong borders",
                        (False, False): "wrong type and borders",
                    }[same]
                )
        left = [e for e in errors if e.kind == "missed" and e.gold]
        for alone in (e.predicted for e in errors if e.kind == "spurious" and e.predicted):
            assert not any(alone.first <= e.gold.last and e.gold.first <= alone.last for e in left)


@settings(max_examples=25, deadline=None)
@given(corpora(), st.integers(0, 2))
def test_errors_slices_and_confusions_add_up(corpus: Any, lost: int) -> None:
    words, gold, predicted = corpus
    kinds = ("LOC",) * lost
    rows = [{"words": w, "tags": g, "lost": list(kinds)} for w, g in zip(words, gold, strict=True)]
    data = table(rows, lists=("words", "tags", "lost"))
    found = analysed(
        data,
        [tagging(" ".join(tags)) for tags in predicted],
        train=data,
    )
    totals = found.all_errors()
    assert totals.gold == sum(len(spans(tags)) for tags in gold) + lost * len(gold)
    assert totals.predicted == sum(len(spans(tags)) for tags in predicted)
    pairs = totals.wrong_type + totals.wrong_borders + totals.wrong_type_and_borders
    assert totals.gold == totals.correct + pairs + totals.missed
    assert totals.predicted == totals.correct + pairs + totals.spurious
    for kind, counts in found.errors.items():
        own = counts.wrong_type + counts.wrong_borders + counts.wrong_type_and_borders
        assert counts.gold == counts.correct + own + counts.missed
        if found.confusion:
            place = found.confusion.rows.index(kind)
            assert sum(found.confusion.counts[place]) == counts.gold
            column = [row[place] for row in found.confusion.counts]
            assert sum(column) + counts.wrong_borders == counts.predicted
    for name in ("entity_length", "casing", "entity_seen", "sentence_length"):
        of_sentences = name == "sentence_length"
        support = sum(score.support for score in found.slices.get(name, {}).values())
        assert support == totals.gold - (0 if of_sentences else lost * len(gold))
    assert again(found) == replace(found, examples=None)
    assert (found.overall is None) == (not found.errors)
    assert len(found.examples.examples) == len(words)
    wrong = [example for example in found.examples.examples if example.kinds]
    assert {kind for example in wrong for kind in example.kinds} <= {*get_args(ErrorKind)}


def test_entities_are_sliced_by_what_training_has_seen_and_by_what_they_are() -> None:
    train = sentences(("Apple and apple pie in Rome", "B-ORG O O O O B-LOC"))
    rows = sentences(
        ("APPLE sued Rome", "B-ORG O B-ORG"),
        ("New York von Humboldt NATO", "B-LOC I-LOC B-PER I-PER B-ORG"),
    )
    found = analysed(
        rows,
        [tagging("B-ORG O B-LOC"), tagging("B-LOC I-LOC B-PER I-PER O")],
        train=train,
    )
    seen = found.slices["entity_seen"]
    assert {name: score.support for name, score in seen.items()} == {
        "with this type": 1,  # APPLE
        "with other types only": 1,  # Rome as ORG
        "unseen": 3,
    }
    # Predicted LOC for Rome counts where training has seen it so: with APPLE.
    assert (seen["with this type"].precision, seen["with this type"].recall) == (0.5, 1)
    assert seen["unseen"].recall == pytest.approx(2 / 3)
    assert {n: s.support for n, s in found.slices["entity_length"].items()} == {
        "1 word": 3,
        "2 words": 2,
    }
    assert {n: s.support for n, s in found.slices["casing"].items()} == {
        "Title": 2,
        "UPPER": 2,
        "mixed": 1,
    }
    slices = found.examples.examples[0].slices
    assert "entity seen: with other types only" in slices
    assert "sentence length: 1-5 words" in slices


def test_without_a_train_split_what_was_seen_is_said_to_be_unknown() -> None:
    found = analysed(sentences(("Rome", "B-LOC")), [tagging("B-LOC")])
    assert "entity_seen" not in found.slices
    assert "not known" in " ".join(found.notes)


def test_places_in_documents_and_columns_are_slices() -> None:
    rows = sentences(
        *[("Rome", "B-LOC")] * 7,
        document=["a", "a", "a", "b", "b", None, "a"],
        slices=[["web"], ["web"], [None], ["mail"], ["mail"], ["mail"], ["web"]],
    )
    found = analysed(rows, [tagging("B-LOC")] * 6 + [tagging("O")], columns=("my_source",))
    thirds = {name: score.support for name, score in found.slices["place_in_document"].items()}
    assert thirds == {"first third": 2, "middle third": 1, "last third": 1}  # of a; b has two
    column = found.slices["column my_source"]
    assert {name: (s.support, s.recall) for name, s in column.items()} == {
        "mail": (3, 1.0),
        "web": (3, pytest.approx(2 / 3)),
    }
    assert "column my_source: web" in found.examples.examples[0].slices


def test_mistakes_are_sorted_by_score_and_repeated_ones_are_counted() -> None:
    rows = sentences(*[("Apple fell", "B-ORG O")] * 7, ("New York City", "B-LOC I-LOC O"))
    predictions = [tagging("B-MISC O", 0.5 + number / 100) for number in range(7)]
    found = analysed(rows, [*predictions, tagging("B-LOC I-LOC I-LOC", 0.99)])
    assert [str(mistake) for mistake in found.repeated] == ["Apple: ORG predicted as MISC, 7 times"]
    first = found.mistakes[0]
    assert (first.kind, first.text, first.gold_text) == (
        "wrong borders",
        "New York City",
        "New York",
    )
    assert [mistake.example for mistake in found.mistakes] == [8, 7, 6, 5, 4, 3, 2, 1]
    assert {pair.count: (pair.gold, pair.predicted) for pair in found.pairs} == {7: ("ORG", "MISC")}


def test_no_entities_at_all_is_said_and_nothing_is_divided_by_nothing() -> None:
    found = analysed(sentences(("all quiet", "O O")), [tagging("O O")])
    assert found.slices == {}
    assert found.confusion is None
    assert "Neither gold nor predictions have an entity" in found.notes[0]
    assert again(found).notes == found.notes
    assert short_table(found).note == " ".join(found.notes)


def test_predictions_where_nothing_is_gold_are_spurious_and_make_no_slice() -> None:
    found = analysed(sentences(("all quiet", "O O")), [tagging("B-PER O")])
    assert found.slices == {}
    assert found.errors["PER"].spurious == found.all_errors().predicted == 1
    assert again(found) == replace(found, examples=None)


# --- classes --------------------------------------------------------------------------------------


def texts(*rows: tuple[str, list[str]]) -> Any:
    made = [{"text": text, "labels": labels} for text, labels in rows]
    return table(made, "text", "text_pair", lists=("labels",))


def labelled(*labels: str, score: float = 0.9) -> Classification:
    return Classification(labels, {"a": 0.1, "b": 0.1, **dict.fromkeys(labels, score)})


LABELS = ("a", "b/c", '"d"', "<e>")


@pytest.mark.filterwarnings("ignore:A single label was found")
@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1))
def test_figures_of_classes_are_scikit_learns_and_the_grid_adds_up(pairs: Any) -> None:
    gold, predicted = zip(*pairs, strict=True)
    scores = np.random.default_rng(len(pairs)).random((len(pairs), len(LABELS)))
    figures = class_figures(
        [[g] for g in gold], [[p] for p in predicted], scores, LABELS, one_each=True, samples=10
    )
    if len({*gold}) == 1:
        assert figures.mcc is None  # nothing to correlate with, and no 0 that looks like chance
    else:
        assert figures.mcc == pytest.approx(matthews_corrcoef(gold, predicted))
    ids = [LABELS.index(g) for g in gold]
    if {*predicted} <= {*gold}:  # else scikit-learn warns
        assert figures.balanced_accuracy == pytest.approx(balanced_accuracy_score(gold, predicted))
    areas = [
        average_precision_score([g == label for g in ids], scores[:, label])
        for label in {*ids}
        if ids.count(label) < len(ids)
    ]
    assert figures.average_precision == (pytest.approx(np.mean(areas)) if areas else None)
    found = analysed(
        texts(*((f"text {g}", [g]) for g in gold)),
        [labelled(p) for p in predicted],
        task="classification",
    )
    counts = Counter(pairs)
    grid = found.confusion
    assert {
        (one, other): count
        for one, row in zip(grid.rows, grid.counts, strict=True)
        for other, count in zip(grid.columns, row, strict=True)
        if count
    } == counts
    assert again(found) == replace(found, examples=None)


def test_texts_are_sliced_by_length_words_and_how_often_training_had_their_label() -> None:
    train = texts(*[("lend me money", ["loan"])] * 12, ("hello there", ["greeting"]))
    rows = texts(
        ("lend me money", ["loan"]),
        ("LEND HELLO", ["greeting"]),
        ("quite something else altogether, my dear", ["new"]),
    )
    found = analysed(
        rows,
        [labelled("loan"), labelled("loan"), labelled("loan")],
        train=train,
        task="classification",
    )
    frequency = found.slices["label_in_train"]
    assert {name: score.support for name, score in frequency.items()} == {
        "0 examples": 1,
        "1-9 examples": 1,
        "10-29 examples": 1,
    }
    assert (frequency["10-29 examples"].recall, frequency["10-29 examples"].precision) == (
        1.0,
        pytest.approx(1 / 3),
    )
    assert {name: s.f1 for name, s in found.slices["words_seen"].items()} == {
        "all": 0.5,
        "under 75 %": 0.0,
    }
    assert set(found.slices["casing"]) == {"lower", "UPPER"}
    assert found.examples.examples[1].kinds == ("wrong label",)


def test_several_labels_a_text_have_pairs_but_no_grid_and_it_says_so() -> None:
    rows = texts(("one", ["a", "b"]), ("two", []), ("three", ["a"]))
    found = analysed(
        rows,
        [labelled("a", "c"), labelled("c", score=0.7), labelled()],
        task="classification",
        multi_label=True,
    )
    assert found.confusion is None
    assert "several labels" in found.notes[0]
    assert {(pair.gold, pair.predicted) for pair in found.pairs} == {
        ("b", "c"),
        ("", "c"),
        ("a", ""),
    }
    assert [example.kinds for example in found.examples.examples] == [
        ("missed label", "spurious label"),
        ("spurious label",),
        ("missed label",),
    ]
    assert [mistake.score for mistake in found.mistakes] == [0.9, 0.7]


def test_texts_of_none_of_the_classes_have_a_row_and_a_column_of_their_own() -> None:
    rows = texts(("one", ["a"]), ("two", []), ("three", []), ("four", ["b"]))
    predictions = [labelled("a"), labelled(), labelled("b"), labelled()]
    found = analysed(rows, predictions, task="classification")
    assert found.confusion.rows == found.confusion.columns
    places = {name: place for place, name in enumerate(found.confusion.rows)}
    assert {*places} == {"a", "b", "(none)"}
    cells = {
        (one, other): found.confusion.counts[places[one]][places[other]]
        for one in places
        for other in places
    }
    assert {pair: count for pair, count in cells.items() if count} == {
        ("a", "a"): 1,
        ("(none)", "(none)"): 1,
        ("(none)", "b"): 1,
        ("b", "(none)"): 1,
    }
    assert again(found) == replace(found, examples=None)


def test_a_grid_of_150_classes_shows_those_confused_most_beside_each_other() -> None:
    counts = np.diag(np.full(150, 20))
    counts[7, 93] = counts[93, 7] = 9
    counts[12, 40] = 5
    folded = fold(counts, [f"c{i}" for i in range(150)])
    assert folded.names[:2] in (("c7", "c93"), ("c93", "c7"))
    assert abs(folded.names.index("c12") - folded.names.index("c40")) == 1
    assert folded.names[-1] == "(130 others)"
    assert len(folded.names) == 21
    assert folded.matrix(counts).sum() == counts.sum()
    assert sorted(chained(counts + counts.T)) == list(range(150))


# --- slices and their intervals -------------------------------------------------------------------


def test_intervals_of_slices_are_those_of_an_independent_bootstrap() -> None:
    rng = np.random.default_rng(0)
    count = 400
    example = np.sort(rng.integers(0, 150, count))
    gold, predicted = rng.random(count) < 0.8, rng.random(count) < 0.7
    counts = np.stack([gold & predicted, predicted, gold], axis=1).astype(np.int8)
    attribute = by_name("kind", [("x", "y", None)[n] for n in rng.integers(0, 3, count)])
    scores = slice_scores(attribute, counts, example, 150, samples=20_000)
    assert sum(score.support for score in scores.values()) == gold[attribute.codes >= 0].sum()
    for code, name in enumerate(attribute.values):
        own = np.zeros((150, 3))
        np.add.at(own, example[attribute.codes == code], counts[attribute.codes == code])
        drawn = own[rng.integers(0, 150, (20_000, 150))].sum(axis=1)
        figures = 2 * drawn[:, 0] / (drawn[:, 1] + drawn[:, 2])
        expected = np.percentile(figures, [2.5, 97.5])
        assert scores[name].f1_ci95 == pytest.approx(expected, abs=0.004)


@given(st.lists(st.lists(st.integers(0, 300), min_size=12, max_size=12), min_size=1, max_size=30))
def test_resampled_sums_of_examples_keep_their_counts_together(counts: list[list[int]]) -> None:
    sums = resampled_sums(np.array(counts, np.int32), samples=20)
    rows = {tuple(row) for row in counts}
    if len(rows) == 1:  # every resample holds the same
        assert (sums == np.array(counts).sum(axis=0)).all()
    wide = np.concatenate([np.array(counts)] * 2, axis=1)  # more digits than one number holds
    assert (resampled_sums(wide, samples=20)[:, :12] == sums).all()


def test_slices_are_bounded_and_ranges_named() -> None:
    many = by_name("column id", [f"v{i % 100}" for i in range(1000)] + ["often"] * 50)
    assert len(many.values) == 30
    assert many.values[-1] == "(72 others)"
    assert "often" in many.values
    numbers = by_number("n", [0, 1, 4, 5, 6, 1000], (1, 5, 100), "words")
    assert [numbers.named(item) for item in range(6)] == [
        "1 word", "1 word", "2-5 words", "2-5 words", "6-100 words", "101+ words",
    ]  # fmt: skip
    assert Attribute("x", ("a",), np.array([-1])).named(0) is None


def test_blocks_mark_what_says_little_and_write_nothing_for_nothing() -> None:
    rows = sentences(*[("Rome fell", "B-LOC O")] * 31, ("New York", "B-LOC I-LOC"))
    found = analysed(rows, [tagging("B-ORG O")] * 31 + [tagging("B-LOC I-LOC")])
    charts = [block for block in slice_blocks(found) if isinstance(block, BarChart)]
    length = next(chart for chart in charts if "entity length" in chart.title)
    assert "fewer than 30 items" in length.note
    assert "2 words" in length.note
    assert any(isinstance(block, Grid) for block in confusion_blocks(found))
    titles = [block.title for block in mistake_blocks(found) if isinstance(block, Table)]
    assert titles == ["Repeated mistakes", "The 31 most confident mistakes"]
    short = short_table(found)
    assert ("repeated", "Rome: LOC predicted as ORG, 31 times") in short.rows
    assert slice_blocks(Analysis()) == mistake_blocks(Analysis()) == ()
    assert short_table(Analysis()) is None


# --- commands -------------------------------------------------------------------------------------

Nlpt = Callable[..., tuple[int, str, str]]
RUNS = ("run", "plain")


def with_column(data: Path, folder: Path) -> Path:
    """Write the texts of CSV files with a column more, that train does not have."""
    folder.mkdir()
    for file in data.glob("*.csv"):
        header, *rows = file.read_text("utf-8").splitlines()
        lines = [f"{header},channel", *(f"{row},{n % 2}" for n, row in enumerate(rows))]
        text = "\n".join([header, *rows] if file.stem == "train" else lines)
        (folder / file.name).write_text(text, "utf-8")
    return folder


def test_a_run_says_where_it_fails_and_says_it_again(
    nlpt: Nlpt, tiny_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    recipe = tiny_recipe("ner", strategy=TRAINED_HEAD, training={"epochs": 0.5})
    code, out, err = nlpt("finetune", "--recipe", recipe, "--output", tmp_path / "run")
    assert code == 0, err
    assert "Where it fails" in out
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text("utf-8"))
    analysis = metrics["splits"]["test"]["analysis"]
    assert {"entity_seen", "entity_length", "sentence_length", "type", "casing"} <= {
        *analysis["slices"]
    }
    assert (
        analysis["errors"]["overall"]["gold"]
        == (metrics["splits"]["test"]["entity"]["overall"]["support"])
    )
    page = (Path(__file__).parent.parent / "docs" / "reports.md").read_text("utf-8")
    told = {*re.findall(r"`(\w+)`", page)}
    assert {*metrics["splits"]["test"], *analysis, *analysis["slices"]} <= told
    assert {key for part in ("mistakes", "pairs") for key in analysis[part][0]} <= told
    report = (tmp_path / "run" / "report.md").read_text("utf-8")
    assert "Errors by type" in report
    assert "F1 by entity seen" in report
    code, again, _ = nlpt("report", tmp_path / "run")
    assert code == 0
    assert "Where it fails" in again
    code, evaluated, err = nlpt("evaluate", tmp_path / "run", "--recipe", recipe, "--json")
    assert code == 0, err
    assert json.loads(evaluated)["splits"]["test"]["analysis"] == analysis
    made_by_hand(tmp_path / "run")
    for split in metrics["splits"].values():  # as a run of an earlier version has it
        del split["analysis"]
    (tmp_path / "run" / "metrics.json").write_text(json.dumps(metrics), "utf-8")
    code, earlier, _ = nlpt("report", tmp_path / "run")
    assert code == 0
    assert "Where it fails" not in earlier
    assert nlpt("report", tmp_path / "run", "--html", tmp_path / "page.html")[0] == 0
    page = (tmp_path / "page.html").read_text("utf-8")
    lines = (tmp_path / "run" / "predictions.jsonl").read_text("utf-8").splitlines()
    assert all(" ".join(json.loads(line)["tokens"][:4]) in page for line in lines)
    for broken, told in (
        (lines[0][:-9], "not valid JSON"),
        ('{"tokens": ["a"], "tags": 1}', "gold"),
    ):
        text = "\n".join([*lines[:2], broken])
        (tmp_path / "run" / "predictions.jsonl").write_text(text, "utf-8")
        code, _, err = nlpt("report", tmp_path / "run", "--html", tmp_path / "page.html")
        assert code == 2
        assert "predictions.jsonl:3" in err
        assert told in err


def test_columns_of_the_data_are_slices_and_unknown_ones_are_refused(
    nlpt: Nlpt, tiny_recipe: Callable[..., Path], classification_data: Path, tmp_path: Path
) -> None:
    data = with_column(classification_data, tmp_path / "data")
    recipe = tiny_recipe(
        "classification", source=data, strategy=TRAINED_HEAD, training={"epochs": 0.5}
    )
    own = ["finetune", "--recipe", recipe, "--output", tmp_path / "run"]
    code, _, err = nlpt(*own, "data.slices=chanel")
    assert code == 2
    assert "no column 'chanel'" in err
    assert "'channel'" in err
    code, _, err = nlpt(*own, "data.slices=[channel]")
    assert code == 0, err
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text("utf-8"))
    test = metrics["splits"]["test"]
    column = test["analysis"]["slices"]["column channel"]
    assert {name: line["support"] for name, line in column.items()} == {"0": 6, "1": 6}
    assert {"mcc", "balanced_accuracy", "average_precision"} <= {*test["class"]}
    code, _, err = nlpt("finetune", "--recipe", recipe, "--output", tmp_path / "plain")
    assert code == 0, err
    both = [json.loads((tmp_path / run / "data.json").read_text("utf-8")) for run in RUNS]
    assert both[0]["read"] == both[1]["read"]  # the column is not learned from


def test_a_column_is_refused_where_rows_have_none(
    nlpt: Nlpt, tiny_recipe: Callable[..., Path]
) -> None:
    code, _, err = nlpt("finetune", "--recipe", tiny_recipe("ner"), "data.slices=x", "--dry-run")
    assert code == 2
    assert "data.slices: not used for" in err


def test_published_figures_quote_no_data() -> None:
    from nlp_transfer.tasks.analysis import shareable

    rows = sentences(*[("Apple fell", "B-ORG O")] * 2, slices=[["Jane Roe"], ["Jane Roe"]])
    found = analysed(rows, [tagging("B-PER O")] * 2, columns=("author",)).as_dict()
    assert "Apple" in str(found)
    assert "Jane Roe" in str(found)
    shared = shareable(found)
    assert "Apple" not in str(shared)
    assert "Jane Roe" not in str(shared)
    assert shared["errors"] == found["errors"]
    assert "casing" in shared["slices"]
