"""`nlpt compare`: from predictions in files to which side is better, and how sure that is."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable, Iterable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from damaging import made_by_hand
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_transfer import UserError, compare
from nlp_transfer.comparisons.predictions import read_predictions
from nlp_transfer.data.tags import spans, spans_of_any, to_iob2
from nlp_transfer.metrics.outcomes import Judgement, Outcomes
from nlp_transfer.metrics.significance import differences, holm, mcnemar
from nlp_transfer.tasks import task_named

TYPES = ("PER", "ORG", "LOC")
Nlpt = Callable[..., tuple[int, str, str]]
Line = dict[str, Any]


def sentences(count: int, *, right: float, seed: int, data: int = 0) -> list[Line]:
    """Make sentences of up to three entities, so many of which are predicted right."""
    gold, guess, lines = random.Random(data), random.Random(seed), []
    for number in range(count):
        tags: list[str] = []
        for _ in range(gold.randrange(4)):
            name = gold.choice(TYPES)
            tags += ["O", f"B-{name}", *[f"I-{name}"] * gold.randrange(2)]
        tags.append("O")
        given = [
            tag if tag == "O" or guess.random() < right else f"B-{guess.choice(TYPES)}"
            for tag in tags
        ]
        tokens = [f"w{number}_{place}" for place in range(len(tags))]
        lines.append({"tokens": tokens, "gold": tags, "tags": given})
    return lines


def texts(count: int, *, right: float, seed: int, labels: tuple[str, ...] = TYPES) -> list[Line]:
    gold, guess = random.Random(0), random.Random(seed)
    lines = []
    for number in range(count):
        label = gold.choice(labels)
        given = label if guess.random() < right else guess.choice(labels)
        scores = {name: float(name == given) for name in labels}
        lines.append({"text": f"text {number}", "gold": [label], "label": given, "scores": scores})
    return lines


def write(path: Path, lines: Iterable[object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def two(folder: Path, a: list[Line], b: list[Line]) -> tuple[Path, Path]:
    return write(folder / "a.jsonl", a), write(folder / "b.jsonl", b)


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory,
    data_folder: Callable[[str], Path],
    tiny_bert: Path,
    trained: Callable[..., Path],
) -> dict[str, Path]:
    """Train a tiny model of each task, one epoch each."""
    from tiny import write_recipe

    folder = tmp_path_factory.mktemp("runs")

    def run(task: str) -> Path:
        recipe = write_recipe(
            folder / f"{task}.yaml",
            task=task,
            data=data_folder(task),
            checkpoint=tiny_bert,
            strategy="full",
            training={"epochs": 1},
        )
        return trained(recipe)

    return {task: run(task) for task in ("ner", "classification")}


@pytest.mark.parametrize("task", ["ner", "classification"])
def test_the_figures_of_predictions_are_those_of_metrics_json(runs, task):
    metrics = json.loads((runs[task] / "metrics.json").read_text("utf-8"))["splits"]["test"]
    outcomes = read_predictions(runs[task]).outcomes
    if task == "ner":
        overall, groups = metrics["entity"]["overall"], metrics["entity"]["per_type"]
    else:
        overall, groups = metrics["class"]["macro"], metrics["class"]["per_label"]
    assert outcomes.value == overall["f1"]
    assert outcomes.per_group == {name: line["f1"] for name, line in groups.items()}


def test_a_run_with_itself_differs_in_nothing(nlpt: Nlpt, runs: dict[str, Path]) -> None:
    code, out, _ = nlpt("compare", runs["ner"], runs["ner"], "--json")
    found = json.loads(out)
    assert code == 0
    assert list(found) == ["figure", "a", "b", "delta", "ci95", "p", "verdict", "per_type",
                           "flipped"]  # fmt: skip
    assert found["a"] == found["b"] == {"value": found["a"]["value"], "runs": [str(runs["ner"])]}
    assert (found["delta"], found["ci95"], found["p"]) == (0, [0, 0], 1)
    assert found["verdict"] == "unclear"
    assert found["flipped"] == {"only_a_right": 0, "only_b_right": 0}
    assert all(set(line) == {"a", "b", "delta", "ci95", "p"} for line in found["per_type"].values())


def test_lost_entities_of_rows_count_as_missed_in_their_file(tmp_path: Path) -> None:
    from nlp_transfer.tasks.ner.decoding import Tagging

    rows = [
        {"words": ["Ada", "left"], "tags": ["B-PER", "O"], "lost": ["LOC"], "where": "t.conll:1"},
        {"words": ["Rome"], "tags": ["B-LOC"], "lost": [], "where": "t.conll:4"},
    ]
    given = [Tagging(("B-PER", "O"), (0.9, 0.8), (0.9,)), Tagging(("O",), (0.7,), ())]
    task = task_named("ner")
    lines = [task.results.example(row, tags) for row, tags in zip(rows, given, strict=True)]
    assert lines[0]["lost"] == ["LOC"]
    assert "lost" not in lines[1]
    assert [line["where"] for line in lines] == ["t.conll:1", "t.conll:4"]
    found = read_predictions(write(tmp_path / "p.jsonl", lines)).outcomes
    assert found.value == 2 * 1 / (1 + 3)
    assert found.per_group == {"LOC": 0.0, "PER": 1.0}
    assert found.right.tolist() == [False, False]


def plain_bootstrap(a: list[Line], b: list[Line], samples: int) -> tuple[float, float]:
    """Resample sentences one by one, with no more than numpy."""
    counts = []
    for line_a, line_b in zip(a, b, strict=True):
        gold = set(spans(line_a["gold"]))
        found = [set(spans(to_iob2(line["tags"], "iob2")[0])) for line in (line_a, line_b)]
        counts.append([n for f in found for n in (2 * len(f & gold), len(f) + len(gold))])
    table = np.array(counts)
    drawn = np.random.default_rng(7).integers(0, len(table), (samples, len(table)))
    sums = np.array([table[row].sum(axis=0) for row in drawn])
    low, high = np.percentile(sums[:, 2] / sums[:, 3] - sums[:, 0] / sums[:, 1], [2.5, 97.5])
    return float(low), float(high)


def test_the_interval_is_that_of_an_independent_bootstrap(tmp_path: Path) -> None:
    a, b = sentences(2000, right=0.80, seed=1), sentences(2000, right=0.83, seed=2)
    found = compare(*two(tmp_path, a, b)).pairs[0]
    assert found.headline.ci95 == pytest.approx(plain_bootstrap(a, b, 5_000), abs=0.001)


def test_the_better_side_is_named_in_words(nlpt: Nlpt, tmp_path: Path) -> None:
    a, b = two(tmp_path, sentences(400, right=0.6, seed=1), sentences(400, right=0.8, seed=2))
    code, out, _ = nlpt("compare", a, b)
    assert code == 0
    said = out.splitlines()[-1]
    assert re.fullmatch(
        r"B is better: \+[\d.]+ entity F1, 95 % [\d.]+ to [\d.]+, p < 0.001 "
        r"\(one run a side: of these two models\)",
        said,
    ), said
    assert "One run a side: this is about these two models." in out
    swapped = nlpt("compare", b, a)[1].splitlines()[-1]
    assert swapped == said.replace("B is", "A is")


def test_what_cannot_be_told_says_how_many_examples_it_takes(nlpt: Nlpt, tmp_path: Path) -> None:
    a, b = two(tmp_path, sentences(200, right=0.80, seed=1), sentences(200, right=0.82, seed=4))
    said = nlpt("compare", a, b)[1].splitlines()[-1]
    assert re.search(
        r"^cannot tell: .*; about [\d,]+ test sentences would be needed to see a "
        r"difference of this size$",
        said,
    ), said


def test_several_seeds_a_side_however_they_are_named(tmp_path: Path) -> None:
    for row, right in (("a", 0.7), ("b", 0.85)):
        for seed in (1, 2, 10):
            lines = sentences(150, right=right, seed=seed if row == "a" else 100 + seed)
            write(tmp_path / "study" / "runs" / f"{row}-seed{seed}" / "predictions.jsonl", lines)
    runs = tmp_path / "study" / "runs"
    (runs / "a-seed1.log").write_text("no run")
    for seed in (1, 2, 10):
        recipe = f"name: x\ntraining: {{seed: {seed}, epochs: {2 + (seed == 2)}}}\n"
        (runs / f"b-seed{seed}" / "recipe.yaml").write_text(recipe)
    ways = [
        (tmp_path / "study" / "a", tmp_path / "study" / "b"),
        (f"{runs}/a-seed*", f"{runs}/b-seed*"),
        tuple(",".join(f"{runs}/{row}-seed{seed}" for seed in (1, 2, 10)) for row in "ab"),
    ]
    compared = [compare(*sides) for sides in ways]
    assert f"({runs}/b-seed1, ...) differ in more than training.seed: training.epochs. Their" in (
        " ".join(compared[0].cautions)
    )
    assert "3 runs say little of how much seeds vary" in compared[0].cautions[0]
    found = [sides.as_dict() for sides in compared]
    assert found[0] == found[1] == found[2]
    assert found[0]["a"]["runs"] == [str(runs / f"a-seed{seed}") for seed in (1, 2, 10)]
    values = [read_predictions(runs / f"a-seed{seed}").outcomes.value for seed in (1, 2, 10)]
    assert found[0]["a"]["value"] == pytest.approx(np.mean(values))
    assert found[0]["verdict"] == "b"


def test_more_than_two_sides_are_compared_pair_by_pair(nlpt: Nlpt, tmp_path: Path) -> None:
    files = [
        write(tmp_path / f"{seed}.jsonl", texts(300, right=right, seed=seed))
        for seed, right in ((1, 0.70), (2, 0.74), (3, 0.90))
    ]
    found = json.loads(nlpt("compare", *files, "--json")[1])
    assert list(found) == ["pairs"]
    assert [pair["verdict"] for pair in found["pairs"]] == ["unclear", "b", "b"]
    alone = [compare(files[i], files[j]).pairs[0].headline.p for i, j in ((0, 1), (0, 2), (1, 2))]
    assert [pair["p"] for pair in found["pairs"]] == holm(alone)
    *_, first, second, third = nlpt("compare", *files)[1].splitlines()
    assert first.startswith("cannot tell A and B apart: +")
    assert second.startswith("C is better than A: +")
    assert third.startswith("C is better than B: +")


class _Texts(HTMLParser):
    """What a browser would run or show of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_shows_labels_and_texts_as_they_are(nlpt: Nlpt, tmp_path: Path) -> None:
    labels = ("a/b", 'say "no"', "<img src=x>", "it's")
    a = texts(80, right=0.4, seed=1, labels=labels)
    b = texts(80, right=0.9, seed=2, labels=labels)
    for line in (*a, *b):
        line["text"] += " <img onerror=alert(1)>"
    page = tmp_path / "deep" / "compare.html"
    code, out, err = nlpt("compare", *two(tmp_path, a, b), "--html", page)
    assert code == 0, err
    read = _Texts()
    read.feed(page.read_text("utf-8"))
    assert "img" not in read.tags
    assert all(label in read.text and label in out for label in labels)
    assert "B is better" in read.text


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.tuples(*[st.sampled_from("abc")] * 3), min_size=1, max_size=30),
    st.sampled_from(["micro", "macro"]),
)
def test_laws_of_differences(rows, average):
    def side(answers: Iterable[str]) -> Outcomes:
        judged = []
        for (gold, *_), answer in zip(rows, answers, strict=True):
            counts = {
                name: (int(name == gold == answer), int(name == answer), int(name == gold))
                for name in {gold, answer}
            }
            judged.append(Judgement(counts, gold == answer))
        outcomes = Outcomes.of("F1", average, judged)
        return outcomes.among(("a", "b", "c"))

    a, b = side(r[1] for r in rows), side(r[2] for r in rows)
    found, swapped = (differences([x], [y], samples=100) for x, y in ((a, b), (b, a)))
    np.testing.assert_allclose(found.values_a, swapped.values_b)
    np.testing.assert_allclose(found.intervals, -swapped.intervals[:, ::-1], atol=1e-12)
    np.testing.assert_array_equal(found.p, swapped.p)
    assert ((found.p > 0) & (found.p <= 1)).all()
    assert np.isfinite(found.intervals).all()
    same = differences([a], [a], samples=100)
    assert (same.p == 1).all()
    assert (same.intervals == 0).all()
    correct, predicted, gold = a.totals
    assert gold.sum() == predicted.sum() == len(rows)
    assert correct.sum() == a.right.sum()
    if average == "micro":
        assert a.value == correct.sum() / len(rows)
    # Several seeds, all of them the same, are as one but for not knowing how seeds vary.
    several = differences([a, a], [b, b], samples=100)
    np.testing.assert_allclose(several.values_b - several.values_a, found.values_b - found.values_a)
    np.testing.assert_allclose(several.p, found.p)
    assert several.sd_seeds == 0


