"""A run goes to a Hub and comes back, through the real client and a Hub of this machine."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from damaging import made_by_hand
from hub_server import USER, Fault, Hub, Repo, running_hub
from huggingface_hub import ModelCard
from publishing import nlpt, python, recipe_of, write_checkpoint, write_sentences

from nlp_transfer import Predictor, UserError, finetune, load_recipe
from nlp_transfer.flows.publish import publish_model
from nlp_transfer.flows.report import read_report
from nlp_transfer.publish.card import card_text
from nlp_transfer.publish.portable import files_to_publish
from nlp_transfer.records import LossLedger
from nlp_transfer.report.report import Report
from nlp_transfer.runs.run_folder import RunFolder

TEXTS = ["Ada Lovelace flew to London.", "Alan lived in Berlin"]
FULL_FILES = {
    "README.md", "recipe.yaml", "metrics.json", "config.json", "model.safetensors",
    "tokenizer.json", "tokenizer_config.json",
}  # fmt: skip
ADAPTER_FILES = FULL_FILES - {"config.json", "model.safetensors"} | {
    "model_config.json",
    "adapter_config.json",
    "adapter_model.safetensors",
}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny checkpoint, tiny data, and recipes for both."""
    folder = tmp_path_factory.mktemp("publish")
    write_checkpoint(folder / "tiny-base")
    write_sentences(folder / "tiny-data")
    return folder


@pytest.fixture(scope="module")
def run(work: Path) -> Path:
    """The finished run of a full fine-tuning."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # for a model this small, threads only wait for each other
    recipe = recipe_of(work, checkpoint=str(work / "tiny-base"), strategy={"name": "full"})
    finetune(load_recipe(str(recipe)), output=work / "run")
    torch.set_num_threads(threads)
    return work / "run"


@pytest.fixture(scope="module")
def shared_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with running_hub(tmp_path_factory.mktemp("client")) as hub:
        yield hub


@pytest.fixture
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with running_hub(tmp_path_factory.mktemp("client")) as fresh:
        yield fresh


@pytest.fixture(scope="module")
def pushed(run: Path, shared_hub: Hub) -> subprocess.CompletedProcess[str]:
    """The run, published as a user would."""
    return nlpt(shared_hub, "publish", run, f"{USER}/tiny-ner")


@pytest.fixture(scope="module")
def through_hub(work: Path, pushed: object, shared_hub: Hub) -> dict[str, Any]:
    """What another machine sees: a LoRA run from and to the Hub, and both models loaded from it."""
    shared_hub.add_folder(f"{USER}/tiny-base", work / "tiny-base")
    recipe = recipe_of(
        work, checkpoint=f"{USER}/tiny-base", strategy={"name": "lora", "merge": False}
    )
    script = """
