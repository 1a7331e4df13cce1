"""One run, one folder: a second one is refused, and the owner named; a dead owner has lost it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from waiting import wait_for

from nlp_transfer.errors import UserError
from nlp_transfer.processes.identity import SILENCE, ProcessId
from nlp_transfer.runs.holder import Holder
from nlp_transfer.runs.lock import LOCK, Lock

Run = Callable[..., tuple[int, str, str]]
ELSEWHERE = {"machine": "far-away/1/2", "pid": os.getpid(), "started": "1"}


def _start(*command: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "nlp_transfer", *map(str, command)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def _in_training(recipe: Path, output: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a run that does not end by itself, and wait for its first epoch."""
    with _start("finetune", "-r", recipe, "-o", output) as process:
        wait_for("epoch 1/", process)
        try:
            yield process
        finally:
            process.kill()


def _held(path: Path, process: dict[str, Any], *, seconds_ago: float = 0) -> None:
    path.write_text(json.dumps({"process": process, "since": "noon", "token": "a1"}), "utf-8")
    now = path.stat().st_mtime
    os.utime(path, (now, now - seconds_ago))


@pytest.fixture
def endless(tiny_recipe: Callable[..., Path]) -> Path:
    return tiny_recipe(training={"epochs": 5000, "save_minutes": 0.01})


