"""Tagged words, gold and predicted, as predictions.jsonl has them, in; what is right out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

from nlp_transfer.data.tags import spans_of_any
from nlp_transfer.errors import UserError
from nlp_transfer.metrics.outcomes import Average, Judgement
from nlp_transfer.shown import Example
from nlp_transfer.tasks.ner.error_examples import TaggedSentence
from nlp_transfer.tasks.optional import Line

Entity = tuple[str, int, int]
"""Type, and where it begins and ends: a `Span`, say."""


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
        return Judgement(counts_by_type(gold, found, lost), gold == found and not lost, content)

    def shown(self, line: Line, number: int) -> Example:
        """Mark the entities in the words, which are joined by blanks."""
        tokens, gold, tags = (_texts(line, key, "") for key in ("tokens", "gold", "tags"))
        where = line.get("where")
        return TaggedSentence(
            number,
            tokens,
            spans_of_any(gold),
            dict.fromkeys(spans_of_any(tags)),
            _texts(line, "lost", "") if "lost" in line else [],
            where if isinstance(where, str) else "",
        ).example()


def counts_by_type(
    gold: Collection[Entity], found: Collection[Entity], lost: Sequence[str]
) -> dict[str, list[int]]:
    """Count correct, predicted and gold entities by type.

    lost: types of further gold entities, which nothing can find
    """
    counts: dict[str, list[int]] = {}
    known = set(gold)
    for entity in found:
        line = counts.setdefault(entity[0], [0, 0, 0])
        line[0] += entity in known
        line[1] += 1
    for name in (*(entity[0] for entity in gold), *lost):
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
