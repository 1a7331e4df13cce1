"""Commands as a user types them: what they print, write and refuse."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from damaging import made_by_hand

from nlp_transfer.manifest import write_manifest

pytestmark = pytest.mark.usefixtures("one_thread")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def ner_run(request: pytest.FixtureRequest) -> Path:
    return _finished("ner", request)


@pytest.fixture(scope="module")
def intent_run(request: pytest.FixtureRequest) -> Path:
    return _finished("classification", request)


def _finished(task: str, request: pytest.FixtureRequest) -> Path:
    from tiny import write_recipe

    recipe = write_recipe(
        request.getfixturevalue("tmp_path_factory").mktemp(task) / "mine.yaml",
        task=task,
        data=request.getfixturevalue("data_folder")(task),
        checkpoint=request.getfixturevalue("checkpoint")("bert"),
        strategy="full",
    )
    run: Path = request.getfixturevalue("trained")(recipe)
    return run


def test_finetune_prints_the_report_and_a_second_time_says_it_is_finished(
    nlpt: Run, tiny_recipe: Callable[..., Path]
) -> None:
    recipe = tiny_recipe("ner")
    code, out, err = nlpt("finetune", "--recipe", recipe, "training.epochs=1")
    assert code == 0
    assert "test entity F1" in out
    assert "NOT the CoNLL figure" in out
    assert "epoch 1/1" in err
    code, again, err = nlpt("finetune", "--recipe", recipe, "training.epochs=1")
    assert (code, again) == (0, out)
    assert "finished" in err


def test_json_puts_one_object_on_stdout(nlpt: Run, tiny_recipe: Callable[..., Path]) -> None:
    code, out, _ = nlpt("finetune", "-r", tiny_recipe("ner"), "training.epochs=1", "--json")
    assert code == 0
    metrics = json.loads(out)
    assert metrics == json.loads(Path("runs/tiny/metrics.json").read_text("utf-8"))
    assert metrics["schema"] == 1
    assert set(metrics["splits"]["test"]["ledger"]) >= {
        "sentences", "words", "entities", "windows", "words_truncated", "words_without_pieces",
        "entities_unseen_type",
    }  # fmt: skip


def test_dry_run_prints_a_plan_and_writes_nothing(
    nlpt: Run, tiny_recipe: Callable[..., Path]
) -> None:
    code, out, _ = nlpt("finetune", "-r", tiny_recipe("ner"), "--dry-run", "--json")
    plan = json.loads(out)
    assert code == 0
    assert plan["estimated_seconds"] > 0
    assert plan["peak_memory_bytes"] > 0
    assert plan["trainable_parameters"] == plan["total_parameters"]
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("task", ["ner", "classification"])
def test_prepare_keeps_the_data_that_finetune_then_uses(
    task: str,
    nlpt: Run,
    tiny_recipe: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("NLPT_CACHE", str(tmp_path / "own-cache"))
    recipe = tiny_recipe(task)
    code, out, _ = nlpt("prepare", "-r", recipe, "--json")
    summary = json.loads(out)
    assert code == 0
    assert summary["splits"]["train"]["ledger"]["sentences"] == 48
    assert all(Path(folder).is_dir() for folder in summary["folders"].values())

    ledger = Path(summary["folders"]["train"], "ledger.json")
    ledger.write_text(json.dumps({**json.loads(ledger.read_text()), "sentences": 1234}))
    write_manifest(ledger.parent)
    for option, sentences in (("model.overlap=4", 1234), ("model.overlap=2", 48)):
        code, out, _ = nlpt("finetune", "-r", recipe, option, "--dry-run", "--json")
        assert code == 0
        assert json.loads(out)["splits"]["train"]["ledger"]["sentences"] == sentences


def test_evaluate_gives_the_figures_of_the_run(nlpt: Run, ner_run: Path) -> None:
    code, out, _ = nlpt("evaluate", ner_run, "-r", ner_run, "--json")
    there = json.loads((ner_run / "metrics.json").read_text("utf-8"))["splits"]["test"]
    assert code == 0
    assert json.loads(out)["splits"]["test"] == there


def test_report_shows_a_finished_run_again(nlpt: Run, ner_run: Path) -> None:
    code, out, _ = nlpt("report", ner_run, "--json")
    assert code == 0
    assert json.loads(out) == json.loads((ner_run / "metrics.json").read_text("utf-8"))


def test_predict_reads_texts_from_stdin_with_offsets_in_code_points(
    nlpt: Run, ner_run: Path
) -> None:
    text = "😀 Ada Lovelace visited São Paulo today ."
    code, out, _ = nlpt("predict", ner_run, "-", stdin=f"{text}\n\nAda left Rome\n")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [row["text"] for row in rows] == [text, "", "Ada left Rome"]
    assert rows[1]["tags"] == []
    for row in rows:
        assert len(row["tags"]) == len(row["tokens"])
        for entity in row["entities"]:
            assert row["text"][entity["start"] : entity["end"]] == entity["text"]
            words = row["tokens"][entity["start_word"] : entity["end_word"]]
            assert "".join(words) == entity["text"].replace(" ", "")
            assert 0 < entity["score"] <= 1


def test_predict_reads_every_format_and_keeps_the_order(
    nlpt: Run, ner_run: Path, intent_run: Path, tmp_path: Path
) -> None:
    sentences = [["Ada", "left", "Rome"], ["Globex", "sued", "Alan"]]
    texts = [" ".join(words) for words in sentences]
    files = {
        "a.txt": "\n".join(texts),
        "a.jsonl": "\n".join(json.dumps({"text": text}) for text in texts),
        "tokens.jsonl": "\n".join(json.dumps({"tokens": words}) for words in sentences),
        "a.csv": "id,text\n" + "\n".join(f"{i},{text}" for i, text in enumerate(texts)),
        "a.tsv": "text\n" + "\n".join(texts),
        "a.conll": "\n\n".join("\n".join(f"{w}\tO" for w in words) for words in sentences),
        "bare.conll": "\n\n".join("\n".join(words) for words in sentences),
    }
    found = set()
    for name, content in files.items():
        (tmp_path / name).write_text(content + "\n", encoding="utf-8")
        target = tmp_path / f"{name}.out"
        code, out, _ = nlpt("predict", ner_run, tmp_path / name, "-o", target)
        assert (code, out) == (0, "")
        rows = [json.loads(line) for line in target.read_text("utf-8").splitlines()]
        assert [row["tokens"] for row in rows] == sentences, name
        found.add(json.dumps([row["tags"] for row in rows]))
    assert len(found) == 1
    _, out, _ = nlpt("predict", intent_run, tmp_path / "a.csv")
    for row in map(json.loads, out.splitlines()):
        assert set(row) == {"id", "text", "label", "score", "scores"}
        assert row["score"] == max(row["scores"].values())


def test_recipes_can_be_listed_shown_copied_and_validated(nlpt: Run) -> None:
    assert "quickstart-ner" in nlpt("recipes", "list")[1]
    listed = json.loads(nlpt("recipes", "list", "--json")[1])["recipes"]
    assert len(listed) >= 18
    assert (
        "\n# nlpt finetune --recipe quickstart-ner\n"
        in nlpt("recipes", "show", "quickstart-ner")[1]
    )
    code, out, _ = nlpt("recipes", "copy", "quickstart-ner", "mine.yaml")
    assert code == 0
    assert "mine.yaml" in out
    assert nlpt("recipes", "validate", "mine.yaml")[1] == "mine: valid\n"
    assert nlpt("recipes", "copy", "quickstart-ner", "mine.yaml")[0] == 2
    assert json.loads(nlpt("recipes", "schema")[1])["title"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (["trainin.epochs=1"], "Did you mean 'training'"),
        (["training.arguments.gradient_acumulation_steps=2"], "use training.tokens_at_once"),
        (["training.arguments.bf16=true"], "training.precision"),
        (["training.epochs=many"], "training.epochs: must be a number above 0"),
        (["data.source=nowhere.conll"], "there is no file or folder"),
        (["data.source=samples/newsrom"], "Did you mean 'samples/newsroom'"),
        (["model.checkpoint=./nowhere"], "there is no model folder"),
        (["data.columns={tags: 9}"], "column"),
        (["model.max_pieces=4000"], "Set model.max_pieces="),
        (["data.source=someone/something"], "data.source=DIR model.checkpoint=DIR"),
        (["model.checkpoint=google-bert/bert-base-cased"], "the Hub cannot be reached"),
        (["strategies=[{name: full}, {name: lora}]"], "'full' and 'lora'"),
        (["strategies=[{name: lora, target_modules: [nothing]}]"], "target_modules"),
        (["strategies=[{name: frozen, layers: 9}]"], "has 2 layers"),
        (["model.attention=flash_attention_2"], "model.attention: flash_attention_2 cannot be"),
        (["training.arguments.gradient_accumulation_steps=2"], "use training.tokens_at_once"),
        (["training.tokens_at_once=0"], "training.tokens_at_once"),
        pytest.param(
            ["training.optimizer=adamw_8bit"],
            "pip install -U bitsandbytes",
            marks=pytest.mark.skipif(bool(find_spec("bitsandbytes")), reason="is installed"),
        ),
    ],
)
def test_mistakes_end_in_one_message_exit_2_and_no_files(
    nlpt: Run, tiny_recipe: Callable[..., Path], changes: list[str], expected: str
) -> None:
    code, out, err = nlpt("finetune", "-r", tiny_recipe("ner"), *changes)
    assert code == 2
    assert expected in err
    assert "Traceback" not in err
    assert out == ""
    assert list(Path().iterdir()) == []


def test_bad_data_ends_in_one_message(
    nlpt: Run, tiny_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    one_class = tmp_path / "one.csv"
    one_class.write_text("text,label\n" + "hello,a\n" * 30, encoding="utf-8")
    recipe = tiny_recipe("classification")
    cases = {
        f"data.source={one_class}": "one class only",
        f"data={{source: {one_class}, columns: {{label: intent}}}}": "Found: text, label",
    }
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "train.csv").write_text("text,label\na,x\nb,y\n", encoding="utf-8")
    (empty / "test.csv").write_text("text,label\n", encoding="utf-8")
    (empty / "dev.csv").write_text("text,label\na,x\n", encoding="utf-8")
    cases[f"data.source={empty}"] = "no example was found"
    for change, expected in cases.items():
        code, _, err = nlpt("finetune", "-r", recipe, change)
        assert (code, expected in err) == (2, True), err
        assert not Path("runs").exists()


def test_texts_and_labels_in_each_others_columns_are_noticed(
    nlpt: Run, tiny_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    lines = [f"{'refund' if n % 2 else 'parcel'},where is order {n}\n" for n in range(40)]
    swapped = tmp_path / "swapped.csv"
    swapped.write_text("text,label\n" + "".join(lines), encoding="utf-8")
    change = f"data.source={swapped}"
    code, _, err = nlpt("finetune", "-r", tiny_recipe("classification"), change)
    assert (code, "classes for 2 different texts: the column of the texts" in err) == (2, True), err
    assert "data.columns.text=COLUMN and data.columns.label=COLUMN" in err
    hint = ("data.columns.text=label", "data.columns.label=text")
    code, _, err = nlpt("finetune", "-r", tiny_recipe("classification"), change, *hint, "--dry-run")
    assert (code, "the right one?" in err) == (0, False), err


def test_classes_are_no_entities_and_the_task_that_they_are_for_is_named(
    nlpt: Run, tiny_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    bank = tmp_path / "bank.csv"
    rows = [f"where is order {n},{'refund' if n % 2 else 'parcel'}\n" for n in range(40)]
    bank.write_text("text,label\n" + "".join(rows), encoding="utf-8")
    change = f"data.source={bank}"
    code, _, err = nlpt("finetune", "-r", tiny_recipe("ner"), change)
    assert (code, "bank.csv:2: the spans are 'parcel'" in err) == (2, True), err
    assert "this is data for task=classification" in err
    code, _, err = nlpt(
        "finetune", "-r", tiny_recipe("ner"), change, "task=classification", "--dry-run"
    )
    assert code == 0, err


def test_models_that_cannot_be_used_are_refused(
    nlpt: Run, ner_run: Path, intent_run: Path, tmp_path: Path, tiny_bert: Path
) -> None:
    nameless = tmp_path / "nameless"
    nameless.mkdir()
    for file in (ner_run / "model").iterdir():
        (nameless / file.name).write_bytes(file.read_bytes())
    made_by_hand(nameless)
    config = json.loads((nameless / "config.json").read_text("utf-8"))
    config["id2label"] = {i: f"LABEL_{i}" for i in range(len(config["id2label"]))}
    config["label2id"] = {name: i for i, name in config["id2label"].items()}
    (nameless / "config.json").write_text(json.dumps(config), encoding="utf-8")
    code, _, err = nlpt("predict", nameless, "-", stdin="hello\n")
    assert (code, "no names" in err) == (2, True)
    code, _, err = nlpt("predict", tiny_bert, "-", stdin="hello\n")
    assert (code, "no head" in err) == (2, True)
    code, _, err = nlpt("evaluate", intent_run, "-r", ner_run)
    assert (code, "the recipe is for ner" in err) == (2, True)
    code, _, err = nlpt("predict", ner_run, "nowhere.txt")
    assert (code, "there is no file" in err) == (2, True)


def test_recipe_keys_are_not_recommended_to_commands_that_take_none(nlpt: Run) -> None:
    code, _, err = nlpt("finetune", "-r", "quickstart-ner", "--seed", "3")
    assert (code, "training.seed=VALUE" in err) == (2, True), err
    for arguments in (("compare", "a", "b", "--seed", "3"), ("predict", "a", "b", "--seed", "3")):
        code, _, err = nlpt(*arguments)
        assert (code, "training.seed" in err) == (2, False), err


def test_a_finished_run_without_its_model_is_not_sent_round_in_circles(
    nlpt: Run, ner_run: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(ner_run, broken, ignore=shutil.ignore_patterns("model"))
    for command in (("predict", broken, "-"), ("publish", broken, "me/x")):
        code, _, err = nlpt(*command)
        assert (code, "is finished, but" in err, "--fresh" in err) == (2, True, True), err


def test_a_decoder_is_not_an_encoder(
    nlpt: Run, tiny_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    from transformers import GPT2Config, GPT2Model

    GPT2Model(GPT2Config(n_embd=8, n_layer=1, n_head=1, vocab_size=50)).save_pretrained(
        tmp_path / "gpt"
    )
    code, _, err = nlpt(
        "finetune", "-r", tiny_recipe("ner"), f"model.checkpoint={tmp_path / 'gpt'}"
    )
    assert (code, "'gpt2' model, which is not an encoder" in err) == (2, True)


def test_an_output_folder_that_cannot_be_written_is_found_before_training(
    nlpt: Run, tiny_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text("mine", encoding="utf-8")
    code, _, err = nlpt("finetune", "-r", tiny_recipe("ner"), "-o", file)
    assert (code, "is a file" in err) == (2, True)
    code, _, err = nlpt("finetune", "-r", tiny_recipe("ner"), "-o", "/proc/nlpt")
    assert (code, "cannot be written" in err) == (2, True)


def test_a_disk_too_small_is_found_before_training(
    nlpt: Run, tiny_recipe: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    code, _, err = nlpt("finetune", "-r", tiny_recipe("ner"))
    assert (code, "GB free" in err) == (2, True)
    assert not Path("runs").exists()


def test_a_disk_that_fills_up_is_said_and_the_run_goes_on_later(
    nlpt: Run, tiny_recipe: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    usage, recipe = shutil.disk_usage("."), tiny_recipe("ner")
    with monkeypatch.context() as patch:

        def full(*_: Any, **__: Any) -> None:
            patch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=0))
            raise RuntimeError("unexpected pos 24192 vs 24084")  # as torch puts it

        patch.setattr("transformers.PreTrainedTokenizerBase.save_pretrained", full)
        code, _, err = nlpt("finetune", "-r", recipe)
    assert (code, "is full" in err) == (2, True)
    code, _, err = nlpt("finetune", "-r", recipe)
    assert code == 0
    assert "epoch 1/2" not in err  # training was not repeated


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['nlpt', '--help']\n"
        "from nlp_transfer.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print([m for m in ('torch', 'transformers', 'datasets') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("to", ["conll", "spans", "doccano", "label-studio", "brat"])
def test_predictions_come_back_as_data_in_every_format(
    nlpt: Run, ner_run: Path, tmp_path: Path, to: str
) -> None:
    from loading import load_ner

    from nlp_transfer.recipe import DataSection

    texts = tmp_path / "texts.txt"
    texts.write_text("Ada left Rome, at 7.\nNobody 😀 came to Oslo\n", encoding="utf-8")
    _, plain, _ = nlpt("predict", ner_run, texts)
    wanted = [json.loads(line) for line in plain.splitlines()]
    out = tmp_path / {"brat": "out", "conll": "out.conll"}.get(to, "out.json")
    code, _, err = nlpt("predict", ner_run, texts, "--to", to, "-o", out)
    assert code == 0, err
    rows = load_ner(DataSection(source=str(out)), held_out=False)["train"]
    assert list(rows["tags"]) == [result["tags"] for result in wanted]
    assert sum(map(len, rows["words"])) == 12
