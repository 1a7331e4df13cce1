"""What transformers' own pipeline says of a text in, what of it is right out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nlp_transfer.metrics.outcomes import Judgement
from nlp_transfer.tasks.classification.judge import ClassificationJudge
from nlp_transfer.tasks.optional import Line


@dataclass(frozen=True)
class ClassificationStock:
    """The pipeline reads the beginning of a text, as far as the model reaches."""

    threshold: float | None
    """Multi-label: the least probability of a label; None: a text has one label."""

    @property
    def arguments(self) -> Mapping[str, Any]:
        """Cut long texts off; of several labels, tell the score of each."""
        every = {} if self.threshold is None else {"top_k": None}
        return {"truncation": True, **every}

    def text(self, line: Line) -> str | dict[str, str]:
        """Take the text, with the second one of a pair."""
        text, pair = line["text"], line.get("text_pair")
        assert isinstance(text, str)
        return text if pair is None else {"text": text, "text_pair": str(pair)}

    def judge(self, line: Line, found: Any) -> Judgement:
        """Compare the likeliest label, or those above the threshold.

        found: {label, score}, or a list of these for all labels
        """
        if self.threshold is None:
            labels = [found["label"]]
        else:
            labels = [one["label"] for one in found if one["score"] >= self.threshold]
        own = {key: line[key] for key in ("text", "gold")}
        return ClassificationJudge().judge({**own, "labels": labels}, "")
