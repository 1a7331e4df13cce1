"""What a server has done so far, as Prometheus reads it."""

from __future__ import annotations

from collections.abc import Collection

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_OTHER = "other"


class ServerFigures:
    """Counts of one server; none of them tells what a text says."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, paths: Collection[str], models: Collection[str]) -> None:
        """paths: that are counted by name; others come together, since strangers choose them."""
        self._paths = frozenset(paths)
        self._registry = own = CollectorRegistry()
        ProcessCollector(registry=own)
        PlatformCollector(registry=own)
        self._requests = Counter(
            "nlpt_requests", "Requests that were answered.", ("path", "status"), registry=own
        )
        self._seconds = Histogram(
            "nlpt_request_seconds",
            "From the head of a request to the end of its answer.",
            ("path",),
            buckets=_SECONDS,
            registry=own,
        )
        self._texts = Counter("nlpt_texts", "Texts predicted.", ("model",), registry=own)
        self._turns = Histogram(
            "nlpt_turn_texts",
            "Texts computed together, of one or several requests.",
            buckets=_TEXTS,
            registry=own,
        )
        self.waiting = Gauge(
            "nlpt_waiting_characters", "Characters that wait to be computed.", registry=own
        )
        for model in models:
            self._texts.labels(model)

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        path = path if path in self._paths else _OTHER
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def turn(self, model: str, texts: int) -> None:
        """Count texts that are computed together."""
        self._texts.labels(model).inc(texts)
        self._turns.observe(texts)

    def page(self) -> bytes:
        """Write all figures in Prometheus' text format."""
        return generate_latest(self._registry)
