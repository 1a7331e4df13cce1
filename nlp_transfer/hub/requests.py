"""Requests to the Hub, which never wait for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Send = Callable[..., Any]
"""What sends an HTTP request and returns the response, as `httpx.Client.send` does."""


@contextmanager
def sending_by(around: Callable[[Send], Send]) -> Iterator[None]:
    """Send what huggingface_hub asks by another function.

    around: makes it of the one that sends
    """
    import huggingface_hub

    client = huggingface_hub.get_session()
    send = client.send
    client.send = around(send)  # type: ignore[method-assign]
    try:
        yield
    finally:
        client.send = send  # type: ignore[method-assign]


def limit_time(request: Any, seconds: float) -> None:
    """Let each part of a request take so long at most."""
    parts = ("connect", "read", "write", "pool")
    request.extensions["timeout"] = dict.fromkeys(parts, seconds)