@settings(deadline=None)
@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=8))
def test_holm_is_monotone_and_never_smaller(p):
    corrected = holm(p)
    assert all(one <= other <= 1 for one, other in zip(p, corrected, strict=True))
    order = np.argsort(p)
    assert (np.diff(np.array(corrected)[order]) >= 0).all()
    assert corrected[order[0]] == min(1, len(p) * min(p))


def test_mcnemar_is_the_exact_binomial():
    right = np.ones(20, bool)
    wrong_at = [right.copy(), right.copy()]
    wrong_at[0][:1] = False
    wrong_at[1][5:12] = False
    assert mcnemar(*wrong_at) == pytest.approx(2 * (1 + 8) / 2**8)
    assert mcnemar(right, right) == 1


@given(
    st.lists(st.sampled_from(["O", *(f"{p}-{t}" for p in "BIESLU" for t in ("X", "Y"))])),
)
def test_tags_of_any_scheme_are_read_as_data_reads_them(tags):
    for scheme, letters in (("iob2", "OBI"), ("bioes", "OBIES"), ("bilou", "OBILU")):
        own = [tag for tag in tags if tag[0] in letters]
        assert spans_of_any(own) == spans(to_iob2(own, scheme)[0])


def test_another_test_set_is_refused_with_what_differs(nlpt: Nlpt, tmp_path: Path) -> None:
    lines = texts(20, right=0.8, seed=1)
    a = write(tmp_path / "a.jsonl", lines)
    other = [dict(line) for line in lines]
    other[4]["text"] = "another text"
    gold = [dict(line) for line in lines]
    gold[6]["gold"] = ["ORG" if gold[6]["gold"] != ["ORG"] else "PER"]
    for b, says in (
        (lines[:12], "They hold 20 and 12 examples. Line 13 is the first to differ"),
        (other, 'Line 5 is the first to differ: "text 4" in the first, "another text" in'),
        (gold, 'Line 7 is the first to differ: the gold of "text 6" differs'),
        (lines[::-1], "the same 20 examples in another order, from line 1 on"),
        (sentences(20, right=0.8, seed=1), "The tasks are classification and ner"),
    ):
        code, out, err = nlpt("compare", a, write(tmp_path / "b.jsonl", b), "--json")
        assert (code, out) == (2, "")
        assert says in err, err


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "it holds no predictions"),
        ("{", ":1: this is not valid JSON"),
        ("[" * 100_000, ":1: this JSON is nested too deeply"),
        ("[1]", ":1: this is no JSON object but"),
        ('{"text": "\\ud800", "gold": ["x"], "label": "x"}', ":1: \\ud800 is half a character"),
        ('{"words": ["a"]}', ":1: no task has lines with these keys: \"words\". Lines look like"),
        ('{"tokens": ["a"], "gold": ["O"]}', ':1: "tags" is missing'),
        ('{"tokens": ["a"], "gold": ["O"], "tags": []}', "1 tokens, but 1 gold tags and 0"),
        ('{"tokens": ["a"], "gold": ["O"], "tags": [1]}', ':1: "tags" is \'[1]\''),
        ('{"tokens": ["a"], "gold": ["O"], "tags": [["O"]]}', "it must be a list of texts"),
        ('{"text": "a", "gold": null, "label": "x"}', ':1: "gold" is \'None\''),
        ('{"text": 1, "gold": ["x"], "label": "x"}', 'must be texts'),
        ('{"text": "a", "gold": ["x"], "label": {}}', ':1: "label" is'),
    ],
)  # fmt: skip
def test_lines_that_cannot_be_read_are_named(nlpt: Nlpt, tmp_path: Path, line: str, says: str):
    file = tmp_path / "a.jsonl"
    file.write_text(line, "utf-8")
    code, out, err = nlpt("compare", file, file)
    assert (code, out) == (2, "")
    assert says in err
    assert "Traceback" not in err