import json, sys
from nlp_transfer import Predictor, finetune, load_recipe
recipe, output, adapter, full, texts = sys.argv[1:]
finetune(load_recipe(recipe), output=output, push_to_hub=adapter)
models = {"run": output, "adapter": adapter, "full": full}
print(json.dumps({k: list(Predictor.from_run(m)(json.loads(texts))) for k, m in models.items()}))
"""
    adapter, full = f"{USER}/tiny-lora", f"{USER}/tiny-ner"
    args = [recipe, work / "lora-run", adapter, full, json.dumps(TEXTS)]
    done = python(shared_hub, "-c", script, *args)
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout.splitlines()[-1]), "output": done.stdout + done.stderr}


def test_a_run_is_published_in_one_commit(
    pushed: subprocess.CompletedProcess[str], shared_hub: Hub
) -> None:
    assert pushed.returncode == 0, pushed.stderr
    assert pushed.stdout.strip() == f"{shared_hub.url}/{USER}/tiny-ner"
    assert "downloaded again, it gives the same 12 answers (torch)" in pushed.stderr
    repo = shared_hub.repos[f"{USER}/tiny-ner"]
    assert repo.published == ["Publish the run tiny-ner"]
    assert set(repo.files) == FULL_FILES
    assert repo.private


def test_what_leaves_is_listed_with_its_size(
    pushed: subprocess.CompletedProcess[str], shared_hub: Hub
) -> None:
    for name, content in shared_hub.repos[f"{USER}/tiny-ner"].files.items():
        (line,) = [line for line in pushed.stderr.splitlines() if line.split()[:1] == [name]]
        assert line.split()[1] == f"{len(content):,}"


def test_published_files_are_those_of_the_run(pushed: object, run: Path, shared_hub: Hub) -> None:
    files = shared_hub.repos[f"{USER}/tiny-ner"].files
    figures, own = json.loads(files["metrics.json"]), json.loads((run / "metrics.json").read_text())
    for split in own["splits"].values():  # what quotes the data stays at home
        split["analysis"] = {
            name: part
            for name, part in split["analysis"].items()
            if name not in ("mistakes", "repeated")
        }
    assert figures == own
    assert not any(word in str(figures) for word in ("Berlin", "Lovelace", "train.conll"))
    for path in (run / "model").iterdir():
        assert files.get(path.name) == (
            None if path.name == "manifest.json" else path.read_bytes()
        )  # of other files


def test_card_carries_the_figures_of_metrics_json(
    pushed: object, run: Path, shared_hub: Hub
) -> None:
    text = shared_hub.repos[f"{USER}/tiny-ner"].files["README.md"].decode()
    card = ModelCard(text)
    own = [r for r in card.data.eval_results if r.metric_args]  # the pipeline's has no interval
    f1 = {r.dataset_split: r.metric_value for r in own if r.metric_type == "f1"}
    splits = json.loads((run / "metrics.json").read_text())["splits"]
    assert f1 == {split: splits[split]["entity"]["overall"]["f1"] for split in splits}
    assert {r.dataset_name for r in card.data.eval_results} == {"tiny-data"}
    assert card.data.model_name == "tiny-ner"
    assert card.data.library_name == "transformers"
    assert not {"license", "language", "base_model", "datasets"} & set(card.data.to_dict())
    assert str(card) == text
    assert f'Predictor.from_run("{USER}/tiny-ner")' in text
    assert '"REPO"' not in text
    assert "`LOC`, `PER`" in text
    assert "Loss ledger" in text


def test_no_path_of_this_machine_is_published(
    through_hub: dict[str, Any], work: Path, shared_hub: Hub
) -> None:
    for name in ("tiny-ner", "tiny-lora"):
        for path, content in shared_hub.repos[f"{USER}/{name}"].files.items():
            assert str(work).encode() not in content, path
    recipe = yaml.safe_load(shared_hub.repos[f"{USER}/tiny-ner"].files["recipe.yaml"])
    assert recipe["data"]["source"] == "./tiny-data"


def test_downloaded_model_predicts_as_the_run(through_hub: dict[str, Any], run: Path) -> None:
    assert through_hub["full"] == list(Predictor.from_run(run)(TEXTS))


def test_lora_run_is_published_as_adapter_after_training(
    through_hub: dict[str, Any], shared_hub: Hub
) -> None:
    repo = shared_hub.repos[f"{USER}/tiny-lora"]
    assert len(repo.published) == 1
    assert set(repo.files) == ADAPTER_FILES
    card = ModelCard(repo.files["README.md"].decode())
    assert card.data.library_name == "peft"
    assert card.data.base_model == f"{USER}/tiny-base"
    assert card.data.base_model_relation == "adapter"
    assert "holds adapters" in card.text
    assert through_hub["adapter"] == through_hub["run"]


def test_token_is_nowhere(
    through_hub: dict[str, Any],
    pushed: subprocess.CompletedProcess[str],
    run: Path,
    work: Path,
    shared_hub: Hub,
) -> None:
    token = shared_hub.token
    assert token not in pushed.stdout + pushed.stderr + through_hub["output"]
    for folder in (run, work / "lora-run"):
        for path in folder.rglob("*"):
            assert not path.is_file() or token.encode() not in path.read_bytes(), path
    for repo in shared_hub.repos.values():
        assert all(token.encode() not in content for content in repo.files.values())


def test_wrong_token_says_to_log_in_and_keeps_the_run(run: Path, hub: Hub) -> None:
    before = _contents(run)
    done = nlpt(
        hub, "publish", run, f"{USER}/tiny-ner", "--no-check", token="hf_testwrong0123456789"
    )
    assert done.returncode == 2
    assert "hf auth login" in done.stderr
    assert f"nlpt publish {run} {USER}/tiny-ner --no-check" in done.stderr
    assert "Traceback" not in done.stderr
    assert "hf_testwrong" not in done.stdout + done.stderr
    assert _contents(run) == before
    assert not hub.repos


def test_foreign_owner_is_refused_with_advice(run: Path, hub: Hub) -> None:
    done = nlpt(hub, "publish", run, "somebody/tiny-ner", "--no-check")
    assert done.returncode == 2
    assert "may not write to 'somebody/tiny-ner'" in done.stderr


def test_hub_that_is_down_leaves_the_run_and_the_command(run: Path, hub: Hub) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        hub.url = f"http://127.0.0.1:{free.getsockname()[1]}"
    before = _contents(run)
    done = nlpt(hub, "publish", run, f"{USER}/tiny-ner", "--no-check")
    assert done.returncode == 2
    assert "cannot be reached" in done.stderr
    assert "is safe" in done.stderr
    assert f"nlpt publish {run} {USER}/tiny-ner --no-check" in done.stderr
    assert _contents(run) == before


def test_hub_that_falls_silent_while_it_is_written_to_is_not_waited_for(
    run: Path, hub: Hub
) -> None:
    hub.faults.append(Fault("/preupload/", "hang"))
    done = nlpt(hub, "publish", run, "tiny-ner", "--no-check", HF_HUB_DOWNLOAD_TIMEOUT="1")
    assert done.returncode == 2
    assert "The Hub did not answer within 6 s." in done.stderr
    assert "is safe" in done.stderr
    hub.faults.clear()  # the network is back
    again = nlpt(hub, "publish", run, "tiny-ner", "--no-check")
    assert again.returncode == 0, again.stderr
    assert set(hub.repos[f"{USER}/tiny-ner"].files) == FULL_FILES


def test_republishing_replaces_the_old_model_in_one_commit(run: Path, hub: Hub) -> None:
    """A bare name is the user's own; an old adapter must not be put on top of the new weights."""
    old = {"adapter_config.json": b"{}", "adapter_model.safetensors": b"", "notes.md": b"mine"}
    hub.repos[f"{USER}/tiny-ner"] = Repo(snapshots=[{}, old], summaries=["initial commit", "old"])
    for _ in range(2):
        done = nlpt(hub, "publish", run, "tiny-ner", "--no-check", "--replace")
        assert done.returncode == 0, done.stderr
    repo = hub.repos[f"{USER}/tiny-ner"]
    assert set(repo.files) == FULL_FILES | {"notes.md"}
    assert len(repo.published) == 2  # nothing had changed the second time


