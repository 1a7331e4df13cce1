"""Who may ask: an address to listen on, a token that requests must bring."""

from __future__ import annotations

import errno
import hmac
import os
import socket
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from nlp_transfer.errors import UserError

_BACKLOG = 1024


@dataclass(frozen=True)
class Token:
    """What clients must know; nobody else is to read it, here or in a log."""

    _secret: bytes = field(repr=False)

    @classmethod
    def of_environment(cls, name: str) -> Token:
        """Read the token from an environment variable.

        raises: UserError where there is none, or none that fits into a header
        """
        value = os.environ.get(name, "").strip()
        if not value:
            raise UserError(
                f"--token-env: the environment variable {name!r} is not set, or empty. Set it to "
                "the token that clients are to send; give its name here, never the token."
            )
        if not (value.isascii() and value.isprintable() and " " not in value):
            raise UserError(
                f"--token-env: the token in {name!r} holds blanks or characters beyond ASCII, "
                "which HTTP headers do not carry. Use letters, digits and signs."
            )
        return cls(value.encode())

    def fits(self, given: str) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(self._secret, given.encode())


def check_open(host: str, token: Token | None, *, no_token: bool) -> None:
    """Refuse to let other machines ask without a token, unless that is said to be meant.

    raises: UserError; also where there is no such host
    """
    if token is not None and no_token:
        raise UserError("--no-token: --token-env names a token. Leave out one of them.")
    address = str(_address(host, 0)[1][0])
    if token is None and not no_token and not ip_address(address).is_loopback:
        raise UserError(
            f"--host {host}: everybody who reaches this machine could ask. Name a token that "
            "clients must send, --token-env NAME, or say --no-token if something in front of the "
            "server keeps strangers out."
        )


def listen(host: str, port: int) -> socket.socket:
    """Take an address, so that nobody else has it when models are loaded.

    port:   0: any that is free
    raises: UserError when it is in use, or cannot be used
    """
    family, address = _address(host, port)
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Its connections take this over: the body of an answer follows its head at once, and does
        # not wait until the client has acknowledged that, which takes 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise UserError(_explained(error, host, port)) from None
    return listener


def url_of(listener: socket.socket) -> str:
    """Return where a server is found."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _address(host: str, port: int) -> tuple[int, Any]:
    """Look up a host: family and address of its first."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM) if host else []
    except (OSError, UnicodeError):
        found = []
    if not found:
        raise UserError(
            f"--host: there is no {host!r}. 127.0.0.1 is this machine alone, 0.0.0.0 all addresses "
            "of this machine."
        )
    return found[0][0], found[0][4]


def _explained(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"--port: {port} is in use on {host}. Choose another, or 0 for any that is free."
    if error.errno == errno.EACCES:
        return f"--port: {port} may not be used by this user. Ports from 1024 on may."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"--host: {host} is no address of this machine. 0.0.0.0 stands for all of them."
    return f"--host {host} --port {port}: cannot be used: {error.strerror}."
