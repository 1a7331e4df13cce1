"""What is learned from other models: distillation, intermediate tasks, a part of the layers."""

from __future__ import annotations

import logging
import math
import os
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from damaging import DAMAGES, change, made_by_hand
from safetensors.torch import load_file
from steps import Built, built
from tiny import FAMILIES, build_checkpoint
from transformers import PreTrainedModel

from nlp_transfer import Predictor, finetune, load_recipe
from nlp_transfer.data.arrow_tables import cache_folder
from nlp_transfer.errors import UserError
from nlp_transfer.models.fast_cpu import sped_up
from nlp_transfer.strategies.distillation import Reworded
from nlp_transfer.tasks import task_named
from nlp_transfer.tasks.objective import IGNORED, soft_binary_cross_entropy, soft_cross_entropy

pytestmark = pytest.mark.usefixtures("one_thread")

Recipes = Callable[..., Path]
SHORT = {"epochs": 1, "arguments": {"max_steps": 2}}
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


@pytest.fixture
def teacher(tmp_path: Path, tiny_recipe: Recipes, trained: Recipes) -> Callable[..., Path]:
    """Return a function that names the run of a model for a task, which tests must not change."""

    def train(kind: str, *overrides: str, **sections: Any) -> Path:
        path = tiny_recipe(kind, path=tmp_path / "teacher.yaml", training=SHORT, **sections)
        return trained(path, *overrides)

    return train


def parts_of(path: Path, *overrides: str) -> Built:
    return built(load_recipe(str(path), list(overrides)))


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model" / "model.safetensors")


# Distillation


