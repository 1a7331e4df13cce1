"""`nlpt rank`: which checkpoint to start from; the scores behind it, against their formulas."""

from __future__ import annotations

import json
import math
import shutil
from itertools import product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.covariance import ledoit_wolf, ledoit_wolf_shrinkage

from nlp_transfer import load_recipe, rank_checkpoints
from nlp_transfer.inference.sample import draw_sample
from nlp_transfer.metrics.transferability import (
    Moments,
    h_score,
    log_me,
    p_of_difference,
)


@st.composite
def items(draw):
    """Draw features of items, and one label each."""
    seed, count = draw(st.integers(0, 2**32 - 1)), draw(st.integers(6, 40))
    hidden, labels = draw(st.integers(1, 12)), draw(st.integers(2, 4))
    random = np.random.default_rng(seed)
    which = np.concatenate([np.arange(labels), random.integers(0, labels, count - labels)])
    told = draw(st.floats(0, 3))
    features = (
        random.normal(size=(count, hidden)) + told * random.normal(size=(labels, hidden))[which]
    )
    return features + random.normal(size=hidden), which


SAYING_NOTHING = (
    np.array([[1.7, 0.0, -0.6, -1.9, 0.6, 2.2]]).T,
    np.array([1, 0, 0, 1, 0, 0]),
)
"""A feature that is next to independent of a label: no prior is too strong."""


def one_hot(which):
    return np.eye(which.max() + 1)[which]


def scored(features, which):
    moments = Moments.of(features, one_hot(which))
    return h_score(moments, shrinkage=ledoit_wolf_shrinkage(features)), log_me(moments)


# The scores against what their papers say, written out


@given(items())
@settings(deadline=None, max_examples=30)
def test_h_score_is_that_of_ibrahim_et_al(drawn):
    """(1 - a) * tr(shrunk covariance^-1 * covariance of class means); without a, Bao et al.'s."""
    features, which = drawn
    covariance, a = ledoit_wolf(features)
    means = np.stack([features[which == label].mean(axis=0) for label in range(which.max() + 1)])
    between = np.cov(means[which].T, bias=True).reshape(covariance.shape)
    expected = (1 - a) * np.trace(np.linalg.inv(covariance) @ between)
    moments = Moments.of(features, one_hot(which))
    assert h_score(moments, shrinkage=a) == pytest.approx(expected, abs=1e-6)
    if len(features) > 2 * features.shape[1]:
        plain = np.cov(features.T, bias=True).reshape(covariance.shape)
        expected = np.trace(np.linalg.inv(plain) @ between)
        assert h_score(moments, shrinkage=0) == pytest.approx(expected, rel=1e-4)


def fixed_point(features, target):
    """Compute LogME as algorithm 1 of You et al. has it, step by step.

    Features that say nothing of the target drive the prior up without end: there the steps stop
    before rounding makes it negative.
    """
    items, hidden = features.shape
    prior = noise = 1.0
    for _ in range(300):
        precision = prior * np.eye(hidden) + noise * features.T @ features
        weights = noise * np.linalg.solve(precision, features.T @ target)
        known = hidden - prior * np.trace(np.linalg.inv(precision))
        if known < 1e-9:
            break
        error = ((features @ weights - target) ** 2).sum()
        prior, noise = known / (weights**2).sum(), (items - known) / error
    return evidence(features, target, prior, noise)


def evidence(features, target, prior, noise):
    """Compute equation 2 of You et al.: the log evidence of one target, an item."""
    items, hidden = features.shape
    precision = prior * np.eye(hidden) + noise * features.T @ features
    weights = noise * np.linalg.solve(precision, features.T @ target)
    error = ((features @ weights - target) ** 2).sum()
    total = hidden / 2 * math.log(prior) + items / 2 * math.log(noise)
    total -= items / 2 * math.log(2 * math.pi) + noise / 2 * error
    total -= prior / 2 * (weights**2).sum() + np.linalg.slogdet(precision)[1] / 2
    return total / items


