"""Lines of predictions.jsonl in, sentences with gold and predicted entities to look through out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

from nlp_transfer.data.tags import Span, spans_of_any
from nlp_transfer.metrics.entity_errors import EntityError, entity_errors
from nlp_transfer.shown import Answer, Example, Examples, Mark
from nlp_transfer.tasks.analysis_examples import ExampleSelection
from nlp_transfer.tasks.ner.slices import words_of


@dataclass(frozen=True)
class TaggedSentence:
    """A sentence with its gold and predicted entities."""

    number: int
    """In the split, from 1."""
    words: Sequence[str]
    gold: Sequence[Span]
    scores: Mapping[Span, float | None]
    """Of each predicted entity."""
    lost: Sequence[str] = ()
    """Types of gold entities that words cannot hold."""
    where: str = ""

    @classmethod
    def of_line(cls, number: int, line: Mapping[str, Any]) -> TaggedSentence:
        """Read a line of predictions.jsonl."""
        scores: dict[Span, float | None] = {
            Span(entity["type"], entity["start_word"], entity["end_word"] - 1): entity.get("score")
            for entity in line.get("entities", ())
        }
        return cls(
            number,
            line["tokens"],
            spans_of_any(line["gold"]),
            {span: scores.get(span) for span in spans_of_any(line["tags"])},
            line.get("lost") or (),
            line.get("where") or "",
        )

    @cached_property
    def errors(self) -> list[EntityError]:
        """What is not right, but for lost entities."""
        return entity_errors(self.gold, list(self.scores))

    def text(self, span: Span) -> str:
        """Return the words of an entity."""
        return words_of(span, self.words)

    def example(self) -> Example:
        """Show it."""
        starts = [0, *accumulate(len(word) + 1 for word in self.words)]

        def mark(span: Span, score: float | None = None) -> Mark:
            return Mark(span.type, starts[span.first], starts[span.last + 1] - 1, score)

        lost = ["missed"] if self.lost else []
        types = {span.type for span in (*self.gold, *self.scores)} | {*self.lost}
        return Example(
            number=self.number,
            text=" ".join(self.words),
            answers=(
                Answer(
                    "gold",
                    tuple(map(mark, self.gold)),
                    tuple((f"{kind} (words cannot hold it)", None) for kind in self.lost),
                ),
                Answer("predicted", tuple(mark(*item) for item in self.scores.items())),
            ),
            kinds=tuple(dict.fromkeys([*(error.kind for error in self.errors), *lost])),
            types=tuple(sorted(types)),
            where=self.where,
        )


def examples_of(lines: Iterable[Mapping[str, Any]]) -> Examples:
    """Show the sentences of predictions.jsonl, as many as a page can hold."""
    selection = ExampleSelection()
    for number, line in enumerate(lines, 1):
        sentence = TaggedSentence.of_line(number, line)
        selection.add(sentence.example, wrong=bool(sentence.errors or sentence.lost))
    return selection.chosen()
