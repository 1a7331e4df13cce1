"""Commands that answer over HTTP, in processes of their own, on free ports of this machine."""

from __future__ import annotations

import contextlib
import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

_Of = TypeVar("_Of", bound="Served")


@dataclass(frozen=True)
class Served:
    """A server in a process of its own."""

    process: subprocess.Popen[str]
    port: int
    log: Path
    headers: ClassVar[Mapping[str, str]] = {}
    """Of a request that names none."""

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request; return status, headers (names in lower case) and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        try:
            connection.request(method, path, body, self.headers if headers is None else headers)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, found, answer.read()
        finally:
            connection.close()


@contextlib.contextmanager
def served(
    of: type[_Of], folder: Path, command: str, *arguments: object, **variables: str
) -> Iterator[_Of]:
    """Start a command, whose log lies in a folder; end it, if it has not ended."""
    log = folder / "log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "nlp_transfer", command, *map(str, arguments), "--port", "0"],
            stderr=stream,
            stdout=stream,
            env={**os.environ, **variables},
            text=True,
        )
    try:
        while " on http://" not in log.read_text("utf-8"):
            assert process.poll() is None, log.read_text("utf-8")
            time.sleep(0.05)
        port = int(log.read_text("utf-8").split(" on http://")[1].split(":")[1].split()[0])
        yield of(process, port, log)
    finally:
        process.terminate()
        process.wait(60)
