"""Tagged words, gold and predicted, as predictions.jsonl has them, in; what is right out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar, cast

from nlp_transfer.data.tags import Span, spans_of_any
from nlp_transfer.errors import UserError
from nlp_transfer.metrics.outcomes import Average, Judgement
from nlp_transfer.shown import Answer, Mark
from nlp_transfer.tasks.optional import Line


@dataclass(frozen=True)
class NerJudge:
    """Judges sentences by their entities, gold ones that tags cannot say among them."""

    average: ClassVar[Average] = "micro"
    shape: ClassVar[str] = '{"tokens": [...], "gold": [tags], "tags": [tags]}'

    def reads(self, line: Line) -> bool:
        return "tokens" in line

    def judge(self, line: Line, where: str) -> Judgement:
        """Count the entities of each type; invalid tags are read as in data."""
        tokens, gold_tags, tags = (_texts(line, key, where) for key in ("tokens", "gold", "tags"))
        lost = _texts(line, "lost", where) if "lost" in line else []
        if not len(tokens) == len(gold_tags) == len(tags):
            raise UserError(
                f"{where}: {len(tokens)} tokens, but {len(gold_tags)} gold tags and {len(tags)} "
                'predicted ones ("tags"); each token has one of both.'
            )
        gold, found = spans_of_any(gold_tags), spans_of_any(tags)
        said = "\x1f".join(f"{kind} {first} {last}" for kind, first, last in gold)
        content = "\x1e".join(("\x1f".join(tokens), said, "\x1f".join(lost)))
        return Judgement(_counts(gold, found, lost), gold == found and not lost, content)

    def shown(self, line: Line) -> tuple[str, Answer, Answer]:
        """Mark the entities in the words, which are joined by blanks."""
        tokens = cast(list[str], line["tokens"])
        starts = list(accumulate((len(token) + 1 for token in tokens), initial=0))
        gold, found = (
            Answer(side, tuple(_mark(span, tokens, starts) for span in spans_of_any(tags)))
            for side, tags in zip(
                ("gold", "predicted"), cast(list[list[str]], [line["gold"], line["tags"]]),
                strict=True,
            )
        )  # fmt: skip
        return " ".join(tokens), gold, found


def _counts(
    gold: Sequence[Span], found: Sequence[Span], lost: Sequence[str]
) -> dict[str, list[int]]:
    """Count correct, predicted and gold entities by type."""
    counts: dict[str, list[int]] = {}
    known = set(gold)
    for span in found:
        line = counts.setdefault(span.type, [0, 0, 0])
        line[0] += span in known
        line[1] += 1
    for name in (*(span.type for span in gold), *lost):
        counts.setdefault(name, [0, 0, 0])[2] += 1
    return counts


def _texts(line: Line, key: str, where: str) -> list[str]:
    """Read a list of strings."""
    value = line.get(key)
    if isinstance(value, list) and set(map(type, value)) <= {str} and "" not in value:
        return value
    found = "is missing" if key not in line else f"is {str(value)[:60]!r}"
    raise UserError(
        f'{where}: "{key}" {found}; it must be a list of texts, none of them empty. A line looks '
        f"like {NerJudge.shape}."
    )


def _mark(span: Span, tokens: Sequence[str], starts: Sequence[int]) -> Mark:
    return Mark(span.type, starts[span.first], starts[span.last] + len(tokens[span.last]))
