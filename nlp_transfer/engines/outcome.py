"""What was measured of engines; which of them is fastest, if that can be told."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nlp_transfer.inference.found_engines import Findings, Found, choose
from nlp_transfer.inference.machine import Machine


@dataclass(frozen=True)
class Rates:
    """Examples a second, round by round, by two clocks."""

    wall: tuple[float, ...]
    processor: tuple[float, ...]
    """A second of all cores together."""

    def by(self, clock: str) -> Spread:
        rounds = self.wall if clock == "wall" else self.processor
        return Spread(statistics.median(rounds), min(rounds), max(rounds))


@dataclass(frozen=True)
class Spread:
    """The median of some rounds, the slowest and the fastest."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class EngineFacts:
    """What an engine is like whatever its batches are."""

    name: str
    engine: str
    precision: str
    start_seconds: float
    """Until the model was loaded and had answered a first example."""
    first_start_seconds: float | None
    """The same where it was compiled for it; None: nothing had to be."""
    megabytes: float | None
    """The most that it took in memory when it first predicted, beside what was there before."""
    agreement: float
    """Share of the examples that are answered as by PyTorch in fp32."""
    figure: float | None
    sha256: str | None = None
    """Of the ONNX model that lies in the run."""

    def is_usual(self, precision: str, suitable: int, tokens_per_batch: int) -> bool:
        """Tell whether this is what computes where nothing was measured."""
        return (self.engine, self.precision, tokens_per_batch) == ("torch", precision, suitable)


@dataclass(frozen=True)
class Timed:
    """An engine with one size of batch."""

    facts: EngineFacts
    tokens_per_batch: int
    rates: Rates
    by_itself: bool


@dataclass(frozen=True)
class Outcome:
    """All that `nlpt bench` has measured."""

    model: str
    machine: Machine
    examples: str
    """What they are."""
    count: int
    of: int
    timed_count: int
    headline: str
    """What the figure of an engine is called."""
    clock: str
    timed: tuple[Timed, ...]
    skipped: Mapping[str, str]
    """Why an engine was not measured, by its name."""
    stock: Mapping[int, Rates]
    """Transformers' own pipeline, by its size of batch."""
    peak_flops: float | None
    """Floating point operations a second of one large matrix product, in `peak_precision`."""
    peak_precision: str
    flops: float
    """Operations of matrix products that an example takes, padding included."""

    def speed(self, timed: Timed) -> Spread:
        return timed.rates.by(self.clock)

    def ranked(self) -> list[Timed]:
        """The best size of batch of each engine, the fastest first."""
        best: dict[str, Timed] = {}
        for one in sorted(self.timed, key=lambda one: -self.speed(one).median):
            best.setdefault(one.facts.name, one)
        return list(best.values())

    def is_told(self) -> bool:
        """Tell whether the ranges of the first two engines lie apart."""
        first, *others = self.ranked()
        return not others or self.speed(first).low > self.speed(others[0]).high

    def peak_share(self, timed: Timed) -> float | None:
        """Return what share of the peak an engine reaches, of operations that matrices take."""
        if self.peak_flops is None:
            return None
        return self.flops * self.speed(timed).median / self.peak_flops

    def findings(self) -> Findings:
        """Return what is kept for `--engine auto`."""
        return Findings(machine=self.machine, engines=tuple(map(self._found, self.timed)))

    def chosen(self) -> Found | None:
        """Return what `--engine auto` would choose if all engines that were measured are kept."""
        kept = [timed.facts for timed in self.timed]
        known = {facts.name for facts in kept if facts.engine != "onnx" or facts.sha256}
        return choose(self.findings(), lambda one: one.name in known)

    def _found(self, timed: Timed) -> Found:
        facts, speed = timed.facts, self.speed(timed)
        return Found(
            name=facts.name,
            engine=facts.engine,
            precision=facts.precision,
            tokens_per_batch=timed.tokens_per_batch,
            **asdict(speed),
            agreement=facts.agreement,
            by_itself=timed.by_itself,
            sha256=facts.sha256,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return every figure, for programs."""
        ranked: Sequence[Timed] = self.ranked()
        chosen = self.chosen()
        return {
            **asdict(self),
            "engines": [
                {**line, "share_of_peak": self.peak_share(timed)}
                for line, timed in zip(asdict(self)["timed"], self.timed, strict=True)
            ],
            "fastest": ranked[0].facts.name if self.is_told() else None,
            "auto": chosen.model_dump() if chosen else None,
        }
