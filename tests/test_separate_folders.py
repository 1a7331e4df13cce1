"""Nodes that do not see each other's folders end as those do that share one, and leave nothing."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from safetensors.torch import load_file
from waiting import wait_for

from nlp_transfer import finetune, load_recipe
from nlp_transfer.runs.run_folder import RunFolder

Recipe = Callable[..., Path]

TRAINING = {"epochs": 3, "tokens_per_batch": 96}
"""At its end the weights are not those of the best evaluation, which all have to load."""
AVERAGE = {"name": "average_checkpoints", "count": 3, "only_if_better": False}
ROUNDS = {"name": "pseudo_labels", "top_share": 0.5}
SAID = "separate folders: "


class Nodes:
    """Two machines, as far as they can be told apart here: a working folder and TMPDIR each."""

    def __init__(self, folder: Path, *, processes: int = 1, shared: bool = False) -> None:
        """shared: both work in the folder of the first."""
        self._processes = processes
        self.folders = [folder / f"node-{number}" for number in (0, 1)]
        self._work = [self.folders[0]] * 2 if shared else self.folders
        for node in self.folders:
            (node / "tmp").mkdir(parents=True)

    @property
    def run(self) -> Path:
        """The run's folder, which the main process writes."""
        return self._work[0] / "run"

    @contextlib.contextmanager
    def started(self, *command: object) -> Iterator[list[subprocess.Popen[str]]]:
        """Start the same command under a launcher on each; what is left at the end is killed."""
        port = _free_port()
        both = [self._start(number, port, *command) for number in (0, 1)]
        try:
            yield both
        finally:
            for launcher in both:
                for process in (launcher, *_below(launcher)):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.kill()
                launcher.communicate()

    def _start(self, number: int, port: int, *command: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "torch.distributed.run", "--nnodes", "2"),
                *("--nproc_per_node", str(self._processes), "--node_rank", str(number)),
                *("--master_addr", "127.0.0.1", "--master_port", str(port)),
                *("-m", "nlp_transfer", *map(str, command)),
            ],
            cwd=self._work[number],
            env={**os.environ, "TMPDIR": str(self.folders[number] / "tmp")},
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ends(self, *command: object, code: int = 0) -> list[str]:
        """Wait for the end of both; return what each has said on stderr."""
        with self.started(*command) as both:
            with ThreadPoolExecutor() as readers:  # a full pipe would stop the other
                said = [*readers.map(lambda one: one.communicate(timeout=400)[1], both)]
            assert [one.returncode for one in both] == [code, code], "\n".join(said)[-3000:]
        return said

    def left(self) -> list[str]:
        """Name what lies beside the run: in the working folders, and in TMPDIR but for torch's."""
        there = [path for node in self.folders for path in (*node.iterdir(), *node.glob("tmp/*"))]
        names = [str(path.relative_to(self.folders[0].parent)) for path in there]
        usual = ("node-0/run", "node-0/tmp", "node-1/tmp")
        return [name for name in names if name not in usual and "/tmp/torch" not in name]


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def _below(launcher: subprocess.Popen[str]) -> list[psutil.Process]:
    try:
        return psutil.Process(launcher.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _end_of(run: Path) -> Mapping[str, object]:
    """Return what a run has ended with, but for times."""
    metrics = json.loads((run / "metrics.json").read_text("utf-8"))
    training = metrics["training"]
    counts = ("steps", "best_step", "best_validation", "world_size", "strategies", "ended_by")
    return {
        "figures": metrics["splits"],
        "training": {name: training.get(name) for name in counts},
        "weights": (run / "model" / "model.safetensors").read_bytes(),
        "predictions": (run / "predictions.jsonl").read_bytes(),
    }


def test_a_process_that_does_not_see_the_folder_learns_and_predicts_the_same(
    tiny_recipe: Recipe, tmp_path: Path
) -> None:
    recipe = tiny_recipe(training=TRAINING)
    alone = finetune(load_recipe(str(recipe)), output=tmp_path / "alone")
    assert alone.training["best_step"] < alone.training["steps"]
    script = tmp_path / "each.sh"
    (tmp_path / "tmp").mkdir()
    script.write_text(
        f"#!/bin/sh\n[ $RANK = 1 ] && export TMPDIR={tmp_path}/tmp\n"
        f"exec {sys.executable} -m nlp_transfer finetune -r {recipe} -o run-$RANK --json\n"
    )
    script.chmod(0o755)
    launcher = ("-m", "torch.distributed.run", "--nproc_per_node", "2", "--no-python")
    done = subprocess.run(
        [sys.executable, *launcher, script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    assert done.stderr.count(SAID) == 1
    together = json.loads(done.stdout)
    assert together["training"]["world_size"] == 2
    assert together["training"]["best_step"] == alone.training["best_step"]
    ours, theirs = (
        load_file(tmp_path / run / "model/model.safetensors") for run in ("run-0", "alone")
    )
    assert all(ours[name].allclose(theirs[name], atol=1e-5) for name in theirs)
    tags = [
        [json.loads(line)["tags"] for line in (tmp_path / run / "predictions.jsonl").open()]
        for run in ("run-0", "alone")
    ]
    assert tags[0] == tags[1]
    assert not (tmp_path / "run-1").exists()
    assert [path for path in (tmp_path / "tmp").iterdir() if "torch" not in path.name] == []


KINDS: dict[str, tuple[str, str | Mapping[str, object], Mapping[str, object]]] = {
    "ner": ("ner", "full", TRAINING),
    "classification": ("classification", "full", TRAINING),
    "average": (
        "ner",
        {"name": "average_checkpoints", "count": 2, "only_if_better": False},
        TRAINING,
    ),
    "rounds": ("ner", ROUNDS, {**TRAINING, "epochs": 1}),
    "lora, patience": ("ner", "lora", {**TRAINING, "epochs": 9, "early_stopping": 1}),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_separate_folders_give_bitwise_what_a_shared_one_gives(
    kind: str, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    task, strategy, training = KINDS[kind]
    texts = tmp_path / "texts.txt"
    texts.write_text("Ada left Rome\nNoor praised Acme Corp. today\nLi met Zola\n", "utf-8")
    if strategy is ROUNDS:
        strategy = {**ROUNDS, "texts": str(texts)}
    recipe = tiny_recipe(task, strategy=strategy, training=training)
    shared = Nodes(tmp_path / "shared", shared=True)
    said = shared.ends("finetune", "-r", recipe, "-o", "run")
    assert SAID not in said[0]
    separate = Nodes(tmp_path / "separate")
    said = separate.ends("finetune", "-r", recipe, "-o", "run")
    assert [text.count(SAID) for text in said] == [1, 0]
    assert _end_of(separate.run) == _end_of(shared.run)
    assert separate.left() == []


@pytest.mark.slow
def test_of_a_machine_with_several_processes_one_receives(
    tiny_recipe: Recipe, tmp_path: Path
) -> None:
    recipe = tiny_recipe(training={**TRAINING, "epochs": 2})
    shared = Nodes(tmp_path / "shared", processes=2, shared=True)
    shared.ends("finetune", "-r", recipe, "-o", "run")
    separate = Nodes(tmp_path / "separate", processes=2)
    said = separate.ends("finetune", "-r", recipe, "-o", "run")
    assert f"{separate.run} is not seen on {os.uname().nodename} (process 2, 3)" in said[0]
    assert _end_of(separate.run) == _end_of(shared.run)
    assert separate.left() == []

    said = separate.ends("finetune", "-r", recipe, "-o", "run")
    assert "is finished; --fresh starts over" in said[0]
    assert separate.left() == []


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Name the folder in which the run lies that nobody disturbs, when it is there."""
    return tmp_path_factory.mktemp("undisturbed")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "node"), [(signal.SIGKILL, 1), (signal.SIGKILL, 0), (signal.SIGTERM, 1)]
)
def test_separate_nodes_go_on_after_the_end_of_one(
    number: signal.Signals, node: int, tiny_recipe: Recipe, tmp_path: Path, undisturbed: Path
) -> None:
    training = {**TRAINING, "epochs": 12, "save_minutes": 0.001}
    recipe = tiny_recipe(strategy=AVERAGE, training=training)
    if not list(undisturbed.iterdir()):
        Nodes(undisturbed).ends("finetune", "-r", recipe, "-o", "run")
    nodes = Nodes(tmp_path / "nodes")
    with nodes.started("finetune", "-r", recipe, "-o", "run") as both:
        wait_for("epoch 3/", both[0])
        workers = [*_below(both[0]), *_below(both[1])]
        both[node].send_signal(number)
        assert not psutil.wait_procs(workers, timeout=90)[1]
        said = both[0].communicate()[1]
    assert nodes.left() == []
    newest = RunFolder(nodes.run).last_checkpoint()
    assert newest is not None
    assert {file.name for file in newest.glob("rng*")} == {"rng_state_0.pth", "rng_state_1.pth"}
    if number == signal.SIGTERM:
        found = re.search(r"ended by SIGTERM: the same command goes on after step (\d+) of", said)
        assert found, said
        assert newest.name == f"checkpoint-{found[1]}"

    said = nodes.ends("finetune", "-r", recipe, "-o", "run")[0]
    assert "resuming at step " in said
    assert _end_of(nodes.run) == _end_of(undisturbed / "node-0" / "run")
    assert nodes.left() == []


@pytest.mark.slow
def test_a_run_of_another_first_node_is_not_begun_anew(tiny_recipe: Recipe, tmp_path: Path) -> None:
    recipe, nodes = tiny_recipe(training={**TRAINING, "epochs": 1}), Nodes(tmp_path / "nodes")
    run = nodes.folders[1] / "run"
    finetune(load_recipe(str(recipe)), output=run)
    (run / "metrics.json").rename(tmp_path / "metrics.json")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    said = nodes.ends("finetune", "-r", recipe, "-o", "run", code=1)
    (line,) = re.findall(r"error: .*", said[0])
    assert line.startswith(f"error: process 1 (on {os.uname().nodename}): {run} holds a run here")
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    assert not nodes.run.exists()
    assert nodes.left() == ["node-1/run"]


@pytest.mark.slow
def test_too_little_room_for_what_is_sent_ends_all_before_training(
    tiny_recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, shutil\n"
        "if os.environ.get('RANK') == '1':\n"
        "    usage = shutil.disk_usage('.')\n"
        "    shutil.disk_usage = lambda _: usage._replace(free=1000)\n"
    )
    paths = [str(tmp_path), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    nodes = Nodes(tmp_path / "nodes")
    said = nodes.ends("finetune", "-r", tiny_recipe(training=TRAINING), "-o", "run", code=1)
    (line,) = re.findall(r"error: .*", said[0])
    tmp = nodes.folders[1] / "tmp"
    assert line.startswith(f"error: process 1 (on {os.uname().nodename}): TMPDIR: {tmp}/")
    assert nodes.left() == []
    assert not nodes.run.exists()


@pytest.mark.slow
def test_separate_nodes_end_with_the_best_model_when_the_time_is_over(
    tiny_recipe: Recipe, tmp_path: Path
) -> None:
    recipe = tiny_recipe(training={**TRAINING, "epochs": 2000, "max_minutes": 0.1})
    nodes = Nodes(tmp_path / "nodes")
    nodes.ends("finetune", "-r", recipe, "-o", "run")
    assert _end_of(nodes.run)["training"]["ended_by"] == "training.max_minutes"  # type: ignore[index]
    assert nodes.left() == []


@pytest.mark.slow
def test_separate_nodes_read_texts_before(tiny_recipe: Recipe, tmp_path: Path) -> None:
    recipe = tiny_recipe(pretraining={"epochs": 1, "tokens_per_batch": 96})
    shared = Nodes(tmp_path / "shared", shared=True)
    shared.ends("pretrain", "-r", recipe, "-o", "run")
    nodes = Nodes(tmp_path / "nodes")
    assert SAID in nodes.ends("pretrain", "-r", recipe, "-o", "run")[0]
    ours, theirs = (run / "model" / "model.safetensors" for run in (nodes.run, shared.run))
    assert ours.read_bytes() == theirs.read_bytes()
    assert nodes.left() == []


@pytest.mark.slow
def test_what_all_processes_write_is_refused_to_separate_nodes(
    tiny_recipe: Recipe, tmp_path: Path, trained_ner: Path
) -> None:
    nodes = Nodes(tmp_path / "nodes")
    recipe = tiny_recipe(training={**TRAINING, "arguments": {"fsdp": "full_shard"}})
    said = nodes.ends("finetune", "-r", recipe, "-o", "run", code=1)
    assert said[0].count("error: ") == 1
    assert "FSDP and DeepSpeed write checkpoints by all processes" in said[0]
    assert nodes.left() == []
    assert not nodes.run.exists()

    for node in nodes.folders:
        (node / "tmp" / "texts.txt").write_text("Ada left Rome\n" * 50, "utf-8")
    said = nodes.ends("predict", trained_ner, "tmp/texts.txt", "-o", "found.jsonl", code=1)
    (line,) = re.findall(r"error: .*", said[0])
    assert f"{nodes.folders[1]}/found.jsonl is not the {nodes.folders[0]}/found.jsonl that" in line
    assert "or predict a part of the input on each machine, without a launcher" in line
    assert not list(tmp_path.rglob("found*"))
