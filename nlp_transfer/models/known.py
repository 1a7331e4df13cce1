"""Where the texts that a classifier knows lie; how far from them another text is.

A text that is of none of the classes is seldom told by the classifier's probabilities, which have
to add up to 1. It is told by three things together: how far the mean of its last hidden states lies
from the nearest class, and from the nearest training text; and how low its logits are. Distances
are angles, in a space whose directions of much and of little variance are brought half the way to
each other. docs/confidence.md has what else was measured.

sources: Liu et al. 2020 (energy of the logits); Sun et al. 2022 (nearest neighbours); Podolskiy et
         al. 2021 (nearest class, for intents); Su et al. 2021 (whitening of sentence embeddings)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_transfer.errors import UserError
from nlp_transfer.models.fit import COPY_AGAIN
from nlp_transfer.models.hostile import KNOWN_FILE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

MOST = 10_000
"""Training texts that are kept, and classes that are told from one another."""
_BLOCK = 256
"""Texts judged at a time; one by one they take 25 times as long."""
_MEASURES = 3


@dataclass(frozen=True)
class Known:
    """Where known texts lie in a model's space; all but what is said in float32."""

    middle: Floats
    """(hidden,): the mean of all training texts."""
    spread: Floats
    """(hidden, hidden): by which directions of much and of little variance become more alike."""
    classes: Floats
    """(classes, hidden): in which direction from the middle, there, each class lies."""
    examples: Floats
    """(texts, hidden): the same of training texts; float16 in the file."""
    usual: Floats
    """(2, measures): means on validation, and standard deviations."""
    threshold: Floats
    """(1,): a text that is stranger is of none of the classes."""

    @classmethod
    def fit(
        cls, train: Floats, classes: Sequence[int], validation: Floats, *, keep: float
    ) -> Known:
        """Learn from texts of known classes alone.

        train, validation: (texts, 1 + hidden): logarithm of the sum of the exponentials of a text's
                           logits, then the features
        classes:           the class of each training text, from 0
        keep:              share of the validation texts that are to be taken for known
        """
        import numpy as np

        features = train[:, 1:].astype(np.float64)
        middle = features.mean(axis=0)
        spread = _half_whitening(features - middle)
        examples = _directions((features - middle) @ spread)
        _, numbers = np.unique(classes, return_inverse=True)
        sums = np.zeros((numbers.max() + 1, features.shape[1]))
        np.add.at(sums, numbers, examples)
        unscaled = cls(
            middle=middle.astype(np.float32),
            spread=spread.astype(np.float32),
            classes=_directions(sums).astype(np.float32),
            examples=examples.astype(np.float16).astype(np.float32),
            usual=np.array([[0.0] * _MEASURES, [1.0] * _MEASURES], np.float32),
            threshold=np.zeros(1, np.float32),
        )
        measured = unscaled._measures(validation)
        usual = np.stack([measured.mean(axis=0), measured.std(axis=0).clip(1e-4)])
        fitted = replace(unscaled, usual=usual.astype(np.float32))
        rank = min(len(validation), math.ceil((len(validation) + 1) * keep - 1e-9))
        threshold = np.sort(fitted.strangeness(validation))[rank - 1 : rank]
        return replace(fitted, threshold=threshold.astype(np.float32))

    def judged(self, computed: Iterable[Floats], labels: int) -> Iterator[Floats]:
        """Tell of each text how strange it is.

        computed: (1, labels + 1 + hidden) a text: what is chosen from, and behind it a text as
                  `fit` has it
        yields:   (1, labels + 1) a text: behind what is chosen from by how much it is too strange
                  for any class, below 0 for what is known
        """
        import numpy as np

        stream = iter(computed)
        while block := list(islice(stream, _BLOCK)):
            texts = np.concatenate(block)
            beyond = self.strangeness(texts[:, labels:]) - self.threshold
            yield from np.column_stack([texts[:, :labels], beyond])[:, None]

    def strangeness(self, texts: Floats) -> Floats:
        """Say how far texts are from all that is known, about 0 for a usual text.

        texts:   (texts, 1 + hidden) as `fit` has them
        returns: (texts,) float32
        """
        mean, deviation = self.usual
        found: Floats = ((self._measures(texts) - mean) / deviation).mean(axis=1)
        return found

    def _measures(self, texts: Floats) -> Floats:
        """Measure how far texts lie from classes and examples, how low their logits: (texts, 3)."""
        import numpy as np

        energy, features = texts[:, 0], texts[:, 1:].astype(np.float32)
        here = _directions((features - self.middle) @ self.spread)
        near_class = (here @ self.classes.T).max(axis=1)
        near_example = (here @ self.examples.T).max(axis=1)
        measured: Floats = -np.column_stack([near_class, near_example, energy]).astype(np.float32)
        return measured

    def save(self, folder: Path) -> None:
        """Write what is known beside the weights of its model."""
        import numpy as np
        from safetensors.numpy import save_file

        parts = {part.name: np.ascontiguousarray(getattr(self, part.name)) for part in fields(self)}
        parts["examples"] = parts["examples"].astype(np.float16)
        save_file(parts, folder / KNOWN_FILE)

    @classmethod
    def read(cls, folder: Path, hidden: int, setting: str) -> Known | None:
        """Read what `save` wrote; None: the model takes every text for one of its classes.

        hidden:  size of the model's hidden states
        setting: the argument or recipe key that named it, for error messages
        raises:  UserError for what does not fit the model, or is no number
        """
        import numpy as np
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        file = folder / KNOWN_FILE
        if not file.is_file():
            return None
        try:
            most = 4 * hidden * (3 * MOST + hidden) + 2**16
            parts = load_file(file) if file.stat().st_size <= most else {}
        except (SafetensorError, OSError, ValueError, KeyError, AttributeError):
            parts = {}
        shapes = _shapes(hidden, *(len(parts.get(name, ())) for name in ("classes", "examples")))
        fits = {name: part.shape for name, part in parts.items()} == shapes
        if not fits or not all(np.isfinite(part).all() for part in parts.values()):
            raise UserError(
                f"{setting}: {file} is not what nlpt writes for this model: it is torn or of "
                f"another one. {COPY_AGAIN}"
            )
        return cls(**{name: part.astype(np.float32) for name, part in parts.items()})


def _shapes(hidden: int, classes: int, examples: int) -> dict[str, tuple[int, ...]]:
    """Say what shape each part has that `Known` is made of."""
    return {
        "middle": (hidden,),
        "spread": (hidden, hidden),
        "classes": (max(1, classes), hidden),
        "examples": (max(1, examples), hidden),
        "usual": (2, _MEASURES),
        "threshold": (1,),
    }


def _directions(vectors: Floats) -> Floats:
    """Scale vectors, (n, hidden), to length 1."""
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Floats = vectors / lengths.clip(1e-9)
    return scaled


def _half_whitening(around: Floats) -> Floats:
    """Return by what vectors around 0 are multiplied to have the square root of their spread.

    source: Ledoit and Wolf 2004, whose estimate holds for fewer vectors than directions too
    """
    import numpy as np
    from sklearn.covariance import ledoit_wolf

    covariance, _ = ledoit_wolf(around, assume_centered=True)
    variances, axes = np.linalg.eigh(covariance)
    floor = max(1e-12, 1e-6 * float(variances.mean()))
    halved: Floats = axes * variances.clip(floor) ** -0.25
    return halved
