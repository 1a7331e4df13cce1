"""`nlpt serve` beside the bare Predictor here: sentences a second, and how long answers take.

    make bench-serving                                   1, 8 and 64 clients, one sentence a request
    make bench-serving ARGS="--run runs/mine --requests 20000"

Clients and server share the machine. Each client sends its next request when it has the answer to
the last. The Predictor gets the same sentences, 500 at a time, in turns with the clients;
the server has nothing to do then. At the end 64 clients send so many requests, and the server's
memory is read after each tenth of them.

Prints a table and, as the last line, one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import psutil

from nlp_transfer import Predictor
from nlp_transfer.recipe import DataSection
from nlp_transfer.tasks.ner.rows import NerRows
from tests.benchmarks.workers import Measured, in_turns, processor, run_module

_CLIENTS = (1, 8, 64)
_AT_ONCE = 500
"""Sentences that the bare Predictor gets in one call."""
_DISCARDED = 1.0
"""Seconds of each measurement that are left out at its start."""


def main() -> None:
    """Measure all and print what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", type=Path, help="of NER; by default quickstart-ner is trained")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--requests", type=int, default=2000, help="while memory is read")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = options.run or Path(folder, "run")
        if options.run is None:
            run_module("nlp_transfer", "finetune", "--recipe", "quickstart-ner", "--output", run)
        result = measure(
            run,
            engine=options.engine,
            seconds=options.seconds,
            turns=options.turns,
            requests=options.requests,
        )
    show(result)
    print(json.dumps(result))


def measure(run: Path, *, engine: str, seconds: float, turns: int, requests: int) -> dict[str, Any]:
    """Let clients ask a server of a run, in turns with the bare Predictor.

    seconds:  of each measurement
    requests: while memory is read
    """
    sentences = _sentences()
    predictor = Predictor.from_run(run, engine=engine)
    with _served(run, engine) as (port, process):
        load = partial(_asked, port, process, sentences, seconds)
        sides = {
            "Predictor": lambda _: _bare(predictor, sentences, seconds),
            **{f"{n} clients": partial(_of_turn, partial(load, n)) for n in _CLIENTS},
        }
        measured = in_turns(sides, turns)
        sizes, failed = _memory(port, sentences, requests, process)
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "measured": measured,
        "requests": requests,
        "failed": failed,
        "megabytes": sizes,
    }


def show(result: dict[str, Any]) -> None:
    """Print the table."""
    bare = result["measured"]["Predictor"]["sentences_per_second"]
    print("| | sentences/s | of the Predictor's | CPU ms a sentence | p50 ms | p99 ms | failed |")
    print("|---|---|---|---|---|---|---|")
    for side, found in result["measured"].items():
        speed = found["sentences_per_second"]
        print(f"| {side} | {speed:.0f} | {speed / bare:.2f} | {found['cpu_ms']:.2f} ", end="")
        if "p50" in found:
            print(f"| {found['p50']:.0f} | {found['p99']:.0f} | {found['failed']:.0f} |")
        else:
            print("| | | |")
    told = " ".join(f"{size:.0f}" for size in result["megabytes"])
    print(f"\nMB of the server over {result['requests']:,} requests of 64 clients: {told}")
    print(f"failed of these: {result['failed']}")


def _sentences() -> list[str]:
    test = NerRows().load(DataSection(source="samples/newsroom"))["test"]
    return [" ".join(words) for words in test["words"]]


@contextlib.contextmanager
def _served(run: Path, engine: str) -> Iterator[tuple[int, psutil.Process]]:
    """Start a server on a free port."""
    command = [sys.executable, "-m", "nlp_transfer", "serve", str(run), "--engine", engine]
    with subprocess.Popen([*command, "--port", "0"], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        try:
            line = next(line for line in process.stderr if " on http://" in line)
            yield int(line.rsplit(":", 1)[1]), psutil.Process(process.pid)
        finally:
            process.terminate()


def _bare(predictor: Predictor, sentences: Sequence[str], seconds: float) -> Measured:
    """Predict all sentences, again and again."""
    some = [sentence for _, sentence in zip(range(_AT_ONCE), cycle(sentences), strict=False)]
    list(predictor(some[:64]))
    begun, computed, count = time.monotonic(), time.process_time(), 0
    while (passed := time.monotonic() - begun) < seconds:
        count += len(list(predictor(some)))
    return {
        "sentences_per_second": count / passed,
        "cpu_ms": 1000 * (time.process_time() - computed) / count,
    }


def _of_turn(measure: partial[Measured], _: int) -> Measured:
    return measure()


def _asked(
    port: int, process: psutil.Process, sentences: Sequence[str], seconds: float, clients: int
) -> Measured:
    """Let so many clients ask for so long; seconds count from when all of them are at it."""
    begun, computed = time.monotonic(), sum(process.cpu_times()[:2])
    answers = asyncio.run(_all_clients(port, sentences, clients, begun + _DISCARDED + seconds))
    counted = [(took, ok) for at, took, ok in answers if at - begun > _DISCARDED]
    took = sorted(took for took, _ in counted)
    cuts = statistics.quantiles(took, n=100)
    return {
        "sentences_per_second": len(took) / seconds,
        "p50": 1000 * cuts[49],
        "p99": 1000 * cuts[98],
        "cpu_ms": 1000 * (sum(process.cpu_times()[:2]) - computed) / len(answers),
        "failed": sum(not ok for _, ok in counted),
    }


def _memory(
    port: int, sentences: Sequence[str], requests: int, process: psutil.Process
) -> tuple[list[float], int]:
    """Read the memory of the server, in MB, at first and after each tenth of so many requests.

    returns: it, and how many requests failed
    """
    sizes, failed = [process.memory_info().rss / 1e6], 0
    for _ in range(10):
        answers = asyncio.run(_all_clients(port, sentences, 64, None, requests // 640))
        failed += sum(not ok for _, _, ok in answers)
        sizes.append(process.memory_info().rss / 1e6)
    return sizes, failed


Answer = tuple[float, float, bool]
"""When it came, the seconds that it took, whether it was one."""


async def _all_clients(
    port: int, sentences: Sequence[str], clients: int, until: float | None, each: int = sys.maxsize
) -> list[Answer]:
    asked = [_request(sentence) for sentence in sentences]
    shares = [asked[number:] + asked[:number] for number in range(clients)]
    work = [_client(port, share, until, each) for share in shares]
    return [answer for answers in await asyncio.gather(*work) for answer in answers]


async def _client(
    port: int, requests: Sequence[bytes], until: float | None, most: int
) -> list[Answer]:
    """Ask again and again, over one connection."""
    answers: list[Answer] = []
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _, request in zip(range(most), cycle(requests), strict=False):
        begun = time.monotonic()
        if until is not None and begun > until:
            break
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        ok = head.startswith(b"HTTP/1.1 200") and len(json.loads(body)["results"]) == 1
        answers.append((time.monotonic(), time.monotonic() - begun, ok))
    writer.close()
    return answers


def _request(sentence: str) -> bytes:
    body = json.dumps({"texts": [sentence]}).encode()
    head = (
        "POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


if __name__ == "__main__":
    main()
