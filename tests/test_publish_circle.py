"""From a run to the Hub, and by each way of use back: what the card says is what a user gets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hub_server import USER, Hub, running_hub
from huggingface_hub import ModelCard
from publishing import nlpt, python, recipe_of, write_checkpoint, write_sentences

from nlp_transfer.models.checkpoint import embedded_checkpoint

TRAIN = """
import json, logging, sys
from nlp_transfer import export, finetune, load_recipe, publish_model
logging.basicConfig(level=logging.INFO)
for recipe, run, repo, options in json.loads(sys.argv[1]):
    finetune(load_recipe(recipe), output=run)  # what is finished stays as it is
    if "with_onnx" in options:
        export(run)
    publish_model(run, repo, **options)
"""
USE = """
import contextlib, io, json, re, sys
import peft
from huggingface_hub import ModelCard
from nlp_transfer import Predictor
answers = {}
for repo, lines in json.load(open(sys.argv[1])).items():
    card = ModelCard.load(repo).text
    printed = io.StringIO()
    names = {}
    with contextlib.redirect_stdout(printed):
        for block in re.findall(r"```python\\n(.*?)```", card, re.DOTALL):
            exec(block, names)
    texts = [line.get("text") or " ".join(line["tokens"]) for line in lines]
    items = [{k: line[k] for k in ("text", "tokens") if k in line} for line in lines]
    by_pipeline = [names["answer"](text) for text in texts]
    by_peft = re.findall(r"`(AutoPeft.*?)` of peft", card)
    for call in by_peft:
        names["answer"].model = eval(call, {**vars(peft), **names}).eval()
        assert [names["answer"](text) for text in texts] == by_pipeline, call
    engines = {"torch": {"precision": "fp32"}}  # as the runs were trained and scored
    if "engine=" in card:
        engines["onnx"] = {}
    answers[repo] = {
        "printed": printed.getvalue(),
        "pipeline": by_pipeline,
        "by peft": by_peft,
        "own": {
            engine: list(Predictor.from_run(repo, engine=engine, **options)(items))
            for engine, options in engines.items()
        },
    }
print(json.dumps(answers, default=float))
"""
RUNS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    # repository: task, strategy, options of publish
    "names": ("ner", {"name": "full"}, {"with_onnx": True, "with_report": True}),
    "names-adapter": ("ner", {"name": "lora", "merge": False}, {}),
    "names-merged": ("ner", {"name": "lora", "merge": False}, {"merge": True}),  # the same run
    "wishes": ("classification", {"name": "full"}, {}),
    "wishes-adapter": ("classification", {"name": "lora", "merge": False}, {}),
}
PIECES = {"names-adapter": {"label_pieces": "all"}}

PEOPLE, PLACES = ("Ada Lovelace", "Alan Turing", "Grace Hopper"), ("Paris", "London", "Berlin")
DEEDS = {"letter": "wrote to", "home": "lived in", "flight": "flew from"}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with running_hub(tmp_path_factory.mktemp("client")) as hub:
        yield hub


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, hub: Hub) -> Path:
    """All runs, trained and published."""
    work = tmp_path_factory.mktemp("circle")
    write_checkpoint(work / "tiny-base")
    hub.add_folder(f"{USER}/tiny-base", work / "tiny-base")
    write_sentences(work / "tiny-data")
    (work / "wishes").mkdir()
    rows = [
        {"text": f"{who} {what} {place}", "label": label}
        for who, (label, what), place in product(PEOPLE, DEEDS.items(), PLACES)
    ]
    rows.append({"text": " , ".join(row["text"] for row in rows[3:6] * 6), "label": "home"})
    for split in ("train", "validation", "test"):
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (work / "wishes" / f"{split}.jsonl").write_text(lines, "utf-8")
    jobs = []
    for name, (task, strategy, options) in RUNS.items():
        source = {"ner": "tiny-data", "classification": "wishes"}[task]
        pooling = "mean" if name == "wishes-adapter" else "auto"
        recipe = recipe_of(
            work,
            name=run_of(name),
            checkpoint=f"{USER}/tiny-base",
            strategy=strategy,
            task={"name": task, **PIECES.get(run_of(name), {})},
            data={"source": str(work / source)},
            model={"checkpoint": f"{USER}/tiny-base", "max_pieces": 32, "pooling": pooling},
            training={
                "precision": "fp32",
                "learning_rate": 0.003,
                "tokens_per_batch": 64,
                "arguments": {"max_steps": 120},
            },
        )
        jobs.append((str(recipe), str(work / "runs" / run_of(name)), f"{USER}/{name}", options))
    done = python(hub, "-c", TRAIN, json.dumps(jobs))
    assert done.returncode == 0, done.stderr
    (work / "log.txt").write_text(done.stderr, "utf-8")
    return work


@pytest.fixture(scope="module")
def lines(work: Path) -> dict[str, list[dict[str, Any]]]:
    """The lines of predictions.jsonl, by repository."""
    return {name: predicted(work / "runs" / run_of(name)) for name in RUNS}


def run_of(name: str) -> str:
    """Name the run that was published as a repository; of one, its adapter and the merged model."""
    return name.replace("merged", "adapter")


def predicted(run: Path) -> list[dict[str, Any]]:
    lines = (run / "predictions.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def used(
    work: Path, hub: Hub, lines: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What a process with an empty cache gets by the code that the cards show, as it stands."""
    return used_by_others(hub, lines, tmp_path_factory.mktemp("empty"))


