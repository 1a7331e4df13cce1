"""A request in, an answer out, or what a fault makes of it: the HTTP that every request needs."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote, urlsplit

from hub_server.faults import Fault, hang, reset


class Answering(BaseHTTPRequestHandler):
    """Notes each request and lets it go wrong where a fault says so."""

    requests: list[str]
    faults: list[Fault]
    closing: threading.Event
    protocol_version = "HTTP/1.1"
    cut_short: int | str | None = None
    """The fault that ends the answer of the present request in its middle."""

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""

    def do_GET(self) -> None:
        body = self._body()
        path = unquote(urlsplit(self.path).path).strip("/")
        request = f"{self.command} /{path}"
        self.requests.append(request)
        self.cut_short = None
        fault = next((fault for fault in self.faults if fault.meets(request)), None)
        if fault is None:
            return self._answer(path, body)
        if fault.how == "hang":
            return hang(self, self.closing)
        if fault.how == "reset":
            return reset(self)
        if isinstance(fault.how, int):
            return self._refuse(fault.how, f"injected {fault.how}", fault.headers)
        self.cut_short = fault.how
        return self._answer(path, body)

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815

    def _answer(self, path: str, body: bytes) -> None:
        raise NotImplementedError

    def _send_file(self, content: bytes, name: str, headers: dict[str, str]) -> None:
        """Send a file, the part of it that is asked for, or nothing where the client has it."""
        headers = {**headers, "ETag": f'"{name}"', "Accept-Ranges": "bytes"}
        if headers["ETag"] in self.headers.get("If-None-Match", ""):
            return self._send(304, b"", headers)
        asked = self.headers.get("Range")
        if asked is None:
            return self._send(200, content, headers)
        part = _part(asked, len(content))
        if part is None:
            return self._send(416, b"", {**headers, "Content-Range": f"bytes */{len(content)}"})
        span = f"bytes {part.start}-{part.stop - 1}/{len(content)}"
        return self._send(206, content[part.start : part.stop], {**headers, "Content-Range": span})

    def _missing(self, code: str, headers: dict[str, str] | None = None) -> None:
        return self._send(404, {"error": code}, {"X-Error-Code": code, **(headers or {})})

    def _refuse(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        headers = {"X-Error-Message": message, **(headers or {})}
        return self._send(status, {"error": message}, headers)

    def _send(self, status: int, answer: Any, headers: dict[str, str] | None = None) -> None:
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        kind = "application/octet-stream" if isinstance(answer, bytes) else "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.cut_short is None:
            self.wfile.write(content)
            return
        self.wfile.write(content[: len(content) // 2])
        reset(self) if self.cut_short == "cut" else hang(self, self.closing)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            chunks = []
            while size := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))


def _part(asked: str, size: int) -> range | None:
    """Read "bytes=2-5", "bytes=2-" or "bytes=-3"; None where the file has no such part."""
    first, last = re.fullmatch(r"bytes=(\d*)-(\d*)", asked).groups()  # type: ignore[union-attr]
    if not first:
        return range(max(size - int(last), 0), size) if int(last) else None
    end = min(int(last) + 1, size) if last else size
    return range(int(first), end) if int(first) < end else None