OTHERS = {
    "bare": ({}, "a model that nlpt did not publish"),
    "torn": ({"metrics.json": b"["}, "a model that nlpt did not publish"),
    "deep": ({"metrics.json": b"[" * 100_000}, "a model that nlpt did not publish"),
    "huge": ({"metrics.json": b" " * 50_000_001}, "a model that nlpt did not publish"),
    "theirs": ({"metrics.json": b'{"recipe": "theirs"}'}, "a run of the recipe 'theirs'"),
}


def test_another_model_is_replaced_only_where_that_is_asked_for(run: Path, hub: Hub) -> None:
    old = {"config.json": b"{}", "pytorch_model.bin": b"theirs"}
    for name, (files, _) in OTHERS.items():
        hub.repos[f"{USER}/{name}"] = Repo(snapshots=[{**old, **files}])
    script = """
import json, sys
from nlp_transfer import UserError, publish_model
run, *repos = sys.argv[1:]
for repo in repos:
    try:
        publish_model(run, repo, message="mine, too", check=False)
    except UserError as error:
        print(json.dumps(str(error)))
"""
    done = python(hub, "-c", script, run, *(f"{USER}/{name}" for name in OTHERS))
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    for (name, (files, said)), message in zip(OTHERS.items(), messages, strict=True):
        assert f"{USER}/{name} holds {said}; this is one of 'tiny-ner'" in message
        assert "--replace" in message
        assert hub.repos[f"{USER}/{name}"].files == {**old, **files}
    done = nlpt(hub, "publish", run, f"{USER}/theirs", "--replace", "--no-check")
    assert done.returncode == 0, done.stderr
    assert set(hub.repos[f"{USER}/theirs"].files) == FULL_FILES


