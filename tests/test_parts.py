"""Long predictions: what an interrupted job keeps, and that it ends with the same file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from interrupting import interrupted_forward

from nlp_transfer.flows.predict import predict

pytestmark = pytest.mark.usefixtures("one_thread")

Run = Callable[..., tuple[int, str, str]]
FP32 = ("--precision", "fp32")  # no other is tried out before
# A block has a million characters: three of them, of few words.
TEXTS = [f"Ada Lovelace wrote {number} letters to Rome {'x' * 60_000}" for number in range(50)]
KEPT = 36


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Write the texts, one a line."""
    path = tmp_path / "texts.txt"
    path.write_text("".join(f"{text}\n" for text in TEXTS), "utf-8")
    return path


@pytest.fixture(scope="module")
def interrupted_job(
    trained_ner: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """Predict the texts whole, and up to the second block; return the folder and the whole file."""
    folder = tmp_path_factory.mktemp("interrupted")
    texts, whole = folder / "texts.txt", folder / "whole.jsonl"
    texts.write_text("".join(f"{text}\n" for text in TEXTS), "utf-8")
    with interrupted_forward(at_call=None) as calls:
        predict(trained_ner, source=texts, output=whole, precision="fp32")
    (folder / "cut").mkdir()
    with interrupted_forward(at_call=len(calls) - 1), pytest.raises(KeyboardInterrupt):
        predict(trained_ner, source=texts, output=folder / "cut" / "out.jsonl", precision="fp32")
    return folder, whole


@pytest.fixture
def cut(interrupted_job: tuple[Path, Path], tmp_path: Path) -> Path:
    """Copy the interrupted job."""
    shutil.copytree(interrupted_job[0] / "cut", tmp_path / "cut")
    return tmp_path / "cut"


def test_interrupted_job_goes_on_to_the_same_file(
    nlpt: Run, trained_ner: Path, interrupted_job: tuple[Path, Path], cut: Path
) -> None:
    folder, whole = interrupted_job
    (part,) = (cut / "out.jsonl.parts").glob("*.jsonl")
    assert len(part.read_text("utf-8").splitlines()) == KEPT
    inode = part.stat().st_ino
    with part.open("a", encoding="utf-8") as file:
        file.write('{"text": "torn by the cra')
    output = cut / "out.jsonl"
    assert not output.exists()
    code, _, said = nlpt("predict", trained_ner, folder / "texts.txt", *FP32, "-o", output)
    assert code == 0
    assert f"going on after {KEPT} results" in said
    assert output.read_bytes() == whole.read_bytes()
    assert [json.loads(line)["text"] for line in output.read_text("utf-8").splitlines()] == TEXTS
    assert [path.name for path in cut.iterdir()] == ["out.jsonl"]
    assert output.stat().st_ino == inode, "results are written once"


def _overwrite(path: Path, at: int, by: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(by)


def _flip(path: Path) -> None:
    at = path.stat().st_size // 2
    _overwrite(path, at, bytes([path.read_bytes()[at] ^ 1]))


def _of_another_job(path: Path) -> None:
    """Put a line of another text, and a record that fits but for what it is of, in their places."""
    lines = path.read_bytes().replace(b"letters", b"LETTERS")
    path.write_bytes(lines)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "torn": lambda path: os.truncate(path, path.stat().st_size - 7),
    "half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "empty": lambda path: os.truncate(path, 0),
    "zeros": lambda path: _overwrite(path, path.stat().st_size - 100, bytes(100)),
    "gone": lambda path: path.unlink(),
    "bit": _flip,
    "garbage": lambda path: path.write_bytes(os.urandom(5000)),
    "objects": lambda path: path.write_bytes(b"{}\n" * 50),
    "nested": lambda path: path.write_bytes(b"[" * 100_000),
    "another job": _of_another_job,
}


@pytest.mark.parametrize("what", ["0-0.jsonl", pytest.param("0-0.records", marks=pytest.mark.slow)])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_parts_are_predicted_anew_and_it_is_said(
    damage: str,
    what: str,
    nlpt: Run,
    trained_ner: Path,
    interrupted_job: tuple[Path, Path],
    cut: Path,
) -> None:
    folder, whole = interrupted_job
    DAMAGES[damage](cut / "out.jsonl.parts" / what)
    command = ("predict", trained_ner, folder / "texts.txt", *FP32, "-o", cut / "out.jsonl")
    code, _, said = nlpt(*command)
    assert (code, "Traceback" in said) == (0, False)
    if (what, damage) != ("0-0.records", "another job"):
        assert said.count("what is not whole at its end is predicted anew") == 1
    assert (cut / "out.jsonl").read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("damage", ["half", "empty", "gone", "garbage", "objects", "nested"])
def test_a_damaged_description_of_a_job_is_written_anew_or_refused(
    damage: str,
    nlpt: Run,
    trained_ner: Path,
    interrupted_job: tuple[Path, Path],
    cut: Path,
) -> None:
    folder, whole = interrupted_job
    parts = cut / "out.jsonl.parts"
    before = (parts / "0-0.jsonl").read_bytes()
    DAMAGES[damage](parts / "job.json")
    command = ("predict", trained_ner, folder / "texts.txt", *FP32, "-o", cut / "out.jsonl")
    code, _, said = nlpt(*command)
    assert "Traceback" not in said
    if damage == "gone":
        assert (code, "holds other things" in said) == (2, True)
        assert (parts / "0-0.jsonl").read_bytes() == before
        return
    assert (code, "job.json is damaged" in said, "going on" in said) == (0, True, True)
    assert (cut / "out.jsonl").read_bytes() == whole.read_bytes()


def test_parts_of_another_job_are_not_taken_for_ours(
    nlpt: Run, trained_ner: Path, interrupted_job: tuple[Path, Path], cut: Path, tmp_path: Path
) -> None:
    """The files of one job lie in the folder of another of the same length."""
    folder = interrupted_job[0]
    others = tmp_path / "others.txt"
    others.write_text((folder / "texts.txt").read_text("utf-8").replace("Ada", "Eva"), "utf-8")
    parts = cut / "out.jsonl.parts"
    for options, expected in (((), "items 1 to 18 differ"), (("--words", "blanks"), "")):
        own = ("predict", trained_ner, others, *FP32, *options, "-o", cut / "other.jsonl")
        with interrupted_forward():
            assert nlpt(*own, "--fresh")[0] == 130
        for name in ("0-0.jsonl", "0-0.records"):
            shutil.copy(parts / name, cut / "other.jsonl.parts" / name)
        code, _, said = nlpt(*own)
        assert (code, expected in said) == (2 if expected else 0, True)
    assert "predicted anew" in said
    lines = (cut / "other.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["text"] for line in lines] == others.read_text("utf-8").splitlines()


def test_a_copied_part_is_read_once(
    nlpt: Run, trained_ner: Path, interrupted_job: tuple[Path, Path], cut: Path
) -> None:
    folder, whole = interrupted_job
    parts = cut / "out.jsonl.parts"
    for ending in ("jsonl", "records"):
        shutil.copy(parts / f"0-0.{ending}", parts / f"7-0.{ending}")
    assert (
        nlpt("predict", trained_ner, folder / "texts.txt", *FP32, "-o", cut / "out.jsonl")[0] == 0
    )
    assert (cut / "out.jsonl").read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    ("change", "said_of_it"),
    [
        (lambda text: text.replace("1", "2", 1), "items 1 to 18 differ"),  # the same length
        (lambda text: text.partition("\n")[2], "items 1 to 18 differ"),
        (lambda text: text[: len(text) // 2], "it ends after 2"),
        (lambda text: "", "it ends after 0 items"),
    ],
)
def test_other_content_of_the_same_size_and_time_is_told(
    change: Callable[[str], str],
    said_of_it: str,
    nlpt: Run,
    trained_ner: Path,
    interrupted_job: tuple[Path, Path],
    cut: Path,
    tmp_path: Path,
) -> None:
    folder, whole = interrupted_job
    texts = tmp_path / "texts.txt"
    shutil.copy2(folder / "texts.txt", texts)
    before, stamps = texts.read_text("utf-8"), texts.stat()
    texts.write_text(change(before), "utf-8")
    os.utime(texts, ns=(stamps.st_atime_ns, stamps.st_mtime_ns))
    command = ("predict", trained_ner, texts, *FP32, "-o", cut / "out.jsonl")
    for _ in range(2):
        code, _, said = nlpt(*command)
        assert (code, said_of_it in said, "They are kept" in said) == (2, True, True)
    texts.write_text(before + "Grace Hopper left\n", "utf-8")  # what is new only follows
    assert nlpt(*command)[0] == 0
    found = (cut / "out.jsonl").read_bytes()
    assert found.startswith(whole.read_bytes())
    assert found.count(b"\n") == len(TEXTS) + 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_is_said_and_what_is_predicted_kept(nlpt: Run, trained_ner: Path) -> None:
    Path("texts.txt").write_text("Ada left Rome\n", "utf-8")
    command = ("predict", trained_ner, "texts.txt", *FP32, "-o", "out")
    with interrupted_forward():
        assert nlpt(*command)[0] == 130
    part = Path("out.parts", "0-0.jsonl")
    part.symlink_to("/dev/full")
    code, _, said = nlpt(*command)
    assert (code, "The disk is full" in said, "the same command goes on" in said) == (2, True, True)
    part.unlink()
    assert nlpt(*command)[0] == 0
    assert len(Path("out").read_text("utf-8").splitlines()) == 1


def test_resume_without_anything_to_go_on_with_is_a_plain_job(
    nlpt: Run, trained_ner: Path, texts: Path, tmp_path: Path
) -> None:
    texts.write_text("Ada\nAlan\n", "utf-8")
    assert nlpt("predict", trained_ner, texts, "-o", tmp_path / "out", "--resume")[0] == 0
    assert (tmp_path / "out").read_text("utf-8") == nlpt("predict", trained_ner, texts)[1]


def test_another_job_does_not_go_on_and_fresh_starts_over(
    nlpt: Run, trained_ner: Path, texts: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.conll"
    command = ("predict", trained_ner, texts, *FP32, "--to", "conll", "-o", output)
    with interrupted_forward():
        assert nlpt(*command)[0] == 130
    parts = tmp_path / "out.conll.parts"
    for other in (("--words", "blanks"), ("--format", "text")):
        code, _, said = nlpt(*command, *other)
        assert (code, "another job" in said, "--fresh" in said) == (2, True, True)
        assert parts.is_dir()
    code, _, said = nlpt(*command, "--words", "blanks", "--fresh")
    assert (code, "are dropped" in said, parts.exists()) == (0, True, False)
    assert output.read_text("utf-8").startswith("Ada")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-", "-o", "out", "--resume"], "read again"),
        (["texts.txt", "--resume"], "--output"),
        (["texts.txt", "--to", "csv", "-o", "out", "--resume"], "cannot hold"),
        (["texts.txt", "-o", "taken", "--resume"], "holds other things"),
    ],
)
def test_a_job_that_cannot_be_resumed_is_refused_before_it_starts(
    arguments: list[str], message: str, nlpt: Run, trained_ner: Path
) -> None:
    Path("texts.txt").write_text("Ada\n", "utf-8")
    Path("taken.parts").mkdir()
    Path("taken.parts", "mine.txt").write_text("precious", "utf-8")
    code, out, error = nlpt("predict", trained_ner, *arguments)
    assert (code, out) == (2, "")
    assert message in error
    assert not Path("out").exists()
    assert Path("taken.parts", "mine.txt").read_text("utf-8") == "precious"


# Processes, the rank that is killed, and which touch of the job's files it does not live to do.
KILLS = {
    "one": [(1, 0, 2), (1, 0, 6), (1, 0, 14), (1, 0, 25), (1, 0, 33), (1, 0, 40), (1, 0, 47)],
    "two": [(2, 1, 4), (2, 0, 9), (2, 1, 6), (2, 0, 12), (2, 0, 20)],
    "changing": [(2, 0, 17), (1, 0, 14), (2, 1, 5), (3, 2, 4), (1, 0, 20)],
}


@pytest.mark.slow
@pytest.mark.parametrize("kills", KILLS)
def test_a_job_that_is_killed_again_and_again_ends_with_the_same_file(
    kills: str, trained_ner: Path, tmp_path: Path
) -> None:
    texts, output = tmp_path / "texts.txt", tmp_path / "out.jsonl"
    texts.write_text("".join(f"{text}\n" for text in 3 * TEXTS), "utf-8")
    predict(trained_ner, source=texts, output=tmp_path / "whole.jsonl", precision="fp32")
    command = ("predict", trained_ner, texts, *FP32, "-o", output)
    killed = 0
    for processes, rank, count in KILLS[kills]:
        if _run_killed(processes, rank, count, "out.jsonl.parts", *command) == 0:
            break
        killed += 1
        assert not output.exists() or output.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert killed >= 4, "later it has nothing left to do"
    assert _run_killed(1, 0, 0, "nothing", *command) == 0
    assert output.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"texts.txt", "out.jsonl", "whole.jsonl"}


def _run_killed(processes: int, *arguments: object) -> int:
    launcher = ("-m", "torch.distributed.run", "--nproc_per_node", str(processes))
    command = (*(launcher if processes > 1 else ()), str(Path(__file__).with_name("killing.py")))
    return subprocess.run(
        [sys.executable, *command, *map(str, arguments)],
        capture_output=True,
        timeout=600,
        check=False,
    ).returncode
