"""What visitors may ask of the page's application: nothing but what the page itself asks.

Gradio also fetches addresses for who asks, downloads files that are named by an address, and has
much else that this page does not use. All of it is refused before it is reached.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nlp_transfer.serving.access import Token
from nlp_transfer.serving.demo.limits import is_full
from nlp_transfer.serving.limits import Limits
from nlp_transfer.serving.reading import Incoming, read_bytes
from nlp_transfer.serving.refusal import Refusal

FILE, JOIN, UPLOAD = "/gradio_api/file=", "/gradio_api/queue/join", "/gradio_api/upload"
_PAGES = (
    "/", "/config", "/theme.css", "/favicon.ico", "/manifest.json", "/robots.txt",
    *(f"/gradio_api/{name}" for name in ("info", "app_id", "theme.css", "queue/data",
                                         "upload_progress", "startup-events")),
)  # fmt: skip
_FOLDERS = ("/assets/", "/static/", "/svelte/", "/report/", "/gradio_api/heartbeat/")
_POSTED = (JOIN, UPLOAD, "/gradio_api/cancel", "/gradio_api/reset")
_OWN = (
    "default-src 'self' 'unsafe-inline' data: blob:; form-action 'self'; base-uri 'self'; "
    "object-src 'none'"
)
_STRANGE = "sandbox allow-scripts allow-popups allow-downloads"
"""A report, or a file of a visitor: it may do nothing in the name of the page."""


class Guard:
    """Lets requests pass that the page itself makes, and bring the token, if there is one."""

    def __init__(self, app: ASGIApp, limits: Limits, token: Token | None, folder: Path) -> None:
        """folder: of all files that visitors send and get."""
        self._app = app
        self._limits = limits
        self._token = token
        self._folder = folder.resolve()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, incoming = asyncio.get_running_loop().time(), Incoming(receive)
        request = Request(scope, incoming)
        answer = _with_headers(send, request.url.path)
        try:
            self._check(request)
            if request.method == "POST":
                receive = _again(await self._body(request), incoming)
        except Refusal as refusal:
            await incoming.forget(until=begun + self._limits.client_seconds)
            response = JSONResponse({"error": str(refusal)}, refusal.status, refusal.headers)
            await response(scope, incoming, answer)
            return
        await self._app(scope, receive, answer)

    def _check(self, request: Request) -> None:
        given = request.headers.get("authorization", "")
        if self._token is not None and not self._token.fits(_password(given)):
            raise Refusal(
                401,
                "Sign in with any name, and the server's token as the password.",
                {"WWW-Authenticate": 'Basic realm="nlpt demo", charset="UTF-8"'},
            )
        path = request.scope["path"]
        asked = request.method in ("GET", "HEAD") and (
            path in _PAGES
            or path.startswith(_FOLDERS)
            or (path.startswith(FILE) and self._is_ours(path.removeprefix(FILE)))
        )
        if not asked and not (request.method == "POST" and path in _POSTED):
            raise Refusal(404, "There is no such page.")

    def _is_ours(self, path: str) -> bool:
        file = Path(path)
        try:
            own = file.is_absolute() and file.resolve().is_relative_to(self._folder)
            return own and file.is_file()
        except (OSError, ValueError):  # a NUL in it, or far too long
            return False

    async def _body(self, request: Request) -> bytes:
        """Read what is sent; what it says of files must be of those that were sent here."""
        body = await read_bytes(request, self._limits)
        if request.scope["path"] == UPLOAD:
            if is_full(self._folder):
                raise Refusal(503, "Too many files are kept at the moment. Come again in a while.")
            return body
        try:
            paths = list(_paths(json.loads(body)))
        except (ValueError, RecursionError):
            raise Refusal(400, "The body is not JSON.") from None
        if not all(isinstance(path, str) and self._is_ours(path) for path in paths):
            raise Refusal(403, "The file is not one that was sent here, or is gone. Send it again.")
        return body


def _password(header: str) -> str:
    kind, _, given = header.partition(" ")
    try:
        user_and_password = base64.b64decode(given, validate=True).decode()
    except ValueError:
        return ""
    return user_and_password.partition(":")[2] if kind.lower() == "basic" else ""


def _paths(value: object) -> Iterator[object]:
    """Find what JSON calls a path, wherever it stands."""
    left = [value]
    while left:
        match left.pop():
            case dict() as fields:
                if "path" in fields:
                    yield fields["path"]
                left += fields.values()
            case list() as parts:
                left += parts


def _again(body: bytes, receive: Receive) -> Receive:
    """Hand out a body that was read already, then what comes after it."""
    unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return unread.pop() if unread else await receive()

    return receive_again


def _with_headers(send: Send, path: str) -> Send:
    """Let the page fetch nothing from elsewhere, and what strangers wrote do nothing."""
    policy = _STRANGE if path.startswith((FILE, "/report/")) else _OWN

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.append("Content-Security-Policy", policy)
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Referrer-Policy"] = "same-origin"
        await send(message)

    return send_with_headers
