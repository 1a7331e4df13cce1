"""What a server takes of its clients at most."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from nlp_transfer.errors import UserError


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

    def __post_init__(self) -> None:
        """Refuse what bounds nothing, or lets nothing through.

        raises: UserError
        """
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 < value < math.inf:
                raise UserError(f"limits: {field.name} is {value}. It must be above 0, and finite.")