def test_teacher_is_opened_once(
    tmp_path: Path, tiny_recipe: Recipes, teacher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    strategy = {"name": "distillation", "teacher": str(teacher("ner")), "copies": 1, "hidden": 1}
    original, opened = PreTrainedModel.from_pretrained.__func__, []

    def from_pretrained(cls: type, folder: Any, *args: Any, **options: Any) -> Any:
        opened.append(str(folder))
        return original(cls, folder, *args, **options)

    monkeypatch.setattr(PreTrainedModel, "from_pretrained", classmethod(from_pretrained))
    recipe = tiny_recipe(strategy=["full", strategy], training=SHORT)
    finetune(load_recipe(str(recipe)), output=tmp_path / "run")
    assert sum(folder.startswith(strategy["teacher"]) for folder in opened) == 1
    assert len(opened) == 3, "and the checkpoint, and what was saved of it, to be verified"


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_soft_loss_is_the_softened_divergence(temperature: float) -> None:
    student, logits = [1.0, 0.0, -2.0], [0.5, 2.0, 0.0]

    def softened(values: list[float]) -> list[float]:
        powers = [math.exp(value / temperature) for value in values]
        return [power / sum(powers) for power in powers]

    p, q = softened(logits), softened(student)
    expected = temperature**2 * sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    taught = torch.tensor([logits]).log_softmax(-1)
    found = soft_cross_entropy(torch.tensor([student]), taught, temperature)
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_soft_loss_of_many_labels_is_one_of_yes_or_no_each() -> None:
    student, taught = torch.tensor([[1.0, -1.0]]), torch.tensor([[0.9, 0.2]]).log()
    q = [1 / (1 + math.exp(-1.0)), 1 / (1 + math.exp(1.0))]
    expected = sum(
        p * math.log(p / b) + (1 - p) * math.log((1 - p) / (1 - b))
        for p, b in zip([0.9, 0.2], q, strict=True)
    )
    found = soft_binary_cross_entropy(student, taught, 1.0)
    assert found.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("task", ["ner", "classification"])
@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_loss_is_that_of_labels_and_of_the_teacher(
    family: str, task: str, tmp_path: Path, tiny_recipe: Recipes, teacher: Any, checkpoint: Any
) -> None:
    """A roberta student has another tokenizer than its bert teacher."""
    master = teacher(task)
    strategy = {"name": "distillation", "teacher": str(master), "temperature": 1.5, "weight": 0.3}
    start = checkpoint(family)
    parts = parts_of(tiny_recipe(task, checkpoint=start, strategy=["full", strategy]))
    plain = parts_of(tiny_recipe(task, checkpoint=start))
    distilled, alone = (each.trainer(tmp_path / "c") for each in (parts, plain))
    numbers = [3, 1, 2, ~0]
    rows = [distilled.train_dataset[number] for number in numbers]
    batch = distilled._collate(rows)
    labels = batch["labels"]
    logits = torch.randn(
        (*batch["input_ids"].shape, 7) if task == "ner" else (4, 3),
        generator=torch.Generator().manual_seed(2),
    )
    forward = lambda _: {"logits": logits}  # noqa: E731
    items = torch.tensor(5.0)
    hard = alone.compute_loss_func(forward, batch, items)
    model = Predictor.from_run(master, precision="fp32")
    examples = [parts.data["train"].encoded.windows[n]["example"] for n in numbers[:3]]
    soft = 0.0
    by_row = list(model.distributions(parts.splits["train"].select(examples)))
    for place, (row, example) in enumerate(zip(rows, by_row, strict=False)):
        if task == "ner":
            own = logits[place, row["positions"]]
            owned = [
                r for r in parts.data["train"].encoded.windows if r["example"] == examples[place]
            ]
            start_word = sum(len(r["positions"]) for r in owned[: _place(owned, row)])
            taught = torch.tensor(example[start_word : start_word + len(own)])
        else:
            own, taught = logits[place : place + 1], torch.tensor(example)
        order = [model.labels.index(name) for name in parts.loaded.model.config.label2id]
        soft += soft_cross_entropy(own, taught[:, order].float(), 1.5).item()
    assert (labels[3] == IGNORED).all()
    expected = 0.7 * hard.item() + 0.3 * soft / 5
    found = distilled.compute_loss_func(forward, batch, items)
    assert found.item() == pytest.approx(expected, rel=1e-4)


def _place(windows: list[dict[str, Any]], row: dict[str, Any]) -> int:
    return next(i for i, window in enumerate(windows) if window["input_ids"] == row["input_ids"])


def test_teacher_reads_once_and_a_damaged_table_is_made_again(
    tmp_path: Path, tiny_recipe: Recipes, teacher: Any, monkeypatch: Any, caplog: Any
) -> None:
    monkeypatch.setenv("NLPT_CACHE", str(tmp_path / "cache"))
    strategy = {"name": "distillation", "teacher": str(teacher("ner"))}
    recipe = load_recipe(str(tiny_recipe(strategy=["full", strategy], training=SHORT)))
    finetune(recipe, output=tmp_path / "one")
    (table,) = (cache_folder() / "teachers").glob("*/*.npy")
    os.utime(table, (1, 1))
    finetune(recipe, output=tmp_path / "two")
    assert table.stat().st_mtime == 1
    change(table, DAMAGES["one bit"])
    finetune(recipe, output=tmp_path / "three")
    assert f"{table.parent} is damaged ({table.name} holds other bytes" in caplog.text
    runs = [weights_of(tmp_path / name) for name in ("one", "two", "three")]
    assert all(run[name].equal(runs[0][name]) for run in runs for name in runs[0])


@pytest.mark.parametrize("task", ["ner", "classification"])
def test_copies_hold_other_words_and_what_the_teacher_makes_of_them(
    task: str, tiny_recipe: Recipes, teacher: Any
) -> None:
    master = teacher(task)
    strategy = {"name": "distillation", "teacher": str(master), "replace_words": 1.0}
    plain = parts_of(tiny_recipe(task)).splits["train"]
    path = tiny_recipe(task, strategy=["full", {**strategy, "copies": 2}])
    parts = parts_of(path)
    train = parts.splits["train"]
    added = parts.data["train"].encoded.ledger.examples_added
    assert len(plain) < added <= 2 * len(plain)
    assert len(train) == len(plain) + added
    copies = train.select(range(len(plain), len(train)))
    given = Predictor.from_run(master, precision="fp32").predict(copies)
    for row, prediction in zip(copies, given, strict=True):
        expected = prediction.tags if task == "ner" else prediction.labels
        assert row["tags" if task == "ner" else "labels"] == list(expected)
        assert row["where"].endswith(" reworded")
    again = parts_of(path).splits["train"]
    assert again.to_list() == train.to_list()


@pytest.mark.parametrize("task", ["ner", "classification"])
def test_share_of_replaced_words_is_drawn_below_the_one_asked_for(task: str) -> None:
    words = ["where", "is", "my", "parcel", "42", "?"]
    row: dict[str, Any] = {"text": " ".join(words), "text_pair": None}
    if task == "ner":
        row = {"words": words, "tags": ["O"] * 6}
    others = (
        [{"words": ["new", "3.5"]}] if task == "ner" else [{"text": "new 3.5", "text_pair": None}]
    )
    additions = task_named(task).additions
    assert additions is not None
    reworded = Reworded(others, additions, share=0.5)
    seen = [reworded(row, str(seed)) for seed in range(400)]
    found = [new["words"] if task == "ner" else new["text"].split() for new in seen]
    assert all(new[4:] == words[4:] and {*new} <= {*words, "new"} for new in found)
    replaced = sum(new.count("new") for new in found) / (4 * len(found))
    assert replaced == pytest.approx(0.25, abs=0.04)
    assert reworded(row, "7") == seen[7]


def test_answers_of_another_precision_are_not_used_again(
    tmp_path: Path, tiny_recipe: Recipes, teacher: Any, monkeypatch: Any, caplog: Any
) -> None:
    monkeypatch.setenv("NLPT_CACHE", str(tmp_path / "cache"))
    strategy = {"name": "distillation", "teacher": str(teacher("ner"))}
    for precision in ("fp32", "bf16"):
        path = tiny_recipe(strategy=["full", strategy], training={"precision": precision})
        _built(path, tmp_path)
    assert len(list((cache_folder() / "teachers").iterdir())) == 2


def test_accumulation_gives_the_same_step(
    tmp_path: Path, tiny_recipe: Recipes, teacher: Any, checkpoint: Any
) -> None:
    start = checkpoint("bert", **NO_DROPOUT)
    master = teacher("ner", checkpoint=start)
    strategy = {"name": "distillation", "teacher": str(master), "hidden": 0.5}

    def weights(steps: int) -> dict[str, torch.Tensor]:
        training = {"optimizer": "sgd", "learning_rate": 0.3, "warmup": 0}
        path = tiny_recipe(
            checkpoint=start,
            strategy=["full", strategy],
            training={
                **training,
                "tokens_per_batch": 64,
                "tokens_at_once": 64 // steps,
                "arguments": {"max_steps": 2},
            },
        )
        finetune(load_recipe(str(path)), output=tmp_path / str(steps))
        return weights_of(tmp_path / str(steps))

    once, split = weights(1), weights(4)
    for name, tensor in once.items():
        torch.testing.assert_close(split[name], tensor, rtol=0, atol=1e-6)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_student_of_equal_states_has_no_distance(
    precision: str, tmp_path: Path, tiny_recipe: Recipes, teacher: Any, checkpoint: Any
) -> None:
    """The teacher computes in the run's precision, so states do not differ by rounding."""
    master = teacher("ner", checkpoint=checkpoint("bert", **NO_DROPOUT))
    losses = []
    for hidden in (0, 1e5):
        strategy = {"name": "distillation", "teacher": str(master), "hidden": hidden}
        path = tiny_recipe(
            checkpoint=master, strategy=["full", strategy], training={"precision": precision}
        )
        trainer = parts_of(path).trainer(tmp_path / "c")
        batch = trainer._collate([trainer.train_dataset[0]])
        with torch.no_grad(), sped_up(trainer.model):
            model = trainer.accelerator.prepare_model(trainer.model.eval(), evaluation_mode=True)
            losses.append(trainer.compute_loss(model, dict(batch), False, torch.tensor(3)))
    torch.testing.assert_close(losses[0], losses[1])


def test_teachers_that_cannot_teach_are_refused(
    tmp_path: Path, tiny_recipe: Recipes, teacher: Any, checkpoint: Any
) -> None:
    master = teacher("classification")
    other = teacher("ner", "task.types=[PER, ORG, LOC, GPE]")
    damaged, torn = (
        made_by_hand(shutil.copytree(teacher("ner"), tmp_path / name)) for name in ("bad", "torn")
    )
    (damaged / "model" / "config.json").write_text("{", "utf-8")
    weights = torn / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    larger = teacher("ner", checkpoint=checkpoint("bert", hidden_size=48))
    for name, fields, message in (
        (tmp_path / "none", {}, "strategies distillation: teacher: there is no model folder"),
        (master, {}, "is a model for classification, the recipe is for ner"),
        (other, {}, "has other labels than the data. Teacher: .*GPE"),
        (damaged, {}, "strategies distillation: teacher: the model in .* cannot be read"),
        (torn, {}, "strategies distillation: teacher: the model in .* cannot be read"),
        (larger, {"hidden": 1}, "the teacher has 48 values a piece, the student 32"),
        (checkpoint("bert"), {}, "has no head"),
        (teacher("ner"), {"hidden": 1, "layers": {0: 7}}, "layers pairs 0 with 7"),
        (teacher("ner"), {"temperature": 0}, "temperature"),
        (teacher("ner"), {"copies": -1}, "copies"),
        (teacher("ner"), {"copies": 1, "replace_words": 0}, "replace_words"),
    ):
        strategy = {"name": "distillation", "teacher": str(name), **fields}
        path = tiny_recipe(strategy=["full", strategy])
        with pytest.raises(UserError, match=message):
            _built(path, tmp_path)


def test_states_cannot_be_compared_beyond_the_positions_of_the_teacher(
    tmp_path: Path, tiny_recipe: Recipes, teacher: Any, checkpoint: Any
) -> None:
    short = checkpoint("bert")
    wide = build_checkpoint("bert", tmp_path / "wide", max_position_embeddings=128)
    for file in short.glob("*token*"):
        shutil.copy(file, wide)
    strategy = {"name": "distillation", "teacher": str(teacher("ner", checkpoint=short))}
    for hidden, message in ((0, None), (1, r"is 100, the teacher, .* at most 64 pieces")):
        path = tiny_recipe(
            checkpoint=wide,
            model={"max_pieces": 100},
            strategy=["full", {**strategy, "hidden": hidden}],
        )
        with pytest.raises(UserError, match=message) if message else nullcontext():
            _built(path, tmp_path)


def _built(path: Path, folder: Path) -> None:
    parts_of(path).trainer(folder / "c")


# Layers


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "albert"])
def test_kept_layers_are_those_of_the_checkpoint(
    family: str, tmp_path: Path, tiny_recipe: Recipes
) -> None:
    deep = {"n_layers": 4} if family == "distilbert" else {"num_hidden_layers": 4}
    start = build_checkpoint(family, tmp_path / "deep", **deep)
    path = tiny_recipe(checkpoint=start, training=SHORT, model={"layers": [0, 2]})
    finetune(load_recipe(str(path), ["training.learning_rate=1e-12"]), output=tmp_path / "run")
    before, after = load_file(start / "model.safetensors"), weights_of(tmp_path / "run")
    found = 0
    for name, tensor in after.items():
        bare = name.split(".", 1)[1]
        source = bare.replace("layer.1.", "layer.2.").replace("layers.1.", "layers.2.")
        if "layer" in bare and source in before:
            torch.testing.assert_close(tensor, before[source], rtol=0, atol=1e-6)
            found += 1
    assert found > 10
    (result,) = Predictor.from_run(tmp_path / "run")([{"tokens": ["Ada", "left"]}])
    assert len(result["tags"]) == 2


