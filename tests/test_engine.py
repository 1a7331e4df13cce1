"""The one engine behind predict and evaluate: the same answers however it computes them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from itertools import accumulate, cycle, islice
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import tagged_sentences, texts_with_classes

from nlp_transfer import Predictor, finetune, load_recipe
from nlp_transfer.errors import UserError
from nlp_transfer.inference.engine import token_batches

pytestmark = pytest.mark.usefixtures("one_thread")

ITEMS = {
    "ner": [{"tokens": [word for word, _ in s]} for s in tagged_sentences(150, seed=5)],
    "classification": [{"text": text} for text, _ in texts_with_classes(150, seed=5)],
}

ONLY_STEPS = {"eval_strategy": "no", "save_strategy": "no"}


@pytest.fixture(scope="module", params=ITEMS)
def run(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    data_folder: Callable[[str], Path],
    checkpoint: Callable[..., Path],
) -> tuple[str, Path]:
    """Train a tiny model for a task."""
    from tiny import write_recipe

    task, folder = request.param, tmp_path_factory.mktemp("run")
    recipe = write_recipe(
        folder / "r.yaml",
        task=task,
        data=data_folder(task),
        checkpoint=checkpoint("bert"),
        strategy="full",
        training={"epochs": 20, "tokens_per_batch": 96, "arguments": ONLY_STEPS},
    )
    finetune(load_recipe(str(recipe)), output=folder / "run")
    return task, folder / "run"


def _answers(run: Path, task: str, **options: Any) -> list[str]:
    predictor = Predictor.from_run(run, **options)
    results = predictor(ITEMS[task])
    if task == "ner":
        return [tag for result in results for tag in result["tags"]]
    return [result["label"] for result in results]


@pytest.mark.parametrize(("precision", "may_differ"), [("fp32", 0.0), ("bf16", 0.001)])
def test_answers_do_not_depend_on_what_is_computed_together(
    run: tuple[str, Path], precision: str, may_differ: float
) -> None:
    task, folder = run
    usual = _answers(folder, task, precision=precision)
    assert len(set(usual)) > 1
    for tokens in (1, 60, 300, 5000):
        other = _answers(folder, task, precision=precision, tokens_per_batch=tokens)
        differing = sum(a != b for a, b in zip(usual, other, strict=True))
        assert differing <= may_differ * len(usual)


def test_weights_are_cast_once_and_not_for_every_batch(run: tuple[str, Path]) -> None:
    task, folder = run
    model = Predictor.from_run(folder).loaded.model
    linear = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    shapes = {tuple(module.weight.shape) for module in linear}

    def casts(tokens: int) -> int:
        predictor = Predictor.from_run(folder, precision="bf16", tokens_per_batch=tokens)
        with torch.profiler.profile(record_shapes=True) as profile:
            list(predictor(ITEMS[task]))
        return sum(
            event.name == "aten::_to_copy" and tuple(event.input_shapes[0]) in shapes
            for event in profile.events()
        )

    # The oldest transformers that we allow copies each weight once more, while it loads.
    assert casts(60) == casts(5000) <= 2 * len(linear)


def test_batches_of_a_length_have_one_shape_whatever_is_left_over(
    run: tuple[str, Path],
) -> None:
    task, folder = run
    predictor = Predictor.from_run(folder, tokens_per_batch=1500, precision="fp32")
    shapes: list[tuple[int, int]] = []
    predictor.loaded.model.register_forward_pre_hook(
        lambda _, __, inputs: shapes.append(tuple(inputs["input_ids"].shape)), with_kwargs=True
    )
    items = ITEMS[task][:149] * 30  # more than one block
    assert len(list(predictor(items))) == len(items)
    assert len(set(shapes)) > 3
    assert all(windows == 1500 // pieces for windows, pieces in shapes[:-1])


@given(
    st.lists(st.integers(1, 600), max_size=200),
    st.integers(1, 2000),
)
def test_batches_hold_every_window_once_padded_little_to_few_lengths(
    lengths: list[int], budget: int
) -> None:
    batches = list(token_batches([{"input_ids": [0] * length} for length in lengths], budget))
    assert sorted(i for batch in batches for i in batch.windows) == list(range(len(lengths)))
    for batch in batches:
        longest = max(lengths[i] for i in batch.windows)
        assert longest <= batch.length <= min(9 / 8 * longest, max(lengths))
        assert len(batch.windows) == 1 or len(batch.windows) * batch.length <= budget
    assert len({batch.length for batch in batches}) <= 16 + 8 * 6 + 1


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="reads what Linux tells")
def test_memory_of_a_long_job_does_not_grow(trained_ner: Path, tmp_path: Path) -> None:
    lengths = islice(accumulate(cycle([7, 11, 13, 17, 5]), lambda n, more: (n + more) % 90), 8_000)
    texts, output = tmp_path / "texts.txt", tmp_path / "found.jsonl"
    texts.write_text("".join(f"{'x' * 60} " * (n + 1) + "\n" for n in lengths), "utf-8")
    command = ["predict", trained_ner, texts, "-o", output, "--precision", "bf16"]
    process = subprocess.Popen([sys.executable, "-m", "nlp_transfer", *map(str, command)])
    megabytes: dict[int, float] = {}
    """Of memory of its own, the last seen beside so many bytes of results."""
    while process.poll() is None:
        done = sum(part.stat().st_size for part in tmp_path.glob("found.jsonl.parts/*.jsonl"))
        status = Path(f"/proc/{process.pid}/status").read_text("utf-8")
        if "RssAnon:" in status:
            megabytes[done] = int(status.split("RssAnon:")[1].split()[0]) / 1024
        time.sleep(0.2)
    assert process.returncode == 0
    in_order = [megabytes[done] for done in sorted(megabytes)]
    assert len(in_order) > 18, "blocks"
    early, late = in_order[3], in_order[-2]  # at the end all is let go
    assert late < early + 10, in_order


@pytest.mark.parametrize("device", ["cuda:99", "tpu", "cpu:3"])
def test_device_that_is_not_there_is_refused(
    device: str, run: tuple[str, Path], nlpt: Callable[..., tuple[int, str, str]]
) -> None:
    code, out, err = nlpt("predict", run[1], "-", "--device", device, stdin="Ada left\n")
    assert (code, out) == (2, "")
    assert f"--device: '{device}' is not here" in err
    assert "cpu" in err
    with pytest.raises(UserError, match="not here"):
        Predictor.from_run(run[1], device=device)


def test_device_that_is_there_is_used(run: tuple[str, Path]) -> None:
    task, folder = run
    predictor = Predictor.from_run(folder, device="cpu")
    assert predictor.loaded.model.device == torch.device("cpu")
    assert _answers(folder, task, device="cpu", precision="fp32")
