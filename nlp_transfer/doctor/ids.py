"""Splits in, findings about the ids of their rows out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from nlp_transfer.doctor.finding import Example, Finding, counted
from nlp_transfer.doctor.rows import columns, digest
from nlp_transfer.records import Splits


def duplicate_ids(splits: Splits) -> Iterator[Finding]:
    """Find ids that several rows of a split bear."""
    for split in splits:
        counts = Counter(digest(i) for (i,) in columns(splits[split], "id") if i is not None)
        repeated = {key: count for key, count in counts.items() if count > 1}
        if not repeated:
            continue
        shown: dict[int, Example] = {}
        for where, name in columns(splits[split], "where", "id"):
            key = digest(name) if name is not None else None
            if key in repeated and key not in shown:
                shown[key] = Example(where, f"id {name} occurs {repeated[key]} times")
            if len(shown) == min(5, len(repeated)):
                break
        first = next(iter(shown.values())).text
        more = f", and {counted(len(repeated) - 1, 'other id')} too" if len(repeated) > 1 else ""
        yield Finding(
            "duplicate_ids",
            "warning",
            f"{first}{more}",
            "Give every row its own id, or leave the id column out.",
            count=len(repeated),
            split=split,
            examples=tuple(shown.values()),
        )