@pytest.mark.parametrize(
    ("layers", "message"),
    [(3, "model.layers is 3, this checkpoint has 2 layers"), ([0, 2], "has 2 layers"),
     ([1, 0], "rising order"), ([], "rising order"), (0, "model.layers")],
)  # fmt: skip
def test_layers_that_are_not_there_are_refused(
    layers: Any, message: str, tiny_recipe: Recipes
) -> None:
    with pytest.raises(UserError, match=message):
        parts_of(tiny_recipe(model={"layers": layers}))


def test_layers_of_albert_cannot_be_chosen(tiny_recipe: Recipes, checkpoint: Any) -> None:
    with pytest.raises(UserError, match="cannot be told apart"):
        parts_of(tiny_recipe(checkpoint=checkpoint("albert"), model={"layers": 1}))


# Intermediate tasks


def test_head_of_a_fine_tuned_checkpoint_is_new_though_it_would_fit(
    tiny_recipe: Recipes, teacher: Any, caplog: Any
) -> None:
    master = teacher("ner")
    with caplog.at_level(logging.INFO, "nlp_transfer"):
        parts = parts_of(tiny_recipe(checkpoint=master))
    assert "encoder carried over, head new" in caplog.text
    assert parts.loaded.new_parameters == {"classifier.weight", "classifier.bias"}
    weights = parts.loaded.model.state_dict()
    for name, tensor in weights_of(master).items():
        assert weights[name].equal(tensor) == ("classifier" not in name), name