@example(SAYING_NOTHING)
@given(items())
@settings(deadline=None, max_examples=15)
def test_log_me_is_that_of_you_et_al(drawn):
    """At least where their steps end; a grid of priors and noises shows none higher."""
    features, which = drawn
    if len(features) <= 2 * features.shape[1] + 2:
        return  # fitted all but without error, the steps have no end
    targets = one_hot(which).T
    found = log_me(Moments.of(features, one_hot(which)))
    assert found >= np.mean([fixed_point(features, target) for target in targets]) - 1e-4
    top = log_me(Moments.of(features, targets[:1].T))
    grid = [
        evidence(features, targets[0], *pair) for pair in product(np.logspace(-3, 4, 29), repeat=2)
    ]
    assert max(grid) - 1e-4 <= top <= max(grid) + 0.05


def test_log_me_of_telling_features_is_where_the_steps_of_the_paper_end():
    random = np.random.default_rng(0)
    which = np.arange(90) % 3
    features = random.normal(size=(90, 6)) + random.normal(size=(3, 6))[which]
    expected = np.mean([fixed_point(features, target) for target in one_hot(which).T])
    assert log_me(Moments.of(features, one_hot(which))) == pytest.approx(expected, abs=1e-4)


# What changes nothing


@given(items(), st.floats(0.01, 100), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=25)
def test_scale_and_order_of_features_items_and_labels_change_nothing(drawn, scale, seed):
    features, which = drawn
    random = np.random.default_rng(seed)
    order, columns, names = map(random.permutation, (*features.shape, which.max() + 1))
    again = scored(scale * features[order][:, columns], names[which][order])
    assert again == pytest.approx(scored(features, which), rel=1e-3, abs=2e-3)


@given(items())
@settings(deadline=None, max_examples=25)
def test_turning_the_features_changes_nothing_and_moving_them_no_h_score(drawn):
    features, which = drawn
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(features.shape[1],) * 2))
    assert scored(features @ turn, which) == pytest.approx(
        scored(features, which), rel=1e-3, abs=2e-3
    )
    assert scored(features + 3, which)[0] == pytest.approx(scored(features, which)[0], abs=1e-6)


@given(items())
@settings(deadline=None, max_examples=25)
def test_h_score_lies_between_0_and_the_labels_less_one(drawn):
    features, which = drawn
    assert -1e-9 <= scored(features, which)[0] <= which.max() + 1e-9


def test_features_that_tell_labels_apart_score_higher_than_noise():
    random = np.random.default_rng(0)
    which = np.arange(200) % 4
    noise = random.normal(size=(200, 8))
    telling = noise + 3 * random.normal(size=(4, 8))[which]
    assert all(a > b for a, b in zip(scored(telling, which), scored(noise, which), strict=True))


def test_labels_that_nothing_bears_and_features_that_say_nothing_break_nothing():
    which = np.array([0, 1] * 5)
    flat = np.zeros((10, 3))
    assert scored(flat, which) == (0.0, 0.0)
    features = np.random.default_rng(0).normal(size=(10, 3))
    unseen = np.column_stack([one_hot(which), np.zeros(10)])
    moments = Moments.of(features, unseen)
    assert log_me(moments) == pytest.approx(scored(features, which)[1])
    assert h_score(moments, shrinkage=0.1) == pytest.approx(
        h_score(Moments.of(features, one_hot(which)), shrinkage=0.1)
    )


def test_leaving_items_out_is_a_subtraction():
    random = np.random.default_rng(0)
    features, which = random.normal(size=(30, 4)), np.arange(30) % 3
    labels = one_hot(which)
    left = Moments.of(features, labels) - Moments.of(features[:6], labels[:6])
    assert log_me(left) == pytest.approx(scored(features[6:], which[6:])[1], abs=1e-6)


def test_scores_that_other_examples_would_turn_round_cannot_be_told_apart():
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 10))
    assert p_of_difference(0.0, 0.1, a, b) > 0.5
    assert p_of_difference(0.0, 9.0, a / 100, b / 100 + 9) < 0.001
    assert p_of_difference(1.0, 1.0, a, a) == 1.0


# The command


@pytest.fixture(scope="module")
def names(checkpoint):
    """Three checkpoints of different families and sizes."""
    return [checkpoint("bert"), checkpoint("roberta"), checkpoint("bert", num_hidden_layers=1)]