def test_a_live_run_keeps_its_folder_and_a_killed_one_loses_it(
    endless: Path, nlpt: Run, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    with _in_training(endless, run) as process:
        for more in ([], ["training.seed=7", "--fresh"]):
            code, out, err = nlpt("finetune", "-r", endless, "-o", run, *more)
            assert (code, out) == (2, ""), err
            assert f"{run} is in use: process {process.pid} on {os.uname().nodename}, " in err
        assert process.poll() is None
        assert nlpt("report", run)[0] == 2  # as ever: it has no report yet
    assert (run / LOCK).is_file()  # killed
    code, _, err = nlpt("finetune", "-r", endless, "-o", run, "training.epochs=1", "--fresh")
    assert code == 0, err
    assert not list(run.glob(".*"))


@pytest.mark.slow
def test_of_two_that_start_together_one_is_refused(tiny_recipe: Any, tmp_path: Path) -> None:
    recipe, run = tiny_recipe(training={"epochs": 40}), tmp_path / "run"
    both = [_start("finetune", "-r", recipe, "-o", run, f"training.seed={n}") for n in (1, 2)]
    said = [process.communicate()[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 2], said
    winner = both[0].returncode and 1
    assert f"is in use: process {both[winner].pid} on" in said[1 - winner]
    assert f"seed: {winner + 1}" in (run / "recipe.yaml").read_text("utf-8")
    assert not list(run.glob(".*"))


@pytest.mark.parametrize(
    ("recipe", "left"),
    [({"data": {"source": "nowhere.conll"}}, False), ({"training": {"epochs": 1}}, True)],
)
def test_nothing_of_the_lock_is_left(
    recipe: dict[str, Any], left: bool, nlpt: Run, tiny_recipe: Any, tmp_path: Path
) -> None:
    run = tmp_path / "new" / "run"
    overrides = ["data.splits.train=nowhere.conll"] if not left else []
    code, _, err = nlpt("finetune", "-r", tiny_recipe(), "-o", run, *overrides)
    assert (code == 0) == left, err
    assert run.parent.exists() == left
    assert not list(tmp_path.rglob(".*"))


def test_a_process_number_that_is_used_again_holds_nothing(tmp_path: Path) -> None:
    lock = tmp_path / LOCK
    mine = ProcessId.here().as_dict()
    _held(lock, {**mine, "started": "12"})
    with Lock(lock, tmp_path) as held:
        assert Holder.read(lock).token == held.token
    _held(lock, mine)
    with (
        pytest.raises(UserError, match=f"process {os.getpid()} on .*, since noon"),
        Lock(lock, tmp_path),
    ):
        pass


def test_a_process_that_its_parent_has_not_buried_is_dead(tmp_path: Path) -> None:
    said = "from nlp_transfer.processes.identity import ProcessId as P; import json\n"
    process = subprocess.Popen(
        [sys.executable, "-c", f"{said}print(json.dumps(P.here().as_dict()))"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    theirs = json.loads(process.stdout.readline())
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
    assert ProcessId(**theirs).is_gone()
    process.wait()
    process.stdout.close()


def test_another_machine_loses_it_by_silence_alone(tmp_path: Path, caplog: Any) -> None:
    lock = tmp_path / LOCK
    _held(lock, ELSEWHERE, seconds_ago=SILENCE + 1)
    with Lock(lock, tmp_path):
        pass
    _held(lock, ELSEWHERE, seconds_ago=SILENCE - 1)  # silent for one second more
    with Lock(lock, tmp_path):
        pass
    _held(lock, ELSEWHERE, seconds_ago=30)
    life = threading.Timer(0.5, os.utime, (lock,))
    life.start()
    with (
        pytest.raises(UserError, match=r"process \d+ on far-away, since noon"),
        Lock(lock, tmp_path),
    ):
        pass
    life.join()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"process": 1}', "\0" * 50_000])
def test_a_damaged_lock_ends_by_silence(tmp_path: Path, content: str) -> None:
    lock = tmp_path / LOCK
    lock.write_text(content)
    old = lock.stat().st_mtime - SILENCE - 1
    os.utime(lock, (old, old))
    with Lock(lock, tmp_path) as held:
        assert Holder.read(lock).token == held.token
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("links", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_of_many_that_find_a_dead_owner_one_goes_on(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:  # as on some file systems
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(PermissionError))
    mine = ProcessId.here().as_dict()
    _held(tmp_path / LOCK, {**mine, "started": "12"})
    together, refused = threading.Barrier(8), threading.Semaphore(0)

    def take(_: int) -> bool:
        together.wait()
        try:
            with Lock(tmp_path / LOCK, tmp_path):
                for _ in range(7):
                    refused.acquire(timeout=60)
                return True
        except UserError:
            refused.release()
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(8))) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_gives_the_folder_back(
    number: signal.Signals, endless: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    with _in_training(endless, run) as process:
        process.send_signal(number)
        assert process.stderr
        process.stderr.read()
        assert process.wait() == 128 + number
        assert not list(run.glob(".*"))


@pytest.mark.slow
def test_a_run_that_was_taken_for_dead_saves_nothing_more(endless: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with _in_training(endless, run) as process:
        process.send_signal(signal.SIGSTOP)
        _held(run / LOCK, ELSEWHERE)
        before = {path.name for path in (run / "checkpoints").iterdir()}
        process.send_signal(signal.SIGCONT)
        assert process.stderr
        said = process.stderr.read()
        assert process.wait() == 2
    assert re.search(r"another has gone on in its place: process \d+ on far-away", said)
    after = {path.name for path in (run / "checkpoints").glob("checkpoint-*")}
    assert len(after - before) <= 1  # the one that it was writing when it was stopped
    assert Holder.read(run / LOCK).process.host == "far-away"


@pytest.mark.slow
def test_a_study_is_not_started_over_under_a_worker(
    nlpt: Run, tiny_recipe: Any, tmp_path: Path
) -> None:
    recipe, study = tiny_recipe(training={"epochs": 1}), tmp_path / "study"
    assert nlpt("study", "-r", recipe, "-o", study, "--seeds", 1)[0] == 0
    (run,) = (study / "runs").iterdir()
    _held(run / LOCK, ProcessId.here().as_dict())
    code, _, err = nlpt("study", "-r", recipe, "-o", study, "--seeds", 1, "--fresh")
    assert code == 2
    assert f"{run} is in use: process {os.getpid()} on" in err
    assert (run / "metrics.json").is_file()


@pytest.mark.slow
def test_an_output_that_is_being_written_is_refused_to_others(
    nlpt: Run, tiny_recipe: Any, tmp_path: Path
) -> None:
    assert nlpt("finetune", "-r", tiny_recipe(training={"epochs": 1}), "-o", "run")[0] == 0
    texts, output = tmp_path / "texts.txt", tmp_path / "found.jsonl"
    texts.write_text("Ada left Rome\n", "utf-8")
    lock = tmp_path / f".found.jsonl{LOCK}"
    _held(lock, ProcessId.here().as_dict())
    code, _, err = nlpt("predict", "run", texts, "-o", output)
    assert (code, output.exists()) == (2, False)
    assert f"{output} is in use: process {os.getpid()} on" in err
    lock.unlink()
    assert nlpt("predict", "run", texts, "-o", output)[0] == 0
    assert not list(tmp_path.glob(".*"))


def test_tables_of_a_killed_process_are_deleted_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    code = (
        "from nlp_transfer.processes.scratch import scratch_folder\n"
        "print(scratch_folder(), flush=True); input()"
    )

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def folder_of(process: subprocess.Popen[str]) -> Path:
        assert process.stdout
        return Path(process.stdout.readline().strip())

    with start() as killed, start() as living:
        left, used = folder_of(killed), folder_of(living)
        killed.kill()
        killed.wait()
        with start() as next_one:
            own = folder_of(next_one)
            assert set(tmp_path.iterdir()) == {used, own}
            assert left not in (used, own)
            next_one.communicate("\n")
        living.communicate("\n")
    assert not list(tmp_path.iterdir())
