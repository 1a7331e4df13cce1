"""Whether those who take part in a study still live."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from nlp_transfer.processes.identity import SILENCE, ProcessId


class Watch:
    """Listens to workers on other machines, by a clock of its own: theirs may differ."""

    def __init__(self) -> None:
        self._heard: dict[int, tuple[int, float]] = {}

    def is_dead(self, trial: int, attributes: Mapping[str, Any]) -> bool:
        """Tell whether nobody works on a trial any more that somebody has begun."""
        if "worker" not in attributes:  # it is named before the study is open to others again
            return True
        gone = ProcessId(**attributes["worker"]).is_gone()
        if gone is not None:
            return gone
        beat, now = int(attributes.get("beat", 0)), time.monotonic()
        before, since = self._heard.get(trial, (None, now))
        if beat != before:
            self._heard[trial] = (beat, now)
            return False
        return now - since > SILENCE