@pytest.mark.parametrize("task", ["ner", "classification"])
def test_the_command_ranks_checkpoints_best_first(nlpt, tiny_recipe, names, task):
    code, out, err = nlpt("rank", "--recipe", tiny_recipe(task), *names, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert list(found) == ["rows", "not_distinguishable"]
    rows = found["rows"]
    assert {row["checkpoint"] for row in rows} == set(map(str, names))
    assert [row["rank"] for row in rows] == [1, 2, 3]
    scores = [row["score"] for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert set(found["not_distinguishable"]) <= {row["checkpoint"] for row in rows[1:]}
    for row in rows:
        assert min(row["parameters"], row["seconds"], row["h_score"]) > 0
        assert row["pieces_per_word"] >= 1
        assert 0 <= row["unknown_share"] <= 1
        assert row["cased"] is True
        assert row["score"] == row["log_me"]
    again = json.loads(nlpt("rank", "--recipe", tiny_recipe(task), *names[::-1], "--json")[1])
    assert [(row["checkpoint"], row["score"]) for row in again["rows"]] == [
        (row["checkpoint"], row["score"]) for row in rows
    ]


def test_the_table_says_which_is_best_or_that_it_cannot_tell(nlpt, tiny_recipe, names):
    code, out, err = nlpt("rank", "--recipe", tiny_recipe("ner"), *names)
    assert code == 0, err
    assert "48 sentences" in out
    assert "best: " in out
    assert all(str(name) in out for name in names)
    assert err.count(": score ") == 3


def test_a_trained_run_is_told_from_what_has_learned_nothing(nlpt, tiny_recipe, tiny_bert):
    recipe = tiny_recipe("ner", training={"epochs": 6, "learning_rate": 3e-3})
    assert nlpt("finetune", "--recipe", recipe, "--output", "run")[0] == 0
    found = rank_checkpoints(load_recipe(str(recipe)), [tiny_bert, "run"])
    assert [row.checkpoint for row in found.rows] == ["run", str(tiny_bert)]
    assert "best: run" in repr(found)
    assert found.cautions() == ["run has learned this very training split: its score is too high."]


def test_the_same_weights_cannot_be_told_apart(nlpt, tiny_recipe, tiny_bert, tmp_path):
    copied = shutil.copytree(tiny_bert, tmp_path / "copied")
    found = rank_checkpoints(load_recipe(str(tiny_recipe("ner"))), [tiny_bert, copied])
    assert found.not_distinguishable == (found.rows[1].checkpoint,)
    assert found.rows[0].score == found.rows[1].score
    assert "cannot tell it from" in found.verdict()


def test_labels_of_other_splits_have_no_part_in_it(tiny_recipe, tiny_bert, ner_data, tmp_path):
    other = shutil.copytree(ner_data, tmp_path / "other")
    for file in other.iterdir():
        if file.stem != "train":
            kept = [line for line in file.read_text("utf-8").splitlines() if line.strip()][-1]
            file.write_text(kept + "\n", "utf-8")
    scores = [
        rank_checkpoints(load_recipe(str(tiny_recipe("ner", source=source))), [tiny_bert])
        .rows[0]
        .score
        for source in (ner_data, other)
    ]
    assert scores[0] == scores[1]


def test_several_labels_a_text_are_ranked_too(tiny_recipe, tiny_bert, tmp_path):
    folder = tmp_path / "several"
    folder.mkdir()
    for split in ("train", "validation", "test"):
        rows = [f"text {n},{'a|b' if n % 3 else 'b' if n % 2 else ''}" for n in range(20)]
        (folder / f"{split}.csv").write_text("\n".join(["text,label", *rows]) + "\n", "utf-8")
    keys = ["task.multi_label=true", "data.label_separator=|"]
    recipe = load_recipe(str(tiny_recipe("classification", source=folder)), keys)
    (row,) = rank_checkpoints(recipe, [tiny_bert]).rows
    assert math.isfinite(row.score)
    assert row.found.items == 20


def test_model_layers_and_pieces_are_those_of_the_recipe(tiny_recipe, tiny_bert):
    def found(*keys):
        recipe = load_recipe(str(tiny_recipe("classification")), keys)
        return rank_checkpoints(recipe, [tiny_bert]).rows[0]

    whole, shallow = found(), found("model.layers=1")
    assert shallow.found.parameters < whole.found.parameters
    assert shallow.score != whole.score
    assert found("model.max_pieces=8", "task.long_texts=truncate").score != whole.score


@pytest.mark.parametrize("task", ["ner", "classification"])
def test_how_a_head_pools_has_no_part_in_it(nlpt, tiny_recipe, tiny_bert, task):
    scores = []
    for way in ("first", "mean"):
        recipe = tiny_recipe(task, model={"pooling": way})
        code, out, err = nlpt("rank", "--recipe", recipe, tiny_bert, "--json")
        assert code == 0, err
        assert "model.pooling" not in err
        scores.append(json.loads(out)["rows"][0]["score"])
    assert scores[0] == scores[1]


def test_all_that_cannot_be_ranked_is_named_before_any_is(nlpt, tiny_recipe, tiny_bert, tmp_path):
    recipe = tiny_recipe("ner", strategy="lora")
    assert nlpt("finetune", "--recipe", recipe, "--output", "lora")[0] == 0
    (tmp_path / "empty").mkdir()
    bare = shutil.copytree(tiny_bert, tmp_path / "bare")
    for file in bare.glob("*.safetensors"):
        file.unlink()
    bad = ["no/such/model", tmp_path / "empty", bare, f"{tiny_bert}/../{tiny_bert.name}"]
    code, out, err = nlpt("rank", "--recipe", recipe, tiny_bert, "lora/adapter", *bad)
    assert (code, out) == (2, "")
    assert ": score " not in err
    faults = err.partition("error: ")[2].strip().splitlines()
    assert len(faults) == 5
    assert "lora/adapter: " in faults[0]
    assert "holds an adapter" in faults[0]
    assert "bare holds no weights" in err
    assert "Name it once" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["model.max_pieces=64"], "Name checkpoints to be ranked"),
        (["CHECKPOINT", ""], "One of the checkpoints has an empty name"),
        (["CHECKPOINT", "--device", "cuda:77"], "--device: 'cuda:77' is not here"),
        (["CHECKPOINT", "model.layers=99"], "model.layers is 99, this checkpoint has"),
        (["CHECKPOINT", "model.max_pieces=100000"], "max_pieces"),
        (["CHECKPOINT", "data.source=no/such/data"], "no/such/data"),
    ],
)
def test_mistakes_are_one_clear_message(nlpt, tiny_recipe, tiny_bert, arguments, said):
    given = [str(tiny_bert) if one == "CHECKPOINT" else one for one in arguments]
    code, out, err = nlpt("rank", "--recipe", tiny_recipe("ner"), *given)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


def test_a_large_split_is_read_in_part_with_all_its_labels(tiny_recipe, tiny_bert, tmp_path):
    folder = tmp_path / "large"
    folder.mkdir()
    rows = [f"text {n},{'common' if n % 400 else 'rare'}" for n in range(1600)]
    for split in ("train", "validation", "test"):
        (folder / f"{split}.csv").write_text("\n".join(["text,label", *rows]) + "\n", "utf-8")
    recipe = load_recipe(str(tiny_recipe("classification", source=folder)))
    splits = recipe.task.rows.load(recipe.data)
    sample = draw_sample(splits["train"], recipe.task.rows, examples=100, words=10**6, groups=5)
    counts = recipe.task.rows.label_counts(sample.rows)
    assert sum(counts.values()) == 100
    assert counts["rare"] >= 2
    assert np.bincount(sample.groups).tolist() == [20] * 5
    backwards = splits["train"].select(range(1599, -1, -1))
    again = draw_sample(backwards, recipe.task.rows, examples=100, words=10**6, groups=5)
    assert set(again.rows["text"]) == set(sample.rows["text"])
    few = draw_sample(splits["train"], recipe.task.rows, examples=100, words=30, groups=5)
    assert len(few.rows) == 15
