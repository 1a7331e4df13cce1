"""Figures: each is checked against another way of computing it."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import f1_score as seqeval_f1
from seqeval.scheme import IOB2
from sklearn.metrics import classification_report, f1_score, roc_auc_score

from nlp_transfer.data.tags import iob2_labels, spans, to_iob2
from nlp_transfer.metrics.bootstrap import interval95, interval_doubt
from nlp_transfer.metrics.entities import entity_f1, entity_figures
from nlp_transfer.metrics.labels import class_figures, label_figures, macro_f1
from nlp_transfer.tasks.ner.viterbi import best_tags, inside_predecessors, is_legal

raw_tags = st.lists(st.sampled_from(iob2_labels(["PER", "LOC", "E-mail"])), max_size=8)


@st.composite
def tagged(draw):
    """Draw gold and predicted tags of the same words, valid IOB2 both."""
    gold, predicted = [], []
    for sentence in draw(st.lists(raw_tags, min_size=1, max_size=6)):
        other = draw(
            st.one_of(
                st.just(sentence),
                st.lists(
                    st.sampled_from(iob2_labels(["PER", "LOC", "ORG"])),
                    min_size=len(sentence),
                    max_size=len(sentence),
                ),
            )
        )
        gold.append(to_iob2(sentence, "iob2")[0])
        predicted.append(to_iob2(other, "iob2")[0])
    return gold, predicted


def counted(gold, predicted):
    """Count (correct, predicted, gold) entities over all sentences by their positions."""
    ours, theirs = (
        {(number, *span) for number, tags in enumerate(side) for span in spans(tags)}
        for side in (gold, predicted)
    )
    return len(ours & theirs), len(theirs), len(ours)


def f1(correct, predicted, gold):
    return 2 * correct / (predicted + gold) if predicted + gold else 0.0


# --- entities -------------------------------------------------------------------------------------


@given(pair=tagged())
@settings(deadline=None, max_examples=60)
def test_entity_f1_is_that_of_the_counted_spans_and_of_seqeval(pair):
    gold, predicted = pair
    wanted = f1(*counted(gold, predicted))
    overall = entity_figures(gold, predicted, samples=20).overall
    assert overall.f1 == pytest.approx(wanted)
    assert entity_f1(gold, predicted) == pytest.approx(wanted)
    assert overall.support == counted(gold, predicted)[2]
    if sum(counted(gold, predicted)):
        strict = seqeval_f1(gold, predicted, mode="strict", scheme=IOB2, zero_division=0)
        assert overall.f1 == pytest.approx(strict)


@given(pair=tagged())
@settings(deadline=None, max_examples=40)
def test_each_types_row_counts_its_own_spans(pair):
    figures = entity_figures(*pair, samples=20)
    kinds = {span.type for side in pair for tags in side for span in spans(tags)}
    assert set(figures.per_type) == kinds
    for kind, line in figures.per_type.items():
        own = [
            [[tag if tag[2:] == kind else "O" for tag in tags] for tags in side] for side in pair
        ]
        correct, found, support = counted(*own)
        assert line.precision == pytest.approx(correct / found if found else 0)
        assert line.recall == pytest.approx(correct / support if support else 0)
        assert line.f1 == pytest.approx(f1(correct, found, support))
        assert line.support == support


def test_an_entity_of_a_type_never_predicted_counts_in_recall():
    overall = entity_figures([["B-PER", "B-ART"]], [["B-PER", "O"]], samples=20).overall
    assert (overall.precision, overall.recall, overall.support) == (1.0, 0.5, 2)


@pytest.mark.parametrize("tags", [[["O", "O"]], [[]], []])
def test_text_without_entities_scores_zero_and_breaks_nothing(tags):
    figures = entity_figures(tags, tags, samples=20)
    assert figures.overall.f1 == 0.0
    assert figures.overall.f1_ci95 == (0.0, 0.0)
    assert figures.per_type == {}


def test_sides_of_different_length_are_refused():
    with pytest.raises(ValueError, match=r"shorter|longer"):
        entity_f1([["O"], ["O"]], [["O"]])


# --- partial credit -------------------------------------------------------------------------------

# Worked by hand from SemEval-2013 task 9.1: precision is points / found, recall points / support.
# A point under strict needs borders and type, under exact borders, under type an overlap of the
# same type; under partial an overlap is half a point.
CREDIT = {
    # gold and prediction: (points of strict, exact, partial, type), found, support
    "equal": ("B-X I-X O", "B-X I-X O", (1, 1, 1, 1), 1, 1),
    "other type": ("B-X I-X O", "B-Y I-Y O", (0, 1, 1, 0), 1, 1),
    "shorter": ("B-X I-X O", "B-X O O", (0, 0, 0.5, 1), 1, 1),
    "longer": ("B-X O O", "B-X I-X O", (0, 0, 0.5, 1), 1, 1),
    "shifted, other type": ("B-X I-X O", "O B-Y I-Y", (0, 0, 0.5, 0), 1, 1),
    "missed": ("B-X I-X O", "O O O", (0, 0, 0, 0), 0, 1),
    "spurious": ("O O O", "O B-X O", (0, 0, 0, 0), 1, 0),
    "missed and spurious": ("B-X O O", "O O B-X", (0, 0, 0, 0), 1, 1),
    "split in two": ("B-X I-X O", "B-X B-X O", (0, 0, 0.5, 1), 2, 1),
    "two joined": ("B-X B-X O", "B-X I-X O", (0, 0, 0.5, 1), 1, 2),
    "across two": ("B-X I-X B-Y", "O B-X I-X", (0, 0, 0.5, 1), 1, 2),
    "over two, one of its type": ("B-X B-Y O", "B-Y I-Y O", (0, 0, 0.5, 1), 1, 2),
    "twin beside overlap": ("B-X I-X B-Y", "B-X B-X B-Y", (1, 1, 1.5, 2), 3, 2),
}


def credit_of(gold, predicted):
    return entity_figures(gold, predicted, samples=1).partial_credit


@pytest.mark.parametrize("case", CREDIT)
def test_partial_credit_follows_semeval_2013(case):
    gold, predicted, points, found, support = CREDIT[case]
    credit = credit_of([gold.split()], [predicted.split()])
    for name, wanted in zip(("strict", "exact", "partial", "type"), points, strict=True):
        line = credit[name]
        assert line.precision == pytest.approx(wanted / found if found else 0), name
        assert line.recall == pytest.approx(wanted / support if support else 0), name
        assert line.f1 == pytest.approx(f1(wanted, found, support)), name


def test_partial_credit_adds_up_over_sentences():
    gold = [["B-X", "I-X", "O"], ["B-Y", "O"], ["O", "B-X"]]
    predicted = [["B-X", "O", "O"], ["B-Y", "O"], ["O", "B-Y"]]
    credit = credit_of(gold, predicted)
    assert {name: line.f1 for name, line in credit.items()} == pytest.approx(
        {"strict": 1 / 3, "exact": 2 / 3, "partial": 2.5 / 3, "type": 2 / 3}
    )


@given(pair=tagged())
@settings(deadline=None)
def test_partial_credit_is_ordered_and_its_strict_form_is_entity_f1(pair):
    credit = {name: line.f1 for name, line in credit_of(*pair).items()}
    assert credit["strict"] == pytest.approx(entity_f1(*pair))
    assert credit["strict"] <= credit["exact"] <= credit["partial"] <= 1
    assert credit["strict"] <= credit["type"] <= 1


# --- intervals ------------------------------------------------------------------------------------


def middling():
    gold = [["B-X", "O", "B-Y"], ["B-X", "I-X", "O"], ["O", "B-Y", "O"], ["B-X", "O", "O"]] * 10
    predicted = [["B-X", "O", "O"], ["B-X", "I-X", "O"], ["O", "B-X", "O"], ["B-X", "O", "O"]] * 10
    return gold, predicted


def test_the_interval_contains_the_figure_and_depends_on_the_seed_alone():
    gold, predicted = middling()
    first, again, other = (
        entity_figures(gold, predicted, samples=300, seed=seed).overall for seed in (1, 1, 2)
    )
    low, high = first.f1_ci95
    assert 0 <= low < first.f1 < high <= 1
    assert again == first
    assert other.f1_ci95 != first.f1_ci95


def test_more_sentences_give_a_narrower_interval():
    gold, predicted = middling()
    widths = []
    for times in (1, 10):
        figures = entity_figures(gold * times, predicted * times, samples=300)
        low, high = figures.overall.f1_ci95
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_the_interval_of_a_mean_is_the_textbooks():
    """A share of 0.3 in 400 draws: 0.3 -+ 1.96 * sqrt(0.3 * 0.7 / 400)."""
    hits = np.array([[1]] * 120 + [[0]] * 280)
    low, high = interval95(lambda sums: sums[:, 0] / 400, hits, samples=2000)
    assert low == pytest.approx(0.3 - 0.0449, abs=0.006)
    assert high == pytest.approx(0.3 + 0.0449, abs=0.006)


# --- single labels --------------------------------------------------------------------------------

CLASSES = ("red", "green", "blue", "accuracy", "macro avg")
guesses = st.lists(
    st.tuples(st.sampled_from(CLASSES), st.sampled_from(CLASSES)), min_size=1, max_size=30
)
label_sets = st.sets(st.sampled_from(CLASSES)).map(sorted)


def uniform(count):
    return np.full((count, len(CLASSES)), 1 / len(CLASSES))


def figures_of(gold, predicted, *, one_each=True, scores=None):
    scores = uniform(len(gold)) if scores is None else scores
    return class_figures(gold, predicted, scores, CLASSES, one_each=one_each, samples=20)


def same(line, theirs):
    assert line.precision == pytest.approx(theirs["precision"])
    assert line.recall == pytest.approx(theirs["recall"])
    assert line.f1 == pytest.approx(theirs["f1-score"])
    assert line.support == theirs["support"]


@given(drawn=guesses)
@settings(deadline=None, max_examples=30)
def test_class_report_is_scikit_learns(drawn):
    gold, predicted = (list(side) for side in zip(*drawn, strict=True))
    figures = figures_of([[label] for label in gold], [[label] for label in predicted])
    used = sorted({*gold, *predicted})
    # Through target_names: a class called "accuracy" must not disappear behind the figure.
    theirs = classification_report(
        gold, predicted, labels=used, target_names=[f"class {n}" for n in used], output_dict=True,
        zero_division=0,
    )  # fmt: skip
    assert sorted(figures.per_label) == used
    for name, line in figures.per_label.items():
        same(line, theirs[f"class {name}"])
    same(figures.macro, theirs["macro avg"])
    same(figures.weighted, theirs["weighted avg"])
    right = sum(a == b for a, b in drawn) / len(drawn)
    assert figures.accuracy == pytest.approx(right)
    assert figures.micro.f1 == pytest.approx(right)


@given(drawn=guesses)
@settings(deadline=None, max_examples=30)
def test_macro_f1_is_scikit_learns(drawn):
    gold, predicted = zip(*drawn, strict=True)
    wanted = f1_score(gold, predicted, average="macro", zero_division=0)
    ours = macro_f1([[label] for label in gold], [[label] for label in predicted], CLASSES)
    assert ours == pytest.approx(wanted)
    figures = figures_of([[label] for label in gold], [[label] for label in predicted])
    assert figures.macro.f1 == pytest.approx(wanted)


@given(drawn=st.lists(st.tuples(label_sets, label_sets), min_size=1, max_size=12))
@settings(deadline=None, max_examples=30)
def test_several_labels_a_text_are_scored_label_by_label(drawn):
    gold, predicted = zip(*drawn, strict=True)
    figures = figures_of(gold, predicted, one_each=False)
    assert figures.accuracy == pytest.approx(sum(a == b for a, b in drawn) / len(drawn))
    used = {label for pair in drawn for side in pair for label in side}
    assert set(figures.per_label) == used
    tallies = {
        name: (
            sum(name in a and name in b for a, b in drawn),
            sum(name in b for _, b in drawn),
            sum(name in a for a, _ in drawn),
        )
        for name in used
    }
    for name, tally in tallies.items():
        assert figures.per_label[name].f1 == pytest.approx(f1(*tally))
        assert figures.per_label[name].support == tally[2]
    totals = [sum(tally[i] for tally in tallies.values()) for i in range(3)]
    assert figures.micro.f1 == pytest.approx(f1(*totals))
    assert figures.macro.f1 == pytest.approx(macro_f1(gold, predicted, CLASSES))


def test_the_macro_interval_contains_the_figure():
    gold = [["red"], ["green"], ["blue"], ["red"]] * 15
    predicted = [["red"], ["green"], ["red"], ["blue"]] * 15
    macro = figures_of(gold, predicted).macro
    low, high = macro.f1_ci95
    assert low < macro.f1 < high


def test_roc_auc_is_the_mean_over_classes_that_have_both_sides():
    random = np.random.default_rng(0)
    gold = [["red"], ["green"], ["red"], ["green"], ["red"]]
    scores = random.dirichlet(np.ones(len(CLASSES)), size=5)
    wanted = np.mean(
        [
            roc_auc_score([g == [name] for g in gold], scores[:, i])
            for i, name in enumerate(CLASSES[:2])
        ]
    )
    assert figures_of(gold, gold, scores=scores).roc_auc == pytest.approx(wanted)


def test_roc_auc_is_left_out_where_all_texts_have_one_class():
    assert "roc_auc" not in figures_of([["red"]] * 4, [["red"]] * 4).as_dict()


def test_the_token_table_has_a_row_a_tag_o_too():
    gold, predicted = [["O", "B-X", "I-X"], ["O"]], [["O", "B-X", "O"], ["B-X"]]
    figures = label_figures(gold, predicted)
    theirs = classification_report(
        ["O", "B-X", "I-X", "O"], ["O", "B-X", "O", "B-X"], output_dict=True, zero_division=0
    )
    assert set(figures.per_label) == {"O", "B-X", "I-X"}
    for tag, line in figures.per_label.items():
        same(line, theirs[tag])
    assert figures.accuracy == 0.5
    same(figures.weighted, theirs["weighted avg"])


# --- Viterbi --------------------------------------------------------------------------------------


def legal_paths(labels, length):
    for path in product(range(len(labels)), repeat=length):
        names = [labels[index] for index in path]
        if to_iob2(names, "iob2")[1] == []:
            yield path


@given(
    types=st.lists(st.sampled_from(["X", "Y", "E-mail"]), min_size=1, max_size=2, unique=True),
    length=st.integers(1, 4),
    data=st.data(),
)
@settings(deadline=None, max_examples=60)
def test_viterbi_finds_the_best_of_all_legal_paths(types, length, data):
    labels = iob2_labels(types)
    labels = data.draw(st.permutations(labels))
    cells = st.integers(-8, 0)  # whole numbers: sums are exact, ties are common
    row = st.lists(cells, min_size=len(labels), max_size=len(labels))
    scores = np.array(data.draw(st.lists(row, min_size=length, max_size=length)), dtype=np.float32)
    inside = inside_predecessors(labels)
    path = best_tags(scores, inside)
    assert is_legal(path, inside)
    assert tuple(path) in set(legal_paths(labels, length))
    best = max(sum(scores[w, i] for w, i in enumerate(p)) for p in legal_paths(labels, length))
    assert sum(scores[w, i] for w, i in enumerate(path)) == best


def test_viterbi_differs_from_greedy_only_where_greedy_is_illegal():
    labels = ["O", "B-X", "I-X"]
    inside = inside_predecessors(labels)
    legal = np.log(np.array([[0.1, 0.8, 0.1], [0.2, 0.1, 0.7]], dtype=np.float32))
    assert best_tags(legal, inside).tolist() == [1, 2]
    illegal = np.log(np.array([[0.5, 0.4, 0.1], [0.1, 0.1, 0.8]], dtype=np.float32))
    assert best_tags(illegal, inside).tolist() == [1, 2]
    stubborn = np.log(np.array([[0.98, 0.01, 0.01], [0.3, 0.1, 0.6]], dtype=np.float32))
    assert best_tags(stubborn, inside).tolist() == [0, 0]


def test_viterbi_of_no_words_is_empty():
    assert best_tags(np.zeros((0, 3), dtype=np.float32), {2: (1, 2)}).tolist() == []


@given(tags=st.lists(st.sampled_from(iob2_labels(["X", "Y"])), max_size=6))
def test_legal_means_that_nothing_needs_repair(tags):
    labels = iob2_labels(["X", "Y"])
    path = np.array([labels.index(tag) for tag in tags], dtype=np.int64)
    assert is_legal(path, inside_predecessors(labels)) == (to_iob2(tags, "iob2")[1] == [])


@pytest.mark.parametrize(
    ("low", "high", "count", "said"),
    [
        (1.0, 1.0, 6, "from 6 examples only"),
        (0.2, 0.9, 29, "from 29 examples only"),
        (0.2, 0.9, 30, None),
        (1.0, 1.0, 300, "with no error in 300, up to 1.0% of new ones may be wrong"),
        (0.0, 0.0, 300, "no width"),
        (0.0, 0.0, 0, None),
    ],
)
def test_intervals_that_mean_little_are_doubted(low, high, count, said):
    doubt = interval_doubt(low, high, count)
    assert (doubt is None) if said is None else (said in doubt)
