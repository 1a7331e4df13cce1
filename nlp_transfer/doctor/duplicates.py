"""Splits in, findings about texts that occur more than once out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nlp_transfer.data.visible import shown
from nlp_transfer.doctor.finding import Finding, Severity, Tally, agree, counted
from nlp_transfer.doctor.rows import Keys, RowReader, content_key, digest, keys_of, places, texts
from nlp_transfer.records import Row, Splits

if TYPE_CHECKING:
    from datasets import Dataset

# Which split's examples must not occur in which others.
LEAKS = (("train", ("validation", "test")), ("validation", ("test",)))


class _Seen:
    """The texts met so far, by hash: where each was first met."""

    def __init__(self) -> None:
        self._rows: tuple[dict[int, int], ...] = tuple({} for _ in Keys._fields)

    def add(self, keys: Keys, row: int) -> None:
        for known, key in zip(self._rows, keys, strict=True):
            known.setdefault(key, row)

    def find(self, keys: Keys) -> tuple[int, int] | None:
        """Return the level of the closest likeness, from 0 for exact, and the row; or None."""
        for level, (known, key) in enumerate(zip(self._rows, keys, strict=True)):
            if key in known:
                return level, known[key]
        return None


class _Copies:
    """Tallies of copies: exact ones, and those that differences of blanks or case hide."""

    def __init__(self, originals: Dataset) -> None:
        self._originals = originals
        self.exact, self.hidden = Tally(), Tally()
        self.by_blanks = 0

    def add(self, where: str, text: str, found: tuple[int, int]) -> None:
        level, row = found
        tally = self.hidden if level else self.exact
        self.by_blanks += level == 1
        place = "" if tally.full else f"same as {self._originals[row]['where']}: "
        tally.add(where, f"{place}{shown(text)}")

    def findings(
        self, code: str, severity: Severity, of: str, verbs: tuple[str, str], fix: str, split: str
    ) -> Iterator[Finding]:
        """Say "4 of 90 texts repeat an earlier one", for both kinds of copies.

        of:    "90 texts"
        verbs: what one does, what several do
        """
        if self.exact.count:
            message = f"{self.exact.count:,} of {of} {agree(self.exact.count, *verbs)}"
            yield self.exact.finding(code, severity, message, fix, split=split)
        if self.hidden.count:
            more = " more" if self.exact.count else ""
            message = f"{self.hidden.count:,}{more} of {of} {agree(self.hidden.count, *verbs)}"
            message += f", but for {self._difference()}"
            yield self.hidden.finding(f"{code}_hidden", severity, message, fix, split=split)

    def _difference(self) -> str:
        if self.by_blanks == self.hidden.count:
            return "white space"
        if not self.by_blanks:
            return "case"
        return f"case or white space ({self.by_blanks:,} for white space alone)"


def duplicates(splits: Splits, read: RowReader) -> Iterator[Finding]:
    """Find rows that repeat the text and the labels of an earlier row of their own split."""
    for split in splits:
        rows = splits[split]
        seen, copies = _Seen(), _Copies(rows)
        for row, (where, text, answer) in enumerate(_labelled(rows, read)):
            keys = keys_of(text, "\0".join(answer or ()))
            found = seen.find(keys)
            if found:
                copies.add(where, text, found)
            seen.add(keys, row)
        yield from copies.findings(
            "duplicates",
            "warning" if split == "train" else "info",
            counted(len(rows), read.nouns.example),
            ("repeats an earlier one", "repeat an earlier one"),
            "Remove the copies, or keep them if they show how often a text really occurs.",
            split,
        )


def leakage(splits: Splits, read: RowReader) -> Iterator[Finding]:
    """Find validation and test rows that training, or choosing the best model, has seen."""
    for source, others in LEAKS:
        present = [split for split in others if split in splits]
        if source not in splits or not present:
            continue
        seen = _Seen()
        for row, text in enumerate(texts(read, splits[source])):
            seen.add(keys_of(text), row)
        for split in present:
            rows, copies = splits[split], _Copies(splits[source])
            for where, text in zip(places(rows), texts(read, rows), strict=True):
                found = seen.find(keys_of(text))
                if found:
                    copies.add(where, text, found)
            yield from copies.findings(
                f"leakage_{source}",
                "warning",
                counted(len(rows), f"{split} {read.nouns.example}"),
                (f"is in {source}", f"are in {source}"),
                f"Remove them from {source}: scores on {split} are too good with them.",
                split,
            )


def conflicting_labels(splits: Splits, read: RowReader) -> Iterator[Finding]:
    """Find examples that occur with different answers."""
    known: dict[int, tuple[int, str, int]] = {}
    met: set[int] = set()
    tallies: dict[str | None, Tally] = {}
    for split in splits:
        for row, (where, text, answer) in enumerate(_labelled(splits[split], read)):
            if answer is None:
                continue
            key = content_key(text, answer, read)
            hashed = digest(*answer)
            first = known.setdefault(key, (hashed, split, row))
            if first[0] == hashed or key in met:
                continue
            met.add(key)
            tally = tallies.setdefault(split if first[1] == split else None, Tally())
            both = splits[split][row], splits[first[1]][first[2]]
            tally.add(where, "" if tally.full else _contrast(text, *both, read))
    for scope, tally in tallies.items():
        across = "" if scope else ", in different splits"
        yield tally.finding(
            "conflicting_labels" if scope else "conflicting_labels_across",
            "warning",
            f"{counted(tally.count, read.nouns.example)} {agree(tally.count, 'has', 'have')} "
            f"different {read.nouns.answers} at different places{across}",
            "Decide which is right, and correct the others.",
            split=scope,
        )


def _labelled(rows: Dataset, read: RowReader) -> Iterator[tuple[str, str, list[str] | None]]:
    """Yield where every row is from, its text and its answer."""
    return zip(places(rows), texts(read, rows), read.answers(rows), strict=True)


def _contrast(text: str, one: Row, other: Row, read: RowReader) -> str:
    """Say what a row and the first one of the same text call the same thing."""
    ours, theirs = read.contrast(one, other)
    return f"{ours}, {theirs} at {other['where']}: {shown(text)}"