def test_what_is_no_side_is_refused(nlpt: Nlpt, tmp_path: Path) -> None:
    file = write(tmp_path / "good.jsonl", texts(5, right=1, seed=1))
    (tmp_path / "empty").mkdir()
    for name in ("recipe.yaml", "environment.json"):
        write(tmp_path / "begun" / name, [])
    write(tmp_path / "study" / "study.json", [{}])
    write(tmp_path / "study" / "runs" / "lr1-seed1" / "predictions.jsonl", [])
    for sides, says in (
        ((file,), "takes 2 to 26 sides, not 1"),
        ((file, tmp_path / "goood.jsonl"), "no such run, file or row of a study. Did you mean"),
        ((file, tmp_path / "empty"), "there is no predictions.jsonl here"),
        ((file, tmp_path / "begun"), "this run is not finished"),
        ((file, tmp_path / "study"), "is a study: name a row of it"),
        ((file, tmp_path / "study" / "lr2"), "Did you mean 'lr1'"),
        ((file, f"{file},{file}"), "is named twice"),
        ((file, ","), "is a shell variable empty?"),
        ((file, ""), "is a shell variable empty?"),
        ((file, file, "--html", file), "holds something else than a page"),
        ((file, f"{tmp_path}/x*"), "no run folder and no .jsonl file has such a name"),
        ((file, file, "--html", tmp_path), "is a folder; name a file"),
        ((file, file, "--html", file / "page.html"), "is a file, so nothing can be written in it"),
    ):
        code, out, err = nlpt("compare", *sides)
        assert (code, out) == (2, ""), err
        assert says in err, err