def test_branch_tag_and_message_are_those_asked_for(run: Path, hub: Hub) -> None:
    options = (
        "--revision",
        "trial/2",
        "--tag",
        "v0.2",
        "--message",
        "Try another seed",
        "--no-check",
    )
    done = nlpt(hub, "publish", run, "tiny-ner", "--no-private", *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{hub.url}/{USER}/tiny-ner/tree/trial/2"
    repo = hub.repos[f"{USER}/tiny-ner"]
    assert (repo.files, repo.private) == ({}, False)
    assert set(repo.branches["trial/2"]) == FULL_FILES
    assert repo.published == ["Try another seed"]
    assert repo.find("v0.2") == repo.find("trial/2") != None  # noqa: E711
    again = nlpt(hub, "publish", run, "tiny-ner", *options)
    assert again.returncode == 2
    assert f"{USER}/tiny-ner has a tag 'v0.2' already" in again.stderr
    assert len(repo.published) == 1


def test_a_pull_request_leaves_the_branch_as_it_is(run: Path, hub: Hub) -> None:
    done = nlpt(hub, "publish", run, "tiny-ner", "--create-pr")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{hub.url}/{USER}/tiny-ner/discussions/1"
    repo = hub.repos[f"{USER}/tiny-ner"]
    assert repo.files == {}
    assert set(repo.branches["refs/pr/1"]) == FULL_FILES


def test_a_dry_run_writes_what_would_be_uploaded_and_asks_nobody(
    pushed: object, run: Path, shared_hub: Hub, hub: Hub, tmp_path: Path
) -> None:
    command = ("publish", run, f"{USER}/tiny-ner", "--dry-run", tmp_path / "out")
    done = nlpt(hub, *command)
    assert done.returncode == 0, done.stderr
    assert "nothing was sent" in done.stderr
    assert hub.requests == []
    published = shared_hub.repos[f"{USER}/tiny-ner"].files
    assert _contents(tmp_path / "out") == {
        str(tmp_path / "out" / name): content for name, content in published.items()
    }
    again = nlpt(hub, *command)
    assert again.returncode == 2
    assert f"--dry-run: {tmp_path / 'out'} is there and not empty" in again.stderr


def test_a_hub_that_is_asked_too_often_is_asked_again_when_it_says(run: Path, hub: Hub) -> None:
    hub.too_often = 2
    done = nlpt(hub, "publish", run, "tiny-ner", "--no-check")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("trying again in 1 s") == 2
    assert set(hub.repos[f"{USER}/tiny-ner"].files) == FULL_FILES
    hub.too_often = 100
    done = nlpt(hub, "publish", run, "other", "--message", "it's mine", "--tag", "v1", "--no-check")
    assert done.returncode == 2
    assert "cannot serve the upload just now (HTTP 429)" in done.stderr
    assert (
        f"nlpt publish {run} other --tag v1 --message 'it'\"'\"'s mine' --no-check" in done.stderr
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"revision": "a..b"}, "--revision: 'a..b' is not a name"),
        ({"tag": "-v1"}, "--tag: '-v1' is not a name"),
        ({"tag": ""}, "--tag: '' is not a name"),
        ({"tag": "v1", "create_pr": True}, "--tag names a commit of a branch"),
    ],
)
def test_names_that_cannot_be_are_refused_before_the_hub_is_asked(
    options: dict[str, Any], said: str, run: Path
) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        publish_model(run, f"{USER}/tiny-ner", **options)


def test_private_run_does_not_go_into_a_public_repository(run: Path, hub: Hub) -> None:
    hub.repos[f"{USER}/tiny-ner"] = Repo()
    done = nlpt(hub, "publish", run, f"{USER}/tiny-ner", "--private")
    assert done.returncode == 2
    assert "exists and is public" in done.stderr
    assert hub.repos[f"{USER}/tiny-ner"].published == []


def test_publish_private_of_the_recipe_creates_a_private_repository(
    run: Path, tmp_path: Path, hub: Hub
) -> None:
    copy = made_by_hand(shutil.copytree(run, tmp_path / "run"))
    text = (copy / "recipe.yaml").read_text()
    (copy / "recipe.yaml").write_text(text.replace("private: null", "private: true"))
    done = nlpt(hub, "publish", copy, f"{USER}/tiny-ner", "--no-check")
    assert done.returncode == 0, done.stderr
    assert hub.repos[f"{USER}/tiny-ner"].private


