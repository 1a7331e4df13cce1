"""What every test shares: no network, no cache outside the test's folders, tiny models and data."""

from __future__ import annotations

import gc
import io
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Read by the Hugging Face libraries when they are imported, so set before any of them is.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# For models this small, threads that wait for each other cost most; new processes inherit it.
os.environ["OMP_NUM_THREADS"] = "1"

from tiny import build_checkpoint, write_data, write_recipe

LONGEST = ("test_recipes.py", "test_training.py", "test_processes.py", "test_strategies.py")
"""Files that take longest: begun last, one of them would run alone at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep prepared data out of the user's cache, in new processes too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NLPT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module", autouse=True)
def _few_objects_to_collect() -> None:
    """Let the garbage collections of each run pass over what is loaded: a third of a tiny run."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no line be wrapped: pytest-xdist tells its workers how wide the terminal is."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Compute on one thread: for models this small, threads that wait for each other cost most."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that builds a family's tiny checkpoint, once, and names its folder.

    >>> checkpoint("roberta"), checkpoint("bert", masked_lm=True, num_hidden_layers=1)
    """
    known: dict[str, Path] = {}

    def build(family: str, **settings: object) -> Path:
        key = "-".join([family, *(f"{name}={value}" for name, value in settings.items())])
        if key not in known:
            known[key] = build_checkpoint(family, tmp_path_factory.mktemp(key), **settings)
        return known[key]

    return build


@pytest.fixture(scope="session")
def tiny_bert(checkpoint: Callable[..., Path]) -> Path:
    """Return the folder of a tiny cased BERT."""
    return checkpoint("bert")


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that names the folder with the data of a task; tests must not change it."""
    known: dict[str, Path] = {}

    def build(task: str) -> Path:
        if task not in known:
            known[task] = write_data(tmp_path_factory.mktemp("data") / task, task)
        return known[task]

    return build


@pytest.fixture(scope="session")
def ner_data(data_folder: Callable[[str], Path]) -> Path:
    """Return a folder of CoNLL files: 48, 12 and 12 sentences with PER, ORG and LOC."""
    return data_folder("ner")


@pytest.fixture(scope="session")
def classification_data(data_folder: Callable[[str], Path]) -> Path:
    """Return a folder of CSV files: 48, 12 and 12 texts of three classes."""
    return data_folder("classification")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that trains what a recipe says, once for all tests, and names the run.

    Tests must not change it, or must change a copy.

    >>> trained(tiny_recipe("ner")), trained(tiny_recipe("ner"), "training.seed=7")
    """
    from nlp_transfer import finetune, load_recipe

    known: dict[tuple[str, ...], Path] = {}

    def train(recipe: Path, *overrides: str) -> Path:
        key = (recipe.read_text("utf-8"), *overrides)
        if key not in known:
            run = tmp_path_factory.mktemp("trained") / "run"
            finetune(load_recipe(str(recipe), list(overrides)), output=run)
            known[key] = run
        return known[key]

    return train


@pytest.fixture(scope="session")
def _trained_on(
    tmp_path_factory: pytest.TempPathFactory,
    data_folder: Callable[[str], Path],
    checkpoint: Callable[..., Path],
    trained: Callable[..., Path],
) -> Callable[[str], Path]:
    def train(task: str) -> Path:
        recipe = write_recipe(
            tmp_path_factory.mktemp("recipe") / "tiny.yaml",
            task=task,
            data=data_folder(task),
            checkpoint=checkpoint("bert"),
            strategy="full",
            training={"epochs": 1},
        )
        return trained(recipe)

    return train


@pytest.fixture(scope="session")
def trained_ner(_trained_on: Callable[[str], Path]) -> Path:
    """Return the run of a tiny model for NER, which tests must not change."""
    return _trained_on("ner")


@pytest.fixture(scope="session")
def trained_classifier(_trained_on: Callable[[str], Path]) -> Path:
    """Return the run of a tiny model for classification, which tests must not change."""
    return _trained_on("classification")


@pytest.fixture
def tiny_recipe(
    tmp_path: Path, data_folder: Callable[[str], Path], checkpoint: Callable[..., Path]
) -> Callable[..., Path]:
    """Return a function that writes a recipe and names its file.

    >>> tiny_recipe("ner", strategy="frozen", training={"epochs": 1})
    """

    def write(task: str = "ner", **sections: object) -> Path:
        path = sections.pop("path", tmp_path / "tiny.yaml")
        data = sections.pop("source", None) or data_folder(task)
        model = sections.pop("checkpoint", None) or checkpoint("bert")
        strategy = sections.pop("strategy", "full")
        return write_recipe(
            Path(str(path)), task=task, data=data, checkpoint=model, strategy=strategy, **sections
        )

    return write


@pytest.fixture
def nlpt(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """Run a command in an empty folder; return exit code, stdout and stderr."""
    from nlp_transfer.cli.app import main

    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def run(*arguments: Any, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["nlpt", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capfd.readouterr()
        try:
            main()
        except SystemExit as stop:
            return (int(stop.code or 0), *capfd.readouterr())
        return (0, *capfd.readouterr())

    return run


_opened: Counter[str] | None = None


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _opened is not None:
        _opened[str(arguments[0])] += 1


sys.addaudithook(_note)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count, by path, how often this process opens files."""
    counts: Counter[str] = Counter()
    monkeypatch.setattr(sys.modules[__name__], "_opened", counts)
    return counts
