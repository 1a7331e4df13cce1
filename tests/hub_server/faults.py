"""What can be made to go wrong: at which requests, how, and how often."""

from __future__ import annotations

import re
import socket
import struct
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from threading import Event, Lock


@dataclass
class Fault:
    """A way in which the Hub does not answer, at requests that fit.

    where:  regular expression, searched in "METHOD /path"
    how:    a status; "reset": the connection is; "hang": nothing is ever said;
            "cut": the headers and half of the body, then the connection is reset;
            "stall": the same, but then nothing
    times:  at how many requests; None: at all
    """

    where: str
    how: int | str
    times: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    met: int = 0
    """How many requests it has met."""
    _lock: Lock = field(default_factory=Lock, repr=False)

    def meets(self, request: str) -> bool:
        """Tell whether a request goes wrong; if so, it counts."""
        with self._lock:
            spent = self.times is not None and self.met >= self.times
            if spent or not re.search(self.where, request):
                return False
            self.met += 1
            return True


def reset(handler: BaseHTTPRequestHandler) -> None:
    """Break the connection of a request."""
    handler.wfile.flush()
    linger = struct.pack("ii", 1, 0)  # no farewell: the other side sees a reset
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.close_connection = True
    handler.connection.close()


def hang(handler: BaseHTTPRequestHandler, closing: Event) -> None:
    """Say nothing until the Hub closes."""
    handler.wfile.flush()
    closing.wait()
    handler.close_connection = True