@pytest.mark.parametrize("family", ["bert", "xlm-roberta"])  # whose head comes first of all
def test_matched_head_takes_rows_by_the_names_of_labels(
    family: str, tiny_recipe: Recipes, teacher: Any, checkpoint: Any, caplog: Any
) -> None:
    master = teacher("ner", "task.types=[LOC, PER, ORG]", checkpoint=checkpoint(family))
    path = tiny_recipe(
        checkpoint=master,
        strategy=["full", {"name": "intermediate_task", "head": "matched"}],
    )
    with caplog.at_level(logging.INFO, "nlp_transfer"):
        model = parts_of(path, "task.types=[GPE, ORG, PER, LOC]").loaded.model
    assert "head starts at random for the labels B-GPE, I-GPE" in caplog.text
    theirs = Predictor.from_run(master)
    source = theirs.loaded.model.classifier.weight.cpu()
    for label, index in model.config.label2id.items():
        row = model.classifier.weight[index]
        if label in theirs.labels:
            assert row.equal(source[theirs.labels.index(label)])
        else:
            assert not any(row.equal(other) for other in source)


def test_encoder_of_another_task_is_a_start_and_its_head_is_not(
    tmp_path: Path, tiny_recipe: Recipes, teacher: Any, checkpoint: Any
) -> None:
    master = teacher("classification")
    step = {"name": "intermediate_task"}
    path = tiny_recipe(checkpoint=master, strategy=["full", step], training=SHORT)
    finetune(load_recipe(str(path)), output=tmp_path / "run")
    for start, head, message in (
        (master, "matched", "is a model for classification, the recipe is for ner"),
        (
            checkpoint("bert"),
            "new",
            "has no head to start.*data: SOURCE in strategies intermediate_task",
        ),
        (teacher("ner"), "some", "head"),
    ):
        bad = tiny_recipe(checkpoint=start, strategy=["full", {**step, "head": head}])
        with pytest.raises(UserError, match=message):
            parts_of(bad)


