"""Files and options made to take all the time or memory there is: each ends in one line, soon."""

from __future__ import annotations

import gzip
import json
import resource
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nlp_transfer.errors import UserError, nearest

Run = Callable[..., tuple[int, str, str]]

_MOST_SECONDS = 3  # of this process, which others do not slow down
_MOST_BYTES = 400 << 20


@pytest.fixture
def refused(nlpt: Run, tmp_path: Path) -> Callable[..., str]:
    """Inspect a file that is refused, with bounded time and memory; return the message."""

    def run(name: str, content: bytes, *options: str, task: str = "classification") -> str:
        path = tmp_path / name
        path.write_bytes(content)
        start, before = time.process_time(), _peak()
        code, out, err = nlpt("inspect", path, "--task", task, *options)
        assert (code, out) == (2, ""), (out, err)
        assert time.process_time() - start < _MOST_SECONDS
        assert _peak() - before < _MOST_BYTES
        assert len(err) < 6000
        return err

    return run


def _peak() -> int:
    """Return the most memory that this process has held, in bytes."""
    kept = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kept if sys.platform == "darwin" else kept * 1024


def packed(parts: Iterator[bytes]) -> bytes:
    """Compress a long stream, which no test has to hold."""
    squeezed = bytearray()
    compressor = zlib.compressobj(wbits=31)  # gzip
    for part in parts:
        squeezed += compressor.compress(part)
    return bytes(squeezed + compressor.flush())


WIDE = [f"c{number}" for number in range(20_000)]
KEYS = ", ".join(f'"k{number}": 1' for number in range(30_000))


def test_wide_rows_are_refused_soon(refused: Callable[..., str]) -> None:
    wide = ",".join(WIDE).encode()
    assert "no column looks like text" in refused("a.csv", wide + b"\n" + b"x," * 19_999 + b"x\n")
    assert "'c7' stands twice" in refused("b.csv", wide + b",c7\n")
    assert "1 fields, the first row has 20000" in refused("c.csv", wide + b"\nx\n")
    misspelt = refused("d.csv", wide + b"\n" + b"x," * 19_999 + b"x\n", "data.columns.text=c77777")
    assert "there is no column 'c77777'" in misspelt
    assert "'k7' stands twice" in refused("a.jsonl", f'{{{KEYS}, "k7": 2}}\n'.encode())
    assert "no column looks like text" in refused("b.jsonl", f"{{{KEYS}}}\n".encode())


@pytest.mark.parametrize(
    ("name", "start", "part"),
    [
        ("a.jsonl.gz", b'{"text": "', b"a"),
        ("a.json.gz", b"[\n", b" " * 127 + b"\n"),
        ("a.csv.gz", b"text,label\n", b"a"),
        ("b.csv.gz", b'text,label\n"', b"a" * 127 + b"\n"),
        ("a.conll.gz", b"", b"a"),
    ],
)
def test_a_small_packed_file_of_gigabytes_is_refused_soon(
    refused: Callable[..., str], name: str, start: bytes, part: bytes
) -> None:
    block = part * ((1 << 20) // len(part))
    content = packed(iter([start, *[block] * 100]))
    assert len(content) < 1 << 20
    message = refused(name, content, task="ner" if "conll" in name else "classification")
    assert "more than 100 times its size" in message


def test_a_line_of_880_kilobytes_is_a_text_like_any_other(nlpt: Run, tmp_path: Path) -> None:
    rows = [{"text": "word " * 180_000, "label": "a"}, {"text": "short", "label": "b"}]
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    code, out, err = nlpt("inspect", path, "--task", "classification", "--json")
    assert code == 0, err
    assert json.loads(out)["splits"]["train"]["words"] == 180_001


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"text": "a", "label": ' + b"9" * 5000 + b"}\n", "too many digits"),
        (b"[" * 100_000 + b"\n", "nested too deeply"),
        (b'{"text": "\\ud800", "label": "x"}\n', "half a character"),
        (b'{"text": "a\\u0000b", "label": "x"}\n{"text": "b", "label": "x"}\n', "one class only"),
        (b'{"text": "a", "label": ["' + b"x" * 100_000 + b'", "y"]}\n', "characters left out"),
    ],
)
def test_hostile_json_is_refused_in_one_line(
    refused: Callable[..., str], content: bytes, says: str
) -> None:
    message = refused("a.jsonl", content)
    assert says in message
    assert len(message.strip().splitlines()) == 1


def test_hostile_options_are_refused_in_one_line(refused: Callable[..., str]) -> None:
    table = b"text,label\na,x\nb,y\n"
    assert "data.encoding" in refused("a.csv", table, 'data.encoding="utf\\0"')
    assert "data.separator" in refused("a.csv", table, "data.separator=''")
    assert "data.label_separator" in refused("a.csv", table, "data.label_separator=''")
    assert "there is no" in refused("a.csv", table, f"data.splits.test={'x' * 900}")
    assert "data.splits.test" in refused("a.csv", table, f"data.splits.test={'x' * 5000}")
    studio = [{"id": 1, "data": {"text": "a"}, "annotations": [{"result": ["x"]}]}]
    assert "a result is 'x'" in refused("a.json", json.dumps(studio).encode())


def test_labels_of_thousands_of_digits_are_names(nlpt: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"text,label\na,{'9' * 5000}\nb,--5\nc,{'8' * 400}\n")
    code, _, err = nlpt("inspect", path, "--task", "classification", "--json")
    assert code == 0, err


def test_a_parquet_column_that_stands_twice_is_refused(refused: Callable[..., str]) -> None:
    columns = [pa.array(["a", "b"])] * 3
    table = pa.Table.from_arrays(columns, names=["text", "label", "label"])
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    assert "the column 'label' stands twice" in refused("a.parquet", sink.getvalue().to_pybytes())


def test_many_questions_and_spans_take_no_more_than_their_number(tmp_path: Path) -> None:
    from loading import load_classification, load_ner

    from nlp_transfer.recipe import DataSection

    start = time.process_time()
    results = [
        {"type": "choices", "from_name": f"q{n}", "to_name": "text", "value": {"choices": ["a"]}}
        for n in range(10_000)
    ]
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"data": {"text": "x"}, "annotations": [{"result": results}]}]))
    data = DataSection(source=str(path))
    with pytest.raises(UserError, match="no column looks like label"):
        load_classification(data)
    text = "a " * 10_000
    spans: list[Any] = [
        [10_000, 20_000 - 1, "X"],
        *([n * 2, 12_000 + 1, "X"] for n in range(4_000)),
    ]
    path.write_text(json.dumps([{"text": text, "spans": spans}]))
    data = DataSection(source=str(path), overlapping="longest")
    splits = load_ner(data, held_out=False)
    assert splits.losses["train"].entities_dropped == 4_000
    assert time.process_time() - start < 2 * _MOST_SECONDS


def test_messages_and_hints_are_bounded() -> None:
    message = str(UserError(f"here: {'x' * 100_000} is wrong. Do this."))
    assert len(message) < 2100
    assert message.startswith("here: x")
    assert message.endswith("Do this.")
    start = time.process_time()
    assert nearest("x" * 5000, ["y" * 5000] * 1000) == ""
    assert nearest("lable", ["label"]) == " Did you mean 'label'?"
    assert time.process_time() - start < 1
