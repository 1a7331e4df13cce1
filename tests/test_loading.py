"""Models whose files do not fit together: refused in one line that says what is wrong."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from damaging import made_by_hand
from safetensors.torch import load_file, save_file
from tiny import FAMILIES, RARE_FAMILIES, build_checkpoint
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)

from nlp_transfer import Predictor, finetune, load_recipe, pretrain
from nlp_transfer.errors import UserError
from nlp_transfer.inference.precision import autocast, usable_precision
from nlp_transfer.models.architecture import position_limit
from nlp_transfer.models.build import build_model
from nlp_transfer.recipe import ModelSection
from nlp_transfer.tasks.base import Task
from nlp_transfer.tasks.classification.task import ClassificationTask
from nlp_transfer.tasks.ner.task import NerTask

pytestmark = pytest.mark.usefixtures("one_thread")

TAGS = ["O", "B-PER", "I-PER"]
SENTENCE = [{"tokens": ["Ada", "Lovelace", "wrote", "."]}]
Edit = Callable[..., Path]


def _with_head(start: Path, folder: Path, auto_class: Any, names: list[str], **config: Any) -> Path:
    """Save a checkpoint with a random head of the given labels."""
    labels = {"id2label": dict(enumerate(names)), "label2id": {n: i for i, n in enumerate(names)}}
    torch.manual_seed(0)
    model = auto_class.from_pretrained(
        start, config=AutoConfig.from_pretrained(start, **labels, **config)
    )
    shutil.copytree(start, folder)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory, checkpoint: Callable[..., Path]) -> Path:
    """Return the folder of a NER model that was trained elsewhere."""
    folder = tmp_path_factory.mktemp("tagger") / "model"
    return _with_head(checkpoint("bert"), folder, AutoModelForTokenClassification, TAGS)


@pytest.fixture
def edited(tagger: Path, tmp_path: Path) -> Edit:
    """Return a function that copies the tagger with other settings (None: without them)."""

    def edit(*, start: Path = tagger, **settings: Any) -> Path:
        folder = tmp_path / "edited"
        shutil.rmtree(folder, ignore_errors=True)
        made_by_hand(shutil.copytree(start, folder))
        config = json.loads((folder / "config.json").read_text("utf-8")) | settings
        kept = {name: value for name, value in config.items() if value is not None}
        (folder / "config.json").write_text(json.dumps(kept), encoding="utf-8")
        return folder

    return edit


def _rewritten(folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Path:
    """Change the weights of a folder."""
    file = folder / "model.safetensors"
    save_file(change(load_file(file)), file, metadata={"format": "pt"})
    return folder


def _prefixed(weights: dict[str, Any]) -> dict[str, Any]:
    return {f"module.{name}": tensor for name, tensor in weights.items()}


def _without(part: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda weights: {name: t for name, t in weights.items() if part not in name}


def _lines(message: object) -> list[str]:
    return str(message).splitlines()


MISFITS: dict[str, tuple[dict[str, Any], Any, str]] = {
    "a prefix": ({}, _prefixed, r"37 of the 37 weights.*begin with 'module\.'.*allow_random=true"),
    "other sizes": (
        {"intermediate_size": 48},
        None,
        r"6 of the 37 weights.*intermediate\.dense\.bias is 64 there and 48 wanted",
    ),
    "more words": (
        {"vocab_size": 400},
        None,
        r"word_embeddings\.weight is \d+ x 32 there and 400 x 32 wanted",
    ),
    "more layers": (
        {"num_hidden_layers": 3},
        None,
        r"16 of the 53 weights.*layer\.2.*hold 2 of the layers that config\.json asks for",
    ),
    "fewer layers": ({"num_hidden_layers": 1}, None, r"layers that config\.json does not ask for"),
    "one weight": (
        {},
        _without("layer.1.output.dense.weight"),
        r"1 of the 37 weights of its encoder.*bert\.encoder\.layer\.1\.output\.dense\.weight",
    ),
    "another family's": (
        {},
        lambda weights: {n.replace("bert.", "gpt."): t for n, t in weights.items()},
        r"37 of the 37 weights.*begin with 'gpt\.'",
    ),
}


@pytest.mark.parametrize("case", MISFITS)
def test_a_model_whose_weights_do_not_fit_its_encoder_is_refused(
    case: str, edited: Edit, tiny_recipe: Any, tmp_path: Path
) -> None:
    settings, change, expected = MISFITS[case]
    folder = edited(**settings)
    if change:
        _rewritten(folder, change)
    recipe = load_recipe(str(tiny_recipe(checkpoint=folder)))
    for use in (finetune, pretrain):
        with pytest.raises(UserError, match=f"^model.checkpoint: .*{expected}") as caught:
            use(recipe, output=tmp_path / "run")
        assert len(_lines(caught.value)) == 1
    assert not (tmp_path / "run").exists()
    told = expected.replace(".*allow_random=true", "")
    with pytest.raises(UserError, match=f"^MODEL: .*{told}") as caught:
        Predictor.from_run(folder)
    assert "allow_random" not in str(caught.value), "a trained model never answers at random"


def test_allow_random_lets_what_is_missing_start_at_random(
    edited: Edit, tiny_recipe: Any, tmp_path: Path
) -> None:
    folder = edited(num_hidden_layers=3)
    recipe = tiny_recipe(
        checkpoint=folder,
        model={"allow_random": True},
        training={"epochs": 1, "arguments": {"max_steps": 1}},
    )
    finetune(load_recipe(str(recipe)), output=tmp_path / "run")
    config = json.loads((tmp_path / "run" / "model" / "config.json").read_text("utf-8"))
    assert config["num_hidden_layers"] == 3


@pytest.mark.parametrize("masked_lm", [False, True])
@pytest.mark.parametrize("family", [*FAMILIES, *RARE_FAMILIES])
def test_a_checkpoint_of_every_family_fits_with_and_without_its_pooler(
    family: str, masked_lm: bool, tmp_path: Path
) -> None:
    folder = build_checkpoint(family, tmp_path / "c", masked_lm=masked_lm)
    options = ModelSection(checkpoint=str(folder), max_pieces=32)
    tasks: list[Task] = [NerTask(), ClassificationTask()]
    for task in tasks:
        loaded = build_model(folder, task.head.new(["PER"]), options)
        encoder = f"{loaded.model.base_model_prefix}."
        assert all("pooler" in name for name in loaded.new_parameters if name.startswith(encoder))


def test_a_trained_model_without_its_head_is_refused(edited: Edit) -> None:
    folder = _rewritten(edited(), _without("classifier"))
    with pytest.raises(UserError, match=r"^MODEL: .*classifier\.bias.*answers would be random"):
        Predictor.from_run(folder)


def test_an_adapter_that_lacks_its_head_or_part_of_itself_is_refused(
    tiny_recipe: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    training = {"epochs": 1, "arguments": {"max_steps": 1}}
    strategy = {"name": "lora", "rank": 2, "merge": False}
    finetune(load_recipe(str(tiny_recipe(strategy=strategy, training=training))), output=run)
    file = made_by_hand(run) / "model" / "adapter_model.safetensors"
    whole = load_file(file)
    for part in ("classifier.weight", "lora_A"):
        save_file({n: t for n, t in whole.items() if part not in n}, file)
        with pytest.raises(UserError, match=f"^MODEL: .*the adapter in .*{part}") as caught:
            Predictor.from_run(run)
        assert len(_lines(caught.value)) == 1
    again = tiny_recipe(checkpoint=run, path=tmp_path / "again.yaml")
    with pytest.raises(UserError, match="holds an adapter, not a whole model"):
        finetune(load_recipe(str(again)), output=tmp_path / "other")


SETTINGS: dict[str, tuple[Any, str]] = {
    "a list": ([1], "is not what nlpt writes"),
    "a number for the task": ({"task": 3}, "is not what nlpt writes"),
    "a number for the columns": ({"columns": 3}, "is not what nlpt writes"),
    "a task of another head": ({"task": {"name": "classification"}}, "but its head is for ner"),
    "an unheard way": (
        {"task": {"name": "ner", "decoding": "magic"}},
        "decoding is 'magic', which",
    ),
    "words for a number": (
        {"max_pieces": "many"},
        "max_pieces is 'many', which nlpt did not write",
    ),
    "too many positions": ({"max_pieces": 65}, r"config\.json is 65, the model reads at most 64"),
}


@pytest.mark.parametrize("fault", SETTINGS)
def test_settings_that_nlpt_does_not_write_are_refused(fault: str, edited: Edit) -> None:
    settings, message = SETTINGS[fault]
    with pytest.raises(UserError, match=message) as caught:
        Predictor.from_run(edited(nlp_transfer=settings))
    assert len(_lines(caught.value)) == 1


def test_settings_are_kept_and_what_an_older_model_does_not_say_is_as_in_a_recipe(
    tiny_recipe: Any, tmp_path: Path, edited: Edit
) -> None:
    run = tmp_path / "run"
    recipe = load_recipe(str(tiny_recipe(training={"epochs": 1, "arguments": {"max_steps": 1}})))
    finetune(recipe, output=run)
    kept = json.loads((run / "model" / "config.json").read_text("utf-8"))["nlp_transfer"]
    assert kept.pop("task") == recipe.task.model_dump(mode="json")
    assert kept.pop("words")["rule"] == "unicode"
    assert kept.pop("calibration")
    assert kept == {"max_pieces": 48, "overlap": 4, "columns": {}}
    assert Predictor.from_run(run).options.max_pieces == 48
    older = edited(start=run / "model", nlp_transfer={"task": {"name": "ner"}})
    predictor = Predictor.from_run(older)
    assert (predictor.options.max_pieces, predictor.options.overlap) == (64, 64)  # 64 positions
    found, usual = (list(Predictor.from_run(folder)(SENTENCE)) for folder in (older, run))
    assert [line["tags"] for line in found] == [line["tags"] for line in usual]  # not calibrated


LABELS: dict[str, tuple[dict[str, Any], str | None]] = {
    "no label2id": ({"label2id": None}, None),
    "no id2label": ({"id2label": None}, None),
    "numbers as texts in label2id": ({"label2id": {"O": "0", "B-PER": "1", "I-PER": "2"}}, None),
    "a stale label2id": ({"label2id": {"LABEL_0": 0, "LABEL_1": 1}}, None),
    "neither": ({"id2label": None, "label2id": None}, "names no labels"),
    "a gap": ({"id2label": {"0": "O", "1": "B-PER", "3": "I-PER"}}, "0, 1, 3: number 2 is missing"),
    "more names": ({"id2label": {str(i): f"B-{i}" for i in range(5)}}, "3 there and 5 wanted"),
    "fewer names": ({"id2label": {"0": "O", "1": "B-PER"}}, "3 there and 2 wanted"),
    "a name twice": ({"id2label": {"0": "O", "1": "B-PER", "2": "B-PER"}}, "B-PER to more than"),
    "swapped": ({"id2label": {"O": 0, "B-PER": 1, "I-PER": 2}}, "'O' stands for 0"),
    "a list": ({"id2label": TAGS}, "not a mapping"),
    "numbers for names": ({"id2label": {"0": 1, "1": 2, "2": 3}}, "label 0 is 1, not a name"),
    "no names": ({"id2label": {str(i): f"LABEL_{i}" for i in range(3)}}, "have no names"),
    "a contradiction": ({"label2id": {"O": 1, "B-PER": 0, "I-PER": 2}}, "'O' is output 0 by"),
    "text": ({"id2label": "O B-PER"}, "not a mapping"),
}


@pytest.mark.parametrize("case", LABELS)
def test_labels_are_told_from_what_config_json_says_of_them_or_refused(
    case: str, edited: Edit, tagger: Path
) -> None:
    settings, expected = LABELS[case]
    folder = edited(**settings)
    if expected:
        with pytest.raises(UserError, match=f"^MODEL: .*config.json.*{expected}") as caught:
            Predictor.from_run(folder)
        assert len(_lines(caught.value)) == 1
    else:
        found, usual = (list(Predictor.from_run(each)(SENTENCE)) for each in (folder, tagger))
        assert found == usual
        assert Predictor.from_run(folder).labels == TAGS


@pytest.mark.parametrize(
    ("names", "problem"), [(["score"], "regression"), (["score"], None), (["a", "b"], "regression")]
)
def test_a_head_that_gives_a_number_is_refused(
    names: list[str], problem: str | None, tmp_path: Path, checkpoint: Any, nlpt: Any,
    tiny_recipe: Any,
) -> None:  # fmt: skip
    folder = tmp_path / "m"
    kind = AutoModelForSequenceClassification
    _with_head(checkpoint("bert"), folder, kind, names, problem_type=problem)
    code, out, err = nlpt("predict", folder, "-", stdin="hello\n")
    assert (code, out) == (2, "")
    assert "gives a number" in err
    recipe = tiny_recipe("classification")
    code, out, err = nlpt("evaluate", folder, "--recipe", recipe)
    assert (code, out) == (2, "")
    assert "gives a number" in err


def test_a_model_that_gives_a_number_can_be_trained_to_choose(
    tmp_path: Path, checkpoint: Any, tiny_recipe: Any
) -> None:
    kind = AutoModelForSequenceClassification
    start = _with_head(
        checkpoint("bert"), tmp_path / "m", kind, ["score"], problem_type="regression"
    )
    recipe = tiny_recipe(
        "classification", checkpoint=start, training={"epochs": 1, "arguments": {"max_steps": 1}}
    )
    finetune(load_recipe(str(recipe)), output=tmp_path / "run")
    (result,) = Predictor.from_run(tmp_path / "run")(["where is my parcel"])
    assert len(result["scores"]) == 3


def test_one_class_of_a_multi_label_model_is_no_regression(tmp_path: Path, checkpoint: Any) -> None:
    folder, kind = tmp_path / "m", AutoModelForSequenceClassification
    settings = {"problem_type": "multi_label_classification"}
    _with_head(checkpoint("bert"), folder, kind, ["spam"], **settings)
    (result,) = Predictor.from_run(folder)(["hello"])
    assert result["scores"].keys() == {"spam"}


def test_settings_that_nlpt_did_not_write_are_refused(edited: Edit) -> None:
    for settings in (
        "x", {"task": "ner"}, {"task": {"name": "ner", "decoding": "guess"}},
        {"task": {"name": "classification"}}, {"max_pieces": "many"}, {"max_pieces": 5000},
    ):  # fmt: skip
        with pytest.raises(UserError) as caught:
            Predictor.from_run(edited(nlp_transfer=settings))
        assert len(_lines(caught.value)) == 1


def test_a_tokenizer_with_more_pieces_than_the_model_has_rows_is_refused(
    edited: Edit, checkpoint: Any, tiny_recipe: Any, tmp_path: Path
) -> None:
    larger = edited()
    tokenizer = json.loads((larger / "tokenizer.json").read_text("utf-8"))
    rows = len(tokenizer["model"]["vocab"])
    tokenizer["model"]["vocab"]["Lovelace"] = rows
    (larger / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    expected = f"has {rows + 1} pieces .the last is 'Lovelace'., the model knows {rows}"
    with pytest.raises(UserError, match=f"^MODEL: .*{expected}"):
        Predictor.from_run(larger)
    recipe = load_recipe(str(tiny_recipe(checkpoint=larger)))
    for use in (finetune, pretrain):
        with pytest.raises(UserError, match=f"^model.checkpoint: .*{expected}"):
            use(recipe, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_model_without_a_tokenizer_is_refused(edited: Edit) -> None:
    folder = edited()
    (folder / "tokenizer.json").unlink()
    with pytest.raises(UserError, match=r"^MODEL: .* holds no tokenizer, only config.json"):
        Predictor.from_run(folder)


def test_a_model_of_others_reads_no_more_pieces_than_it_has_positions_for(tagger: Path) -> None:
    (result,) = Predictor.from_run(tagger)([{"tokens": ["Ada"] * 300}])
    assert len(result["tags"]) == 300


# In a window of as many pieces every position is read, in one of one more there is none.
@pytest.mark.parametrize("family", [*FAMILIES, *RARE_FAMILIES])
def test_positions_are_seen_in_every_family(family: str, checkpoint: Any) -> None:
    folder = checkpoint(family)
    options = ModelSection(checkpoint=str(folder), max_pieces=32)
    model = build_model(folder, NerTask().head.new(["PER"]), options).model
    limit = position_limit(model)
    if family in ("deberta-v2", "modernbert"):  # relative and rotary: for any length
        assert limit is None
        return
    assert limit is not None
    pieces = torch.full((1, limit), 5)
    model(input_ids=pieces, attention_mask=torch.ones_like(pieces))
    pieces = torch.full((1, limit + 1), 5)
    with pytest.raises((IndexError, RuntimeError)):
        model(input_ids=pieces, attention_mask=torch.ones_like(pieces))
    longer = options.model_copy(update={"max_pieces": limit + 1})
    with pytest.raises(UserError, match=f"reads at most {limit} pieces"):
        build_model(folder, NerTask().head.new(["PER"]), longer)


@pytest.mark.parametrize("family", [*FAMILIES, *RARE_FAMILIES])
def test_every_family_computes_in_bf16_or_is_told_from_those_that_do(
    family: str, checkpoint: Any
) -> None:
    folder = checkpoint(family)
    options = ModelSection(checkpoint=str(folder), max_pieces=32)
    model = build_model(folder, NerTask().head.new(["PER"]), options).model.train()
    precision = usable_precision(model, "bf16", fast_cpu=False)
    assert precision == ("fp32" if family == "deberta" else "bf16")
    pieces = torch.full((2, 12), 5)
    mask = torch.ones_like(pieces)
    mask[1, 6:] = 0
    with autocast("cpu", precision):
        logits = model(input_ids=pieces, attention_mask=mask).logits
    logits.float().square().mean().backward()
    assert logits.isfinite().all()


def test_a_model_that_cannot_compute_in_bf16_trains_and_predicts_in_fp32_and_says_so(
    tiny_recipe: Any, tmp_path: Path, checkpoint: Any, nlpt: Any
) -> None:
    training = {"epochs": 1, "arguments": {"max_steps": 1}, "precision": "bf16"}
    recipe = tiny_recipe(checkpoint=checkpoint("deberta"), training=training)
    run = tmp_path / "run"
    code, _, err = nlpt("finetune", "--recipe", recipe, "--output", run)
    assert code == 0
    assert err.count("does not compute in bf16") == 1
    figures = json.loads((run / "metrics.json").read_text("utf-8"))["training"]
    assert figures["precision"] == "fp32"
    code, out, err = nlpt("predict", run, "-", "--precision", "bf16", stdin="Ada wrote.\n")
    assert (code, len(out.splitlines())) == (0, 1)
    assert "'deberta' model does not compute in bf16" in err


class _Code:
    """Runs when it is unpickled."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.proof),)


