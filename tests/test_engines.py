"""Prediction inside of Ray and Spark: the same results as without them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
from safetensors.torch import load_file, save_file

from nlp_transfer import Predictor

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
FP32 = ("--precision", "fp32")
with_ray = pytest.mark.skipif(find_spec("ray") is None, reason="the extra ray is not installed")
with_spark = pytest.mark.skipif(find_spec("pyspark") is None, reason="pyspark is not installed")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., subprocess.Popen]:
    """Return what starts a command in the folder of the test."""
    monkeypatch.chdir(tmp_path)
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    more = {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "RAY_worker_niceness": "0"}
    more["PYSPARK_PYTHON"] = sys.executable  # else the first python3 in PATH, of any environment

    def start(*command: object) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, *map(str, command)],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **more},
        )

    return start


def _write_texts(files: int, lines: int) -> None:
    Path("texts").mkdir()
    for number in range(files):
        text = "".join(f"Ada Lovelace wrote {number} and {n} letters\n" for n in range(lines))
        Path(f"texts/{number}.txt").write_text(text, "utf-8")


def _outputs(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).glob("*.jsonl")}


@with_ray
@pytest.mark.parametrize("kill", [False, True])
def test_ray_gives_the_files_of_the_plain_engine_also_when_a_worker_is_killed(
    kill: bool, started: Callable[..., subprocess.Popen], trained_ner: Path
) -> None:
    _write_texts(6, 400)
    Path("texts/bad.txt").write_bytes(b"\xff\xfe\xfd")
    command = ("-m", "nlp_transfer", "predict", trained_ner, "texts/*.txt", *FP32)
    with started(*command, "-o", "plain") as plain:
        assert plain.communicate(timeout=600)[1].count("bad.txt") == 2
    with started(*command, "-o", "out", "--on", "ray") as driver:
        killed = 0
        while driver.poll() is None and killed < kill:
            if len(_outputs("out")) in range(1, 5):
                killed += _kill_a_worker(driver.pid)
        said = driver.communicate(timeout=900)[1]
    assert (driver.returncode, killed) == (2, kill), said
    assert "1 of 7 files cannot be read" in said
    assert "Traceback" not in said
    assert _outputs("out") == _outputs("plain")
    assert len(_outputs("out")) == 6
    assert sorted(path.name for path in Path("out").iterdir() if path.name[0] == ".") == [".nlpt"]


def _kill_a_worker(driver: int) -> bool:
    below = psutil.Process(driver).children(recursive=True)
    workers = [one for one in below if "MapWorker" in " ".join(one.cmdline())]
    if workers:
        workers[0].kill()
    return bool(workers)


@with_ray
def test_a_model_that_fails_on_its_workers_ends_in_one_message(
    started: Callable[..., subprocess.Popen], trained_ner: Path
) -> None:
    _write_texts(2, 10)
    shutil.copytree(trained_ner / "model", "broken")
    weights = load_file("broken/model.safetensors")
    weights["classifier.weight"][:] = 3e38  # finite, but not what it computes
    save_file(weights, "broken/model.safetensors", metadata={"format": "pt"})
    Path("broken/manifest.json").unlink()
    command = ("-m", "nlp_transfer", "predict", "broken", "texts/*.txt", *FP32, "-o", "out")
    with started(*command, "--on", "ray") as driver:
        said = driver.communicate(timeout=600)[1]
    assert (driver.returncode, "Traceback" in said) == (2, False), said
    assert said.splitlines()[-1].startswith("error: MODEL: it computes NaN")


@with_ray
def test_an_address_where_nothing_answers_is_told_at_once(
    started: Callable[..., subprocess.Popen], trained_ner: Path
) -> None:
    _write_texts(1, 1)
    command = ("-m", "nlp_transfer", "predict", trained_ner, "texts/*.txt", "-o", "out")
    with started(*command, "--on", "ray://127.0.0.1:1") as driver:
        said = driver.communicate(timeout=120)[1]
    assert (driver.returncode, "nothing answers at 127.0.0.1:1" in said) == (2, True)


@with_spark
def test_the_example_for_spark_gives_the_entities_of_the_predictor(
    started: Callable[..., subprocess.Popen], trained_ner: Path
) -> None:
    import pandas as pd

    page = (ROOT / "docs" / "big-data.md").read_text("utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    shutil.copytree(trained_ner, "runs/quickstart-ner")
    Path("texts").mkdir()
    rows = [{"id": n, "text": f"Ada wrote {n} letters to Rome"} for n in range(300)]
    for part in range(3):
        pd.DataFrame(rows[part::3]).to_parquet(f"texts/{part}.parquet")
    Path("example.py").write_text(example, "utf-8")
    with started("example.py") as spark:
        said = spark.communicate(timeout=900)[1]
    assert spark.returncode == 0, said[-3000:]
    found = pd.concat(map(pd.read_parquet, Path("entities").glob("*.parquet")))
    expected = {r["id"]: r["entities"] for r in Predictor.from_run(trained_ner)(rows)}
    assert dict(zip(found["id"], map(json.loads, found["entities"]), strict=True)).keys() == set(
        range(300)
    )
    for number, entities in zip(found["id"], map(json.loads, found["entities"]), strict=True):
        ours = [(e["type"], e["start"], e["end"]) for e in expected[number]]
        assert [(e["type"], e["start"], e["end"]) for e in entities] == ours
