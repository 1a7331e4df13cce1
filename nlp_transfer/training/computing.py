"""Examples of a split in; what a model predicts of them, and where they lie in its space, out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from accelerate.utils import gather_object

from nlp_transfer.inference.engine import predict_distributions, windows_by_example
from nlp_transfer.inference.output_inputs import ItemInputs, output_inputs
from nlp_transfer.models.architecture import output_labels
from nlp_transfer.records import Prediction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn
    from transformers import PreTrainedModel

    from nlp_transfer.models.known import Known
    from nlp_transfer.tasks.base import Task
    from nlp_transfer.training.examples import SplitData

    Floats = NDArray[np.floating[Any]]

_Told = TypeVar("_Told")


@dataclass(frozen=True)
class Computing:
    """Each process computes every n-th example; all processes get all results, in order."""

    pad_id: int
    precision: str
    fast_cpu: bool
    process: int
    processes: int

    def predictions(
        self,
        split: SplitData,
        model: PreTrainedModel,
        task: Task,
        examples: Sequence[int] | None = None,
        known: Known | None = None,
    ) -> list[Prediction]:
        """Predict examples of a split, each exactly once.

        examples: their numbers; None: all
        known:    by which examples of none of the model's classes are told
        """
        labels, decode = output_labels(model.config), task.decoder.decode

        def predicted(mine: Sequence[int]) -> Iterator[Prediction]:
            computed = self._computed(split, model, task, mine, features=known is not None)
            judged = computed if known is None else known.judged(computed, len(labels))
            return (decode(distribution, labels) for distribution in judged)

        return self._shared_out(predicted, range(len(split.rows)) if examples is None else examples)

    def features(
        self, split: SplitData, model: PreTrainedModel, task: Task, examples: Sequence[int]
    ) -> Floats:
        """Say where examples lie: (examples, 1 + hidden) as `Known.fit` has them.

        examples: their numbers
        """
        import numpy as np

        labels = len(output_labels(model.config))

        def found(mine: Sequence[int]) -> Iterator[Floats]:
            computed = self._computed(split, model, task, mine, features=True)
            return (example[0, labels:].astype(np.float32) for example in computed)

        return np.stack(self._shared_out(found, examples))

    def output_inputs(
        self,
        split: SplitData,
        model: PreTrainedModel,
        layer: nn.Module,
        task: Task,
        windows: Sequence[int],
        *,
        number: int,
    ) -> list[ItemInputs]:
        """Compute what an output layer reads at the labelled items of windows, dropout off.

        windows: their numbers
        number:  of the task, where the model answers for several
        """

        def read(mine: Sequence[int]) -> list[ItemInputs]:
            rows = [split.encoded.windows[window] for window in mine]
            return output_inputs(
                model,
                layer,
                task,
                rows,
                number=number,
                pad_id=self.pad_id,
                precision=self.precision,
                fast_cpu=self.fast_cpu,
            )

        return self._shared_out(read, windows)

    def _computed(
        self,
        split: SplitData,
        model: PreTrainedModel,
        task: Task,
        examples: Sequence[int],
        *,
        features: bool,
    ) -> Iterator[Floats]:
        return predict_distributions(
            model,
            task,
            windows_by_example(split.encoded, split.rows, examples),
            pad_id=self.pad_id,
            tokens_per_batch=None,
            precision=self.precision,
            fast_cpu=self.fast_cpu,
            features=features,
        )

    def _shared_out(
        self, compute: Callable[[Sequence[int]], Iterable[_Told]], wanted: Sequence[int]
    ) -> list[_Told]:
        mine = wanted[self.process :: self.processes]
        gathered = dict(gather_object(list(zip(mine, compute(mine), strict=True))))
        return [gathered[number] for number in wanted]
