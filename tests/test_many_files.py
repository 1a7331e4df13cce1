"""Many files predicted to an output each: whole or not there, done once, none lost in silence."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from interrupting import interrupted_forward

pytestmark = pytest.mark.usefixtures("one_thread")

Run = Callable[..., tuple[int, str, str]]
FP32 = ("--precision", "fp32")


def _write(**texts: str) -> None:
    for name, text in texts.items():
        path = Path("texts", name.replace("__", "/").replace("_", "."))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def _outputs(folder: str = "out") -> dict[str, bytes]:
    files = (path for path in Path(folder).rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in files if ".nlpt" not in p.parts}


def test_each_file_of_a_pattern_becomes_what_it_becomes_alone(nlpt: Run, trained_ner: Path) -> None:
    _write(
        a_txt="Ada left Rome\nAlan\n", b__a_txt="Grace\n", b__c_jsonl='{"text": "Bo", "id": 7}\n'
    )
    code, out, _ = nlpt("predict", trained_ner, "texts/**/*.*", *FP32, "-o", "out")
    assert (code, out) == (0, "")
    alone = {}
    for name in ("a.txt", "b/a.txt", "b/c.jsonl"):
        assert nlpt("predict", trained_ner, f"texts/{name}", *FP32, "-o", "alone")[0] == 0
        alone[f"{name.partition('.')[0]}.jsonl"] = Path("alone").read_bytes()
    assert _outputs() == alone


def test_only_what_is_missing_or_changed_is_predicted(nlpt: Run, trained_ner: Path) -> None:
    _write(a_txt="Ada\n", b_txt="Bo\n", c_txt="Carl\n")
    command = ("predict", trained_ner, "texts/*.txt", *FP32, "-o", "out")
    with interrupted_forward(at_call=1):
        code, _, said = nlpt(*command)
    assert (code, "the same command goes on" in said, list(_outputs())) == (130, True, ["a.jsonl"])
    assert nlpt(*command)[0] == 0
    stamps = Path("texts/b.txt").stat()
    Path("texts/b.txt").write_text("Di\n", "utf-8")
    os.utime("texts/b.txt", ns=(stamps.st_atime_ns, stamps.st_mtime_ns))
    os.truncate("out/c.jsonl", 10)
    before = Path("out/a.jsonl").stat().st_ino
    code, _, said = nlpt(*command)
    assert (code, "1 of 3 files are done already" in said) == (0, True)
    assert Path("out/a.jsonl").stat().st_ino == before
    texts = [json.loads(found)["text"] for found in _outputs().values()]
    assert sorted(texts) == ["Ada", "Carl", "Di"]
    assert "3 of 3 files are done already" in nlpt(*command)[2]


def test_a_file_that_cannot_be_read_is_named_and_the_others_go_through(
    nlpt: Run, trained_ner: Path
) -> None:
    _write(a_txt="Ada\n", b_parquet="garbage", c_csv="who\nAda\n", d_txt="Di\n", e_txt="")
    Path("texts/f.txt").write_bytes(b"\xff\xfe\xfd")
    Path("texts/g.txt").symlink_to("nowhere")
    command = ("predict", trained_ner, "texts/*", *FP32, "-o", "out")
    code, _, said = nlpt(*command)
    assert (code, sorted(_outputs())) == (2, ["a.jsonl", "d.jsonl", "e.jsonl"])
    assert "INPUT: 4 of 7 files cannot be read:" in said
    assert all(
        f"\n  {Path('texts', name).absolute()}" in said
        for name in ("b.parquet", "c.csv", "f.txt", "g.txt")
    )
    _write(b_parquet="Bo\n", f_txt="Flo\n")
    Path("texts/c.csv").unlink()
    code, _, said = nlpt(*command)
    assert (code, "3 of 6 files are done already" in said) == (2, True)  # no parquet file
    assert "2 of 6 files cannot be read" in said


def test_what_goes_wrong_with_folders_is_said_before_a_model_is_loaded(
    nlpt: Run, trained_ner: Path
) -> None:
    _write(a_txt="Ada\n", a_csv="text\nAda\n", b__a_txt="Bo\n")
    Path("taken").mkdir()
    Path("taken/a.jsonl").write_text("mine", "utf-8")
    for arguments, message in (
        (("texts/*.xml", "-o", "out"), "matches no file."),
        (("texts/b*", "-o", "out"), "but folders: b"),
        (("texts/*.*", "-o", "out"), "would both become"),
        (("texts/*.txt",), "--output: name the folder"),
        (("texts/*.txt", "-o", "texts/a.csv"), "is a file"),
        (("texts/*.txt", "-o", "texts"), "where the inputs are"),
        (("texts/*.txt", "-o", "taken"), "not of this job"),
        (("texts/*.txt", "-o", "out", "--to", "brat"), "one input at a time"),
        (
            ("texts/*.txt", "-o", "out", "--on", "spark"),
            "'spark' is unknown (ray, ray://HOST:PORT)",
        ),
        (("texts/*.txt", "-o", "out", "--on", "ray://here"), "is unknown"),
    ):
        code, out, said = nlpt("predict", trained_ner, *arguments)
        assert (code, out, message in said) == (2, "", True), (arguments, said)
    assert [path.name for path in Path("taken").iterdir()] == ["a.jsonl"]
    assert Path("taken/a.jsonl").read_text("utf-8") == "mine"
    assert not Path("out").exists()


def test_another_job_is_refused_and_fresh_replaces_its_results(
    nlpt: Run, trained_ner: Path
) -> None:
    _write(a_txt="Ada\n")
    command = ("predict", trained_ner, "texts/", *FP32, "-o", "out/")
    assert nlpt(*command)[0] == 0
    before = _outputs()
    code, _, said = nlpt(*command, "--words", "blanks")
    assert (code, "another job" in said, _outputs() == before) == (2, True, True)
    assert nlpt(*command, "--words", "blanks", "--fresh")[0] == 0
    assert nlpt(*command)[0] == 2