def used_by_others(hub: Hub, lines: dict[str, Any], home: Path) -> dict[str, Any]:
    hub.client_home = home
    (home / "lines.json").write_text(
        json.dumps({f"{USER}/{name}": of_run for name, of_run in lines.items()})
    )
    done = python(hub, "-c", USE, home / "lines.json")
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout.splitlines()[-1])
    return {name: answers[f"{USER}/{name}"] for name in lines}


class Spoiling(dict[str, bytes]):
    """Large files that are kept with zeros for the second half of their bytes."""

    def __setitem__(self, oid: str, content: bytes) -> None:
        half = len(content) // 2
        super().__setitem__(oid, content[:half] + bytes(len(content) - half))


def card_of(hub: Hub, name: str) -> ModelCard:
    return ModelCard(hub.repos[f"{USER}/{name}"].files["README.md"].decode())


@pytest.mark.parametrize("name", RUNS)
def test_the_code_of_a_card_runs_as_it_stands(name: str, used: dict[str, Any]) -> None:
    printed = used[name]["printed"]
    assert "Your text here." in printed  # nlp_transfer's results show the text
    assert len(printed.splitlines()) >= 2
    # The mean of pieces is a layer more than the base has.
    assert bool(used[name]["by peft"]) == (name == "names-adapter")


@pytest.mark.parametrize("name", RUNS)
def test_what_is_on_the_hub_answers_as_the_run_did(
    name: str, used: dict[str, Any], lines: dict[str, Any]
) -> None:
    key = "tags" if RUNS[name][0] == "ner" else "label"
    wanted = [line[key] for line in lines[name]]
    assert len({str(answer) for answer in wanted}) > 1
    for engine, results in used[name]["own"].items():
        assert [result[key] for result in results] == wanted, engine
    assert (len(used[name]["own"]) == 2) == bool(RUNS[name][2].get("with_onnx"))


@pytest.mark.parametrize("name", RUNS)
def test_the_card_says_what_transformers_reaches_alone(
    name: str, used: dict[str, Any], lines: dict[str, Any], hub: Hub
) -> None:
    check_card(card_of(hub, name), lines[name], used[name]["pipeline"])


def check_card(card: ModelCard, lines: list[dict[str, Any]], found: list[Any]) -> None:
    reached = (_entity_f1 if "tags" in lines[0] else _macro_f1)(lines, found)
    said = re.search(r"own pipeline, it reaches [\w ]+ F1 (\d\.\d{4})\*\*", card.text)
    assert said is not None
    assert said[1] == f"{reached:.4f}"
    (told,) = (r for r in card.data.eval_results if "pipeline" in r.metric_name)
    assert told.metric_value == pytest.approx(reached)
    assert told.dataset_split == "test"


def test_a_card_asks_the_pipeline_for_the_pieces_that_have_learned(
    hub: Hub, work: Path, tmp_path: Path
) -> None:
    called = {"names": "first", "names-adapter": "average", "names-merged": "average"}
    for name, aggregation in called.items():
        assert f'aggregation_strategy="{aggregation}")' in card_of(hub, name).text
    run, folder = work / "runs" / "names-adapter", tmp_path / "unmeasured"
    done = nlpt(hub, "publish", run, f"{USER}/other", "--no-check", "--dry-run", folder)
    assert done.returncode == 0, done.stderr
    assert 'aggregation_strategy="average")' in (folder / "README.md").read_text("utf-8")


def test_a_card_tells_all_that_the_hub_reads(hub: Hub) -> None:
    for name in RUNS:
        data = card_of(hub, name).data
        is_adapter = name.endswith("adapter")
        assert data.library_name == ("peft" if is_adapter else "transformers")
        assert data.base_model == f"{USER}/tiny-base"
        assert data["base_model_relation"] == ("adapter" if is_adapter else "finetune")
        own = [r for r in data.eval_results if r.metric_args]
        assert {r.dataset_split for r in own} == {"validation", "test"}
        low, high = own[-1].metric_args["ci95"]
        assert low <= own[-1].metric_value <= high


def test_a_card_says_what_the_run_was_made_of(hub: Hub, work: Path) -> None:
    data = json.loads((work / "runs" / "names" / "data.json").read_text())
    text = card_of(hub, "names").text
    for name, split in data["splits"].items():
        assert f"| {name} | {split['examples']} | `{split['sha256']}` |" in text
    assert re.search(r"- versions: nlp_transfer \S+, Python .*transformers \d", text)
    assert re.search(r"- hardware: \d+ cores", text)
    assert "nlpt finetune --recipe recipe.yaml" in text