@pytest.mark.parametrize("files", [{}, {"model.gguf": b"GGUF", "README.md": b"# hello"}])
def test_a_repository_without_a_model_says_what_it_holds(
    files: dict[str, bytes], hub: Hub, run: Path
) -> None:
    hub.repos[f"{USER}/bare"] = Repo(snapshots=[{".gitattributes": b"", **files}])
    done = nlpt(hub, "predict", f"{USER}/bare", str(run / "recipe.yaml"))
    assert done.returncode == 2
    held = ", ".join(sorted(files)) or "nothing"
    assert f"'{USER}/bare' is on the Hub, but holds no model" in done.stderr
    assert f"no config.json, only {held}." in done.stderr
    assert "cannot be reached" not in done.stderr


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("metrics.json", r"not finished.*nlpt finetune --recipe"),
        ("model", r"is finished, but .*nlpt finetune --recipe.* --fresh"),
    ],
)
def test_unfinished_run_is_refused(run: Path, tmp_path: Path, missing: str, said: str) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    path = copy / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(UserError, match=said):
        publish_model(copy, f"{USER}/tiny-ner")


@pytest.mark.parametrize("repo", ["a/b/c", "", "with blank", "https://huggingface.co/a/b", "a--b"])
def test_bad_repository_name_is_refused(run: Path, repo: str) -> None:
    with pytest.raises(UserError, match="OWNER/NAME"):
        publish_model(run, repo)


def test_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no run"):
        publish_model(tmp_path, f"{USER}/tiny-ner")


def test_only_the_main_process_publishes(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    assert publish_model(run, f"{USER}/tiny-ner").endswith(f"{USER}/tiny-ner")


def test_adapter_on_a_local_base_names_only_its_folder(run: Path, tmp_path: Path) -> None:
    """./ keeps the name from being looked up on the Hub, where it may be some other model."""
    copy = RunFolder(Path(shutil.copytree(run, tmp_path / "run")))
    config = {"base_model_name_or_path": "/home/me/models/tiny-base", "r": 4}
    (copy.model / "adapter_config.json").write_text(json.dumps(config))
    uploaded = files_to_publish(copy, copy.model)["adapter_config.json"]
    assert isinstance(uploaded, bytes)
    assert json.loads(uploaded) == {"base_model_name_or_path": "./tiny-base", "r": 4}


def test_card_of_a_classifier_on_hub_data(tmp_path: Path) -> None:
    row = {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2}
    figures = {
        "class": {
            "per_label": {"no": row, "a|b": row},
            "accuracy": 0.75,
            "micro": row,
            "macro": {**row, "f1_ci95": [0.4, 0.6]},
            "weighted": row,
        },
        "ledger": LossLedger(sentences=2, words=9, words_truncated=1).as_dict(),
    }
    metrics = {"task": "classification", "splits": {"test": figures}, "notes": ["Uncased."]}
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        "{name: c, task: {name: classification}, data: {source: me/texts, config: en},"
        " model: {checkpoint: samples/minilm}, strategies: [{name: full}],"
        " publish: {license: apache-2.0, language: en}}"
    )
    card = ModelCard(
        card_text(load_recipe(str(recipe)), Report.read(metrics), ["no", "a|b", "rare"])
    )
    assert card.data.license == "apache-2.0"
    assert card.data.language == "en"
    assert card.data.datasets == ["me/texts"]
    assert card.data.base_model == "sentence-transformers/all-MiniLM-L6-v2"
    assert card.data.pipeline_tag == "text-classification"
    values = {r.metric_name: (r.metric_value, r.dataset_config) for r in card.data.eval_results}
    assert values == {"accuracy": (0.75, "en"), "macro F1": (0.5, "en")}
    assert "> Uncased." in card.text
    assert "Labels: `no`, `a|b`, `rare`\n" in card.text
    assert "Every one of these is counted" in card.text
    assert 'pipeline("text-classification", model="REPO", truncation=True)' in card.text


@pytest.mark.parametrize(
    ("strategy", "library"),
    [
        ({"name": "prompt", "tokens": 4}, "peft"),
        ({"name": "lora", "merge": False}, "peft"),
        ({"name": "ia3"}, "transformers"),
        ({"name": "full"}, "transformers"),
    ],
)
def test_a_card_says_whether_the_model_is_whole(
    strategy: dict[str, Any], library: str, work: Path, run: Path
) -> None:
    recipe = load_recipe(str(recipe_of(work, checkpoint="samples/minilm", strategy=strategy)))
    card = ModelCard(card_text(recipe, read_report(run), ["PER"]))
    assert card.data.library_name == library
    assert ("holds adapters" in card.text) == (library == "peft")


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
