"""What a server takes of its clients at most."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of memory and time, whatever clients send."""

    body_bytes: int = 1_000_000
    """Of one request."""
    texts: int = 1_000
    """Of one request."""
    characters: int = 20_000
    """Of one text, or of its words together."""
    waiting_characters: int = 1_000_000
    """Of all texts that wait to be computed; a request that finds none waiting is always taken."""
    connections: int = 256
    client_seconds: float = 20
    """Within which a client has sent its request, and has taken its answer."""
    answer_seconds: float = 30
    """Within which a request is answered."""