def test_what_was_uploaded_is_downloaded_and_compared(work: Path) -> None:
    log = (work / "log.txt").read_text()
    assert log.count("downloaded again, it gives the same") == len(RUNS) + 1  # one has ONNX too


def test_onnx_and_report_go_along_and_go_with_the_model(hub: Hub, work: Path) -> None:
    files = hub.repos[f"{USER}/names"].files
    assert {"onnx/model.onnx", "onnx/config.json", "report.html", "report.md"} <= set(files)
    report = files["report.html"].decode()
    assert "entity F1" in report
    assert not any(word in report for word in ("Lovelace", "Hopper", "tiny-data"))
    run = work / "runs" / "names"
    done = nlpt(hub, "publish", run, f"{USER}/names", "--no-check")
    assert done.returncode == 0, done.stderr
    left = set(hub.repos[f"{USER}/names"].files)
    assert not [name for name in left if name.startswith(("onnx/", "report."))]
    assert "own pipeline" not in card_of(hub, "names").text


def test_a_whole_model_cannot_be_merged(hub: Hub, work: Path) -> None:
    done = nlpt(hub, "publish", work / "runs" / "names", f"{USER}/other", "--merge")
    assert done.returncode == 2
    assert "--merge:" in done.stderr
    assert "is a whole model already" in done.stderr
    assert f"{USER}/other" not in hub.repos


def test_what_answers_otherwise_on_the_hub_is_told(hub: Hub, work: Path) -> None:
    whole, hub.blobs = hub.blobs, Spoiling()
    done = nlpt(hub, "publish", work / "runs" / "names", f"{USER}/spoiled")
    hub.blobs = whole
    assert done.returncode == 2
    assert f"{USER}/spoiled at commit" in done.stderr
    assert "do not use it" in done.stderr


@pytest.mark.slow
def test_the_quickstarts_go_the_whole_circle(hub: Hub, tmp_path: Path) -> None:
    """Trained and scored in bf16 where the processor has it, asked in fp32."""
    hub.add_folder("sentence-transformers/all-MiniLM-L6-v2", embedded_checkpoint())
    adapter = ["strategies=[{name: lora, merge: false}]", "training.learning_rate=1e-3"]
    given = {
        "quick": (["quickstart-ner"], {"with_onnx": True}),
        "quick-adapter": (["quickstart-ner", *adapter], {}),
        "quick-merged": (["quickstart-ner", *adapter], {"merge": True}),
        "quick-intents": (["quickstart-intents"], {}),
    }
    lines = {}
    for name, ((recipe, *overrides), options) in given.items():
        run = tmp_path / name
        done = nlpt(hub, "finetune", "--recipe", recipe, *overrides, "--output", run)
        assert done.returncode == 0, done.stderr
        if "with_onnx" in options:
            assert nlpt(hub, "export", run).returncode == 0
        flags = [f"--{key.replace('_', '-')}" for key in options]
        done = nlpt(hub, "publish", run, f"{USER}/{name}", *flags)
        assert done.returncode == 0, done.stderr
        assert "downloaded again, it gives the same" in done.stderr
        lines[name] = predicted(run)
    used = used_by_others(hub, lines, tmp_path)
    for name, of_run in lines.items():
        check_card(card_of(hub, name), of_run, used[name]["pipeline"])
        key = "tags" if "tags" in of_run[0] else "label"
        for engine, results in used[name]["own"].items():
            alike = [a[key] == b[key] for a, b in zip(results, of_run, strict=True)]
            assert sum(alike) >= 0.99 * len(alike), (name, engine)


def _entity_f1(lines: list[dict[str, Any]], found: list[Any]) -> float:
    correct = predicted = gold = 0
    for line, entities in zip(lines, found, strict=True):
        starts = [sum(len(word) + 1 for word in line["tokens"][:n]) for n in range(100)]
        true, first = set(), None
        for n, tag in enumerate([*line["gold"], "O"]):
            if first is not None and not tag.startswith("I-"):
                end = starts[n - 1] + len(line["tokens"][n - 1])
                true.add((line["gold"][first][2:], starts[first], end))
                first = None
            first = n if tag.startswith("B-") else first
        mine = {(one["entity_group"], one["start"], one["end"]) for one in entities}
        correct, predicted, gold = (
            correct + len(true & mine), predicted + len(mine), gold + len(true)
        )  # fmt: skip
    return 2 * correct / (predicted + gold)


def _macro_f1(lines: list[dict[str, Any]], found: list[Any]) -> float:
    from sklearn.metrics import f1_score

    answers = [one[0] if isinstance(one, list) else one for one in found]
    gold = [line["gold"][0] for line in lines]
    return float(f1_score(gold, [one["label"] for one in answers], average="macro"))
