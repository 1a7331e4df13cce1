"""A run measured on this machine in, what it would take on N GPUs out, by a model that is stated.

    computing  = max(FLOPs a step / (N * tflops * utilisation), least_step)
    exchanging = 2 * (N - 1) / N * 4 bytes * learned parameters / bandwidth
    a step     = computing + exchanging
    memory     = 4 bytes * parameters + 12 * learned ones + 34 * pieces a GPU * hidden * layers

FLOPs are those of the matrix products of one of the run's own steps, as PyTorch counts them, so
what strategies compute beside is in them. 2 (N - 1) / N is a ring's share (Patarasuk and Yuan
2009); 34 bytes a piece, hidden unit and layer are the activations of half precision (Korthikanti
et al. 2022), those of attention maps left out. Nothing of the exchange is hidden behind computing.
The batch of a step stays the same, so many GPUs have little to do each: least_step is what
launching its kernels takes. Other parts take what they do here, but for evaluation and prediction,
which compute a third of what learning does.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from nlp_transfer.errors import UserError, nearest

_MOST = 1e9


@dataclass(frozen=True)
class Gpus:
    """How many GPUs, and what is assumed of each."""

    count: float
    tflops: float = 312
    """Peak of dense bf16 matrix products: an A100's. An H100's is 989."""
    utilisation: float = 0.3
    """Share of the peak that a step reaches."""
    bandwidth: float = 20
    """Gigabytes a second between neighbours: NVLink has 200 and more, a 200 Gbit/s network 20."""
    least_step: float = 0.08
    """Seconds; BERT-base on an H200 took 0.073 to 0.1 (docs/performance.md)."""

    @classmethod
    def read(cls, text: str) -> Gpus:
        """Read `8`, or `8,tflops=989,bandwidth=200`.

        raises: UserError for anything else
        """
        count, *others = text.split(",")
        given = dict([("count", count), *(_pair(other) for other in others)])
        return cls(**{name: _number(name, value) for name, value in given.items()})


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    known = [one.name for one in fields(Gpus)[1:]]
    if not equals or name.strip() not in known:
        raise UserError(
            f"--gpus: {text!r:.60} is no assumption ({', '.join(known)}), such as tflops=989."
            f"{nearest(name.strip(), known)}"
        )
    return name.strip(), value


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < _MOST or (name == "count" and number != int(number)):
        wanted = "a whole number of GPUs" if name == "count" else f"{name}: a number above 0"
        raise UserError(f"--gpus: {wanted} is wanted, found {text!r:.60}. Write --gpus 8.")
    if name == "utilisation" and number > 1:
        raise UserError(f"--gpus: utilisation is a share, up to 1; found {text!r:.60}.")
    return number


@dataclass(frozen=True)
class Work:
    """What a run has to do, whatever it runs on."""

    steps: int
    flops_a_piece: float
    """Of a step, for each of its pieces, padding included."""
    pieces_a_step: float
    largest_step: int
    """Pieces."""
    pieces_predicted: float
    """In evaluations and the scored splits."""
    other_seconds: float
    """What is not computed by the model, as measured here."""
    trainable_parameters: int
    total_parameters: int
    hidden_times_layers: int


@dataclass(frozen=True)
class GpuEstimate:
    """What a run would take on GPUs."""

    gpus: Gpus
    computing_seconds: float
    """Of a step."""
    exchanging_seconds: float
    training_seconds: float
    total_seconds: float
    memory_bytes: float
    """Of each GPU."""

    def as_dict(self) -> dict[str, Any]:
        numbers = {one.name: getattr(self, one.name) for one in fields(self)[1:]}
        return {**asdict(self.gpus), **{name: round(n, 6) for name, n in numbers.items()}}


def on_gpus(gpus: Gpus, work: Work) -> GpuEstimate:
    """Compute what the model says."""
    speed = gpus.count * gpus.tflops * 1e12 * gpus.utilisation
    computing = max(work.flops_a_piece * work.pieces_a_step / speed, gpus.least_step)
    shared = 2 * (gpus.count - 1) / gpus.count
    exchanging = shared * 4 * work.trainable_parameters / (gpus.bandwidth * 1e9)
    predicting = work.flops_a_piece / 3 * work.pieces_predicted / speed
    training = work.steps * (computing + exchanging)
    activations = 34 * work.largest_step / gpus.count * work.hidden_times_layers
    weights = 4 * work.total_parameters + 12 * work.trainable_parameters
    return GpuEstimate(
        gpus=gpus,
        computing_seconds=computing,
        exchanging_seconds=exchanging,
        training_seconds=training,
        total_seconds=training + predicting + work.other_seconds,
        memory_bytes=weights + activations,
    )