# Names of the labels


def _rows(path: Path, *overrides: str) -> dict[str, torch.Tensor]:
    model = parts_of(path, *overrides).loaded.model
    weight = model.classifier.weight.detach()
    return {label: weight[index] for label, index in model.config.label2id.items()}


def test_rows_of_the_head_start_from_the_names_of_their_labels(tiny_recipe: Recipes) -> None:
    plain, named = (_rows(tiny_recipe(strategy=strategy)) for strategy in ("full", "label_names"))
    added = {label: named[label] - plain[label] for label in plain}
    for kind in ("PER", "LOC", "ORG"):
        assert added[f"B-{kind}"].allclose(added[f"I-{kind}"], atol=1e-6)
        assert added[f"B-{kind}"].norm() > 0
    assert not added["O"].any()
    assert not added["B-PER"].allclose(added["B-LOC"])
    told = {"name": "label_names", "descriptions": {"PER": "a person's name"}}
    described = _rows(tiny_recipe(strategy=told))
    assert not described["B-PER"].allclose(named["B-PER"])


def test_rows_that_are_carried_over_are_not_named_anew(tiny_recipe: Recipes, teacher: Any) -> None:
    master = teacher("ner", "task.types=[LOC, PER, ORG]")
    matched = {"name": "intermediate_task", "head": "matched"}
    one, other = (
        _rows(tiny_recipe(checkpoint=master, strategy=of), "task.types=[GPE, ORG, PER, LOC]")
        for of in ([matched], [matched, "label_names"])
    )
    same = {label for label in one if one[label].equal(other[label])}
    assert same == {*one} - {"B-GPE", "I-GPE"}


def test_names_that_would_be_lost_or_mean_nothing_are_refused(tiny_recipe: Recipes) -> None:
    told = {"name": "label_names", "descriptions": {"PRE": "a person's name"}}
    for strategy, message in (
        (told, "the data has no 'PRE' .*Did you mean 'PER'"),
        (["label_names", "frozen"], "label_names is lost where 'frozen' fits the head at once"),
        (["label_names", "linear_probe"], "do not work together"),
    ):
        with pytest.raises(UserError, match=message):
            parts_of(tiny_recipe(strategy=strategy))