def _saved(value: Any, *, zipped: bool = True) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


def _compressed(archive: bytes) -> bytes:
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(archive)) as source,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            target.writestr(name, source.read(name))
    return packed.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
PICKLES: dict[str, Callable[[dict[str, Any], _Code], bytes]] = {
    "code, zipped": lambda weights, code: _saved({**weights, "x": code}),
    "code, old format": lambda weights, code: _saved({**weights, "x": code}, zipped=False),
    "code, plain pickle": lambda _, code: pickle.dumps(code),
    "a whole module": lambda _, __: _saved(torch.nn.Linear(2, 2)),
    "cut off": lambda weights, _: _saved(weights)[:-40],
    "cut in the middle": lambda weights, _: _saved(weights)[:9000],
    "cut off, old format": lambda weights, _: _saved(weights, zipped=False)[:9000],
    "compressed": lambda weights, _: _compressed(_saved(weights)),
    "empty": lambda _, __: b"",
    "a page": lambda _, __: b"<!DOCTYPE html><html>Not found</html>",
    "text": lambda _, __: b"hello there\n" * 10,
    "a pointer": lambda _, __: LFS,
    "zeros": lambda _, __: bytes(5000),
    "a list": lambda _, __: _saved([1, 2, 3]),
    "texts": lambda weights, _: _saved(dict.fromkeys(weights, "a")),
    "numbered": lambda weights, _: _saved(dict(enumerate(weights.values()))),
    "nested": lambda weights, _: _saved({"state_dict": weights, "epoch": 3}),
    "arrays": lambda weights, _: pickle.dumps({n: t.numpy() for n, t in weights.items()}),
}