def test_nothing_to_find_is_zero_with_a_warning_never_nan(nlpt: Nlpt, tmp_path: Path) -> None:
    lines = [{"tokens": ["a", "b"], "gold": ["O", "O"], "tags": ["O", "O"]}] * 40
    a, b = two(tmp_path, lines, lines)
    _, out, err = nlpt("compare", a, b, "--json")
    found = json.loads(out)
    assert (found["a"]["value"], found["delta"], found["p"]) == (0.0, 0.0, 1.0)
    assert "There are no gold entities in the test set" in err
    code, out, _ = nlpt("compare", a, b)
    assert code == 0
    assert "There are no gold entities in the test set, so every figure is 0.0." in out
    assert "nan" not in out.lower()


def test_the_mark_of_utf_8_is_no_obstacle(tmp_path: Path):
    a = write(tmp_path / "a.jsonl", texts(30, right=1, seed=1))
    b = tmp_path / "b.jsonl"
    b.write_text(a.read_text("utf-8"), "utf-8-sig")
    assert compare(a, b).pairs[0].headline.delta == 0


def test_a_report_that_counts_more_than_its_predictions_is_noticed(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    old = tmp_path / "old"
    shutil.copytree(runs["ner"], old, ignore=shutil.ignore_patterns("model"))
    assert not [c for c in compare(old, runs["ner"]).cautions if "its report" in c]
    made_by_hand(old)
    metrics = json.loads((old / "metrics.json").read_text("utf-8"))
    metrics["splits"]["test"]["entity"]["overall"]["f1"] += 0.01
    (old / "metrics.json").write_text(json.dumps(metrics), "utf-8")
    assert [c for c in compare(old, runs["ner"]).cautions if "its report says" in c]


def test_a_text_of_none_of_the_classes_is_an_answer_too(tmp_path: Path) -> None:
    lines = [{"text": str(i), "gold": ["xy"[i % 2]], "label": "xy"[i % 2]} for i in range(40)]
    a, b = two(tmp_path, lines, [{**line, "label": None} for line in lines[:10]] + lines[10:])
    found = compare(a, b, html=tmp_path / "page.html").pairs[0]
    assert (found.a.value, found.b.value) == (1.0, pytest.approx(2 * 15 / (15 + 20)))
    assert len(found.only_a_right) == 10


def test_one_class_only_is_said(nlpt: Nlpt, tmp_path: Path) -> None:
    lines = [{"text": str(i), "gold": ["x"], "label": "x"} for i in range(40)]
    code, out, _ = nlpt("compare", *two(tmp_path, lines, lines))
    assert code == 0
    assert "there is nothing to tell apart" in out


def test_lines_of_other_tools_are_read_as_the_docs_show_them(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "comparing.md").read_text("utf-8")
    shown = re.findall(r"```json\n(.*?)\n```", page)
    assert len(shown) == 2
    for line, value in zip(shown, (2 / 3, 1.0), strict=True):
        file = write(tmp_path / "a.jsonl", [json.loads(line)])
        assert compare(file, file).as_dict()["a"]["value"] == pytest.approx(value)


def test_a_line_of_gigabytes_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nlp_transfer.comparisons.predictions._MOST_BYTES", 100)
    file = write(tmp_path / "a.jsonl", [{"text": "x" * 200, "gold": ["x"], "label": "x"}])
    with pytest.raises(UserError, match=":1: too long: 10,000,000 lines of 100 bytes are read"):
        compare(file, file)


def test_seeds_are_not_taken_for_data(tmp_path: Path) -> None:
    """Large test sets tell any two models apart; of the recipes that says nothing."""
    rng = np.random.default_rng(0)

    def side() -> list[Outcomes]:
        runs = []
        for share in 0.8 + 0.03 * rng.standard_normal(3):
            right = rng.random(1000) < share
            judged = [Judgement({"x": (int(r), 1, 1)}, bool(r)) for r in right]
            runs.append(Outcomes.of("F1", "micro", judged))
        return runs

    pairs = [(side(), side()) for _ in range(20)]
    apart = [differences(a, b, samples=200).p[0] < 0.05 for a, b in pairs]
    by_one = [differences(a[:1], b[:1], samples=200).p[0] < 0.05 for a, b in pairs]
    assert sum(apart) <= 3
    assert sum(by_one) >= 5  # as Reimers and Gurevych 2018 found
