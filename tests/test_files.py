"""Writes are whole or not at all: what readers see, what is left after a failure."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nlp_transfer.errors import UserError
from nlp_transfer.files import (
    leftovers,
    whole_file,
    whole_folder,
    whole_path,
    write_json_lines,
    write_text,
)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Name a file in a folder that holds nothing else."""
    return tmp_path / "out"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, UserError])
@pytest.mark.parametrize("before", [None, "before"])
def test_a_write_that_fails_leaves_what_was_there(
    out: Path, before: str | None, error: type[BaseException]
) -> None:
    if before:
        out.write_text(before)
    with pytest.raises(error), whole_file(out) as stream:
        raise error(str(stream.write("half")))
    assert [path.read_text() for path in out.parent.iterdir()] == ([before] if before else [])


def test_lines_are_written_as_they_come_and_take_the_name_at_the_end(out: Path) -> None:
    sizes = []

    def values():
        for number in range(5000):
            (growing,) = out.parent.iterdir()
            sizes.append(growing.stat().st_size)
            yield {"número": number}

    write_json_lines(out, values())
    assert sizes[-1] > 0
    assert out.read_text("utf-8").splitlines()[-1] == '{"número": 4999}'


def test_permissions_are_those_of_a_plain_write(tmp_path: Path) -> None:
    def mode(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    (tmp_path / "plain").write_text("")
    (tmp_path / "plain folder").mkdir()
    with whole_folder(tmp_path / "folder"):
        pass
    write_text(tmp_path / "out", "new")
    assert mode(tmp_path / "out") == mode(tmp_path / "plain")
    assert mode(tmp_path / "folder") == mode(tmp_path / "plain folder")
    (tmp_path / "out").chmod(0o640)
    with whole_path(tmp_path / "out") as beside:
        beside.write_text("newer")
    assert (mode(tmp_path / "out"), (tmp_path / "out").read_text()) == (0o640, "newer")


def test_a_link_stays_a_link(tmp_path: Path, out: Path) -> None:
    (tmp_path / "far").mkdir()
    out.symlink_to(tmp_path / "far" / "file")
    write_text(out, "new")
    assert out.is_symlink()
    assert (tmp_path / "far" / "file").read_text() == "new"


def test_a_pipe_keeps_its_name(out: Path) -> None:
    os.mkfifo(out)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(out.read_text()))
    reader.start()
    write_text(out, "through")
    reader.join()
    assert (read, out.is_fifo()) == (["through"], True)


def test_a_folder_is_replaced_only_where_it_may_be(out: Path) -> None:
    out.mkdir()
    with whole_folder(out) as empty_before:
        (empty_before / "first").touch()
    with pytest.raises(OSError, match="not empty"), whole_folder(out):
        pass
    with pytest.raises(KeyboardInterrupt), whole_folder(out, replace=True):
        raise KeyboardInterrupt
    assert [path.name for path in out.iterdir()] == ["first"]
    with whole_folder(out, replace=True) as folder:
        (folder / "second").touch()
    assert [path.name for path in out.parent.rglob("*")] == ["out", "second"]


def test_of_processes_that_put_a_folder_in_the_same_place_the_last_one_stays(out: Path) -> None:
    failed = []

    def put(number: int) -> None:
        try:
            for _ in range(80):
                with whole_folder(out, replace=True) as temporary:
                    (temporary / "who").write_text(str(number))
        except OSError as error:
            failed.append(error)

    writers = [threading.Thread(target=put, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert not failed
    assert (out / "who").read_text() in "01234567"
    assert list(out.parent.iterdir()) == [out]


def test_what_a_killed_process_leaves_does_no_harm_and_is_found(out: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from nlp_transfer.files import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as stream:\n"
        "    stream.write('half'); stream.flush(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, out], check=False)
    (left,) = leftovers(out)
    assert (left.read_text(), out.exists()) == ("half", False)
    write_text(out, "whole")
    assert out.read_text() == "whole"
    assert not list(leftovers(out.with_name("other")))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_device_is_the_systems_error() -> None:
    with pytest.raises(OSError, match="No space"):
        write_text(Path("/dev/full"), "text")


@pytest.mark.parametrize(
    ("error", "free", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), None, "No space.*out'"),
        (RuntimeError("unexpected pos 24192 vs 24084"), 0, "No space.*out'"),
        (RuntimeError("mine"), None, "mine"),
        (UserError("mine"), 0, "mine"),
    ],
)
def test_a_full_disk_is_told_by_whatever_name_the_error_has(
    out: Path, error: Exception, free: int | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if free is not None:
        usage = shutil.disk_usage(".")
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=free))
    with pytest.raises((OSError, RuntimeError, UserError), match=expected), whole_path(out):
        raise error
    assert not list(out.parent.iterdir())
