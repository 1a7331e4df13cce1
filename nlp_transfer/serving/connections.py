"""Connections in, refused or ended where there are too many or a client takes too long."""

from __future__ import annotations

import asyncio
import json

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from nlp_transfer.serving.limits import Limits

_LINGERING = 2
"""Seconds in which a client may read why it is refused, while it still sends."""


def bounded(limits: Limits) -> type[asyncio.Protocol]:
    """Make the kind of connection that keeps limits: uvicorn's own waits for ever."""
    return type("Connection", (_Connection,), {"limits": limits})


class _Connection(H11Protocol):
    """A connection whose client may take so long for the head of a request, and for an answer.

    What of a request comes after its head, `read_body` bounds.
    """

    limits: Limits
    _overdue: asyncio.TimerHandle | None = None
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._refuse(503, "Too many connections. Come again later.", retry_after=1)
        else:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._refused:
            super().data_received(data)

    def shutdown(self) -> None:
        if self._refused:
            self.transport.close()
        else:
            super().shutdown()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, msg)

    def _watch(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
        self._overdue = self.loop.call_later(self.limits.client_seconds, self._end)

    def _end(self) -> None:
        """End the connection, unless a request is being answered."""
        if self.cycle is not None and not self.cycle.response_complete:
            return
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        elif not self.transport.is_closing():
            self._refuse(408, "The request did not arrive in time.")

    def _refuse(self, status: int, message: str, *, retry_after: int | None = None) -> None:
        """Answer without the application, where an answer may still be sent, and hang up."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = json.dumps({"error": message}).encode()
            headers = [("Content-Type", "application/json"), ("Connection", "close")]
            headers.append(("Content-Length", str(len(body))))
            if retry_after is not None:
                headers.append(("Retry-After", str(retry_after)))
            for event in (
                h11.Response(status_code=status, headers=headers),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
            self.transport.write_eof()
        self._refused = True
        self._unset_keepalive_if_required()
        self.loop.call_later(_LINGERING, self.transport.abort)
