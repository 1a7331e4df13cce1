"""Several tasks, one encoder: what is shared, what is drawn, what is kept of each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from interrupting import interrupted
from safetensors.torch import load_file
from tiny import FAMILIES, write_csv

from nlp_transfer import Predictor, finetune, load_recipe
from nlp_transfer.flows.report import read_report
from nlp_transfer.models.build import build_model
from nlp_transfer.models.shared_encoder import release_sides, share_encoder
from nlp_transfer.recipe import ModelSection
from nlp_transfer.tasks.classification.task import ClassificationTask
from nlp_transfer.tasks.ner.task import NerTask
from nlp_transfer.training.batching import TokenBatchSampler

pytestmark = pytest.mark.usefixtures("one_thread")

Recipes = Callable[..., Path]
Checkpoints = Callable[..., Path]


@pytest.fixture
def two_tasks(tiny_recipe: Recipes, data_folder: Callable[[str], Path]) -> Recipes:
    """Return a function that writes a recipe for NER, with a classification beside it."""

    def write(*, data: Path | None = None, **sections: Any) -> Path:
        source = str(data or data_folder("classification"))
        topics = {"task": {"name": "classification"}, "data": {"source": source}}
        multi_task = {"name": "multi_task", "side_tasks": {"topics": topics}}
        multi_task |= sections.pop("multi_task", {})
        return tiny_recipe(strategy=[*sections.pop("beside", []), multi_task], **sections)

    return write


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


# The shared encoder


@pytest.mark.parametrize("main", ["ner", "classification"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_side_task_is_answered_as_by_its_own_model_and_each_parameter_counts_once(
    family: str, main: str, checkpoint: Checkpoints
) -> None:
    options = ModelSection(checkpoint="x", max_pieces=48)
    folder = checkpoint(family)
    both = [
        build_model(folder, NerTask().head.new(["PER"]), options),
        build_model(folder, ClassificationTask().head.new(["a", "b"]), options),
    ]
    if main == "classification":
        both.reverse()
    own, side = (loaded.model for loaded in both)
    inputs = {"input_ids": torch.tensor([[5, 6, 7, 8]])}
    alone = [model(**inputs).logits for model in (own, side)]
    names, side_names = ({name for name, _ in model.named_parameters()} for model in (own, side))
    encoder = f"{own.base_model_prefix}."
    unshared = {name for name in side_names if name not in names or not name.startswith(encoder)}
    stock = {name: value.clone() for name, value in side.state_dict().items()}

    new = share_encoder(both[0], [both[1]]).new_parameters
    assert new - both[0].new_parameters == {f"side_tasks.1.{n}" for n in both[1].new_parameters}
    assert own(**inputs).logits.equal(alone[0])
    assert own(**inputs, task=torch.tensor([1])).logits.equal(alone[1])
    shared = {name for name, _ in own.named_parameters()}
    assert shared == names | {f"side_tasks.1.{name}" for name in unshared}

    assert release_sides(own) == [side]
    assert {name for name, _ in own.named_parameters()} == names
    assert own(**inputs).logits.equal(alone[0])
    assert side(**inputs).logits.equal(alone[1])
    whole = side.state_dict()
    assert whole.keys() == stock.keys()
    assert all(whole[name].equal(value) for name, value in stock.items())


def test_tasks_learn_one_encoder_and_leave_a_whole_model_each(
    two_tasks: Recipes, trained: Recipes
) -> None:
    run = trained(two_tasks())
    report = read_report(run)
    main, side = _weights(run / "model"), _weights(run / "tasks" / "topics")
    shared = {name for name in main if name.startswith("bert.")}
    assert shared
    assert all(main[name].equal(side[name]) for name in shared)
    assert not any("side_tasks" in name for name in (*main, *side))
    figures = report.metrics["tasks"]["topics"]
    assert figures["task"] == "classification"
    assert figures["splits"]["test"]["class"]["per_label"].keys() == {"order", "refund", "praise"}
    lines = (run / "tasks" / "topics" / "predictions.jsonl").read_text("utf-8").splitlines()
    written = [json.loads(line) for line in lines]
    predictor = Predictor.from_run(run / "tasks" / "topics", precision="fp32")
    for found, line in zip(predictor([row["text"] for row in written]), written, strict=True):
        assert found["scores"] == pytest.approx(line["scores"], abs=1e-5)


def test_a_task_that_is_drawn_more_often_changes_the_encoder_of_the_other(
    two_tasks: Recipes, tiny_recipe: Recipes, trained: Recipes, tmp_path: Path
) -> None:
    alone = trained(tiny_recipe(path=tmp_path / "alone.yaml"))
    both, one = (_weights(run / "model") for run in (trained(two_tasks()), alone))
    assert both.keys() == one.keys()
    assert not both["bert.embeddings.word_embeddings.weight"].equal(
        one["bert.embeddings.word_embeddings.weight"]
    )


def test_accumulated_batches_make_the_steps_of_whole_ones(
    two_tasks: Recipes, checkpoint: Checkpoints, tmp_path: Path
) -> None:
    still = checkpoint("bert", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    weights = []
    for parts in (None, 100):
        recipe = two_tasks(
            checkpoint=still,
            path=tmp_path / f"{parts}.yaml",
            training={"epochs": 1, "tokens_at_once": parts},
        )
        run = tmp_path / str(parts)
        finetune(load_recipe(str(recipe)), output=run)
        weights.append({**_weights(run / "model"), **_weights(run / "tasks" / "topics")})
    one, four = weights
    assert all(one[name].allclose(four[name], atol=2e-5) for name in one)


def test_a_run_that_was_cut_off_goes_on_with_every_head(two_tasks: Recipes, tmp_path: Path) -> None:
    by_steps = {"eval_strategy": "steps", "eval_steps": 3, "save_strategy": "steps"}
    training = {"epochs": 2, "arguments": {**by_steps, "save_steps": 3}}
    recipe = load_recipe(str(two_tasks(multi_task={"temperature": 3}, training=training)))
    finetune(recipe, output=tmp_path / "whole")
    with interrupted(at_step=5), pytest.raises(KeyboardInterrupt):
        finetune(recipe, output=tmp_path / "cut")
    finetune(recipe, output=tmp_path / "cut")
    for part in ("model", "tasks/topics"):
        whole, cut = _weights(tmp_path / "whole" / part), _weights(tmp_path / "cut" / part)
        assert all(cut[name].equal(value) for name, value in whole.items())


@pytest.mark.parametrize(
    "beside",
    ["r_drop", "fgm", {"name": "frozen", "layers": 1}, "layerwise_lr", "l2_sp", "interpolate"],
)
def test_other_strategies_hold_for_every_task(
    beside: Any, two_tasks: Recipes, tmp_path: Path
) -> None:
    section = {"name": beside} if isinstance(beside, str) else beside
    run = tmp_path / "run"
    finetune(load_recipe(str(two_tasks(beside=[section]))), output=run)
    assert _weights(run / "tasks" / "topics")["classifier.weight"].shape[0] == 3


# Which batches are drawn

tasks_and_lengths = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 60)), min_size=1, max_size=80
)


def _sampler(windows: Sequence[tuple[int, int]], temperature: float) -> TokenBatchSampler:
    return TokenBatchSampler(
        [length for _, length in windows],
        tokens_per_batch=128,
        seed=7,
        tasks=[task for task, _ in windows],
        temperature=temperature,
    )


@given(tasks_and_lengths, st.sampled_from([1.0, 2.0, 5.0]))
def test_a_batch_is_of_one_task_and_no_task_is_left_out(
    windows: list[tuple[int, int]], temperature: float
) -> None:
    sampler = _sampler(windows, temperature)
    batches = sampler.global_batches(0)
    assert len(batches) == len(sampler)
    tasks = [{windows[number][0] for number in batch} for batch in batches]
    assert all(len(of_batch) == 1 for of_batch in tasks)
    assert set().union(*tasks) == {task for task, _ in windows}


@given(tasks_and_lengths)
def test_at_temperature_1_every_window_is_read_once_an_epoch(
    windows: list[tuple[int, int]],
) -> None:
    batches = _sampler(windows, 1.0).global_batches(3)
    assert sorted(n for batch in batches for n in batch) == list(range(len(windows)))


def test_a_higher_temperature_evens_the_tasks_out() -> None:
    windows = [(0, 128)] * 90 + [(1, 128)] * 10  # a batch each
    drawn = {}
    for temperature in (1.0, 2.0, 1e6):
        batches = _sampler(windows, temperature).global_batches(0)
        drawn[temperature] = Counter(windows[batch[0]][0] for batch in batches)
        small = Counter(batch[0] for batch in batches if windows[batch[0]][0] == 1)
        assert max(small.values()) - min(small.values()) <= 1  # all once before any again
    assert drawn[1.0] == {0: 90, 1: 10}
    assert drawn[2.0] == {0: 75, 1: 25}  # 90 and 10 to the power of 1/2 are as 3 to 1
    assert drawn[1e6] == {0: 50, 1: 50}


def test_pieces_of_an_epoch_are_those_of_its_batches() -> None:
    windows = [(0, 100)] * 8 + [(1, 50)] * 2
    assert _sampler(windows, 1.0).pieces_an_epoch == 8 * 100 + 2 * 50
    sampler = _sampler(windows, 1e6)
    batches = sampler.global_batches(0)
    assert sampler.pieces_an_epoch == sum(windows[n][1] for batch in batches for n in batch)


# What is said


def test_every_page_has_the_figures_of_every_task(
    two_tasks: Recipes, tmp_path: Path, nlpt: Callable[..., tuple[int, str, str]]
) -> None:
    run = tmp_path / "run"
    code, out, _ = nlpt("finetune", "--recipe", two_tasks(), "--output", run)
    assert code == 0
    for text in (out, (run / "report.md").read_text("utf-8"), (run / "report.html").read_text()):
        assert "topics, test macro F1" in text
        assert "test entity F1" in text


def test_plan_and_preparation_count_every_task(
    two_tasks: Recipes, nlpt: Callable[..., tuple[int, str, str]]
) -> None:
    for command in (["finetune", "--dry-run"], ["prepare"]):
        code, out, _ = nlpt(*command, "--recipe", two_tasks(), "--json")
        assert code == 0
        plan = json.loads(out)
        assert plan["splits"]["train"]["ledger"]["sentences"] == 48
        assert plan["tasks"]["topics"]["labels"] == ["order", "praise", "refund"]
        assert plan["tasks"]["topics"]["splits"]["train"]["ledger"]["sentences"] == 48
    assert Path(plan["tasks"]["topics"]["folders"]["train"]).is_dir()


def test_changed_data_of_a_side_task_is_noticed(
    two_tasks: Recipes,
    tmp_path: Path,
    nlpt: Callable[..., tuple[int, str, str]],
) -> None:
    data = tmp_path / "topics"
    data.mkdir()
    rows = [("good", "yes"), ("bad", "no"), ("fine", "yes"), ("poor", "no")] * 3
    for split in ("train", "validation", "test"):
        write_csv(data / f"{split}.csv", rows)
    recipe, run = two_tasks(data=data), tmp_path / "run"
    with interrupted(at_step=1), pytest.raises(KeyboardInterrupt):
        finetune(load_recipe(str(recipe)), output=run)
    write_csv(data / "train.csv", [*rows, ("awful", "no")])
    code, _, error = nlpt("finetune", "--recipe", recipe, "--output", run)
    assert code == 2
    assert "topics, train split: " in error


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"side_tasks": {}}, "side_tasks"),
        ({"side_tasks": {"a/b": None}}, "cannot be a name here"),
        ({"temperature": 0.5}, "temperature"),
        ({"side_tasks": {"topics": {"task": {"name": "ner"}}}}, "side_tasks.topics.data"),
        (
            {"side_tasks": {"topics": {"task": {"name": "ner"}, "data": {"source": "nowhere"}}}},
            "side_tasks.topics: ",
        ),
    ],
)
def test_a_wrong_side_task_is_named(
    section: dict[str, Any],
    message: str,
    two_tasks: Recipes,
    tmp_path: Path,
    nlpt: Callable[..., tuple[int, str, str]],
) -> None:
    run = tmp_path / "run"
    code, _, error = nlpt("finetune", "-r", two_tasks(multi_task=section), "-o", run)
    assert code == 2
    assert message in error
    assert "Traceback" not in error
    assert not run.exists()