@pytest.mark.parametrize("case", PICKLES)
def test_pickled_weights_are_refused_in_one_line(
    case: str, edited: Edit, tmp_path: Path, nlpt: Any
) -> None:
    folder, proof = edited(), tmp_path / "proof"
    content = PICKLES[case](load_file(folder / "model.safetensors"), _Code(proof))
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(content)
    code, out, err = nlpt("predict", folder, "-", stdin="yes\n" * 5)
    assert (code, out, len(err.splitlines())) == (2, "", 1), err
    assert err.startswith("error: MODEL: ")
    assert str(folder) in err
    assert not proof.exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_pickles_of_tensors_are_read(zipped: bool, edited: Edit, tagger: Path) -> None:
    folder = edited()
    content = _saved(load_file(folder / "model.safetensors"), zipped=zipped)
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(content)
    found, usual = (list(Predictor.from_run(each)(SENTENCE)) for each in (folder, tagger))
    assert found == usual


@pytest.mark.parametrize(
    "content", [b"", b"hello there, you", LFS, (2**62).to_bytes(8, "little") + bytes(100), None]
)
def test_damaged_safetensors_are_refused_in_one_line(content: bytes | None, edited: Edit) -> None:
    folder = edited()
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:9000] if content is None else content)
    with pytest.raises(UserError, match=r"^MODEL: ") as caught:
        Predictor.from_run(folder)
    assert len(_lines(caught.value)) == 1


