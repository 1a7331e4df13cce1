"""Why a request is not answered: its status, and a sentence for who sent it."""

from __future__ import annotations

from collections.abc import Mapping


class Refusal(Exception):  # noqa: N818 - an answer, not a fault of the server
    """What ends a request early."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        """status: of HTTP."""
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})