@pytest.mark.parametrize(
    "settings",
    [{"num_hidden_layers": 10**9}, {"hidden_size": 10**7}, {"vocab_size": 10**12},
     {"hidden_size": -3}, {"hidden_size": "wide"}, {"model_type": None}, {"model_type": "unheard"},
     {"architectures": 3}, {"architectures": None}],
)  # fmt: skip
def test_a_configuration_beyond_reason_is_refused_at_once(
    settings: dict[str, Any], edited: Edit
) -> None:
    with pytest.raises(UserError) as caught:
        Predictor.from_run(edited(**settings))
    assert len(_lines(caught.value)) == 1


def test_an_adapter_is_not_taken_for_a_whole_model(tagger: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForTokenClassification

    from nlp_transfer.models.loading import load_config, load_model

    model = AutoModelForTokenClassification.from_pretrained(tagger)
    lora = LoraConfig(target_modules=["query"], base_model_name_or_path=str(tagger))
    get_peft_model(model, lora).save_pretrained(tmp_path / "adapter")
    with pytest.raises(UserError, match="holds an adapter") as caught:
        load_model(
            AutoModelForTokenClassification,
            tmp_path / "adapter",
            load_config(tagger, "m"),
            "model.checkpoint",
        )
    assert str(tagger) in str(caught.value)


def test_a_tokenizer_without_a_piece_for_the_unknown_is_refused(edited: Edit) -> None:
    folder = edited()
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text("utf-8"))
    del content["model"]["vocab"]["[UNK]"]
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UserError, match="UNK"):
        Predictor.from_run(folder)
