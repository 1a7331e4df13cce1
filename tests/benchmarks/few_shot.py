"""A labelled CSV folder in; the same with a few training examples a class out."""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path


def write_few_shot(
    source: Path, target: Path, *, seed: int, train: int = 10, validation: int = 5
) -> None:
    """Draw training and validation examples of every class from train.csv; keep test.csv whole.

    source: folder with train.csv and test.csv, columns text and category
    target: gets train.csv, validation.csv, test.csv, and unlabelled.txt with all that is left
    """
    if (target / "unlabelled.txt").is_file():
        return
    target.mkdir(parents=True, exist_ok=True)
    by_class = defaultdict(list)
    for row in _rows(source / "train.csv"):
        by_class[row["category"]].append(row)
    rng = random.Random(seed)
    drawn = [rng.sample(by_class[name], len(by_class[name])) for name in sorted(by_class)]
    _write(target / "train.csv", (row for rows in drawn for row in rows[:train]))
    held_out = slice(train, train + validation)
    _write(target / "validation.csv", (row for rows in drawn for row in rows[held_out]))
    _write(target / "test.csv", _rows(source / "test.csv"))
    left = [row["text"] for rows in drawn for row in rows[train + validation :]]
    lines = (" ".join(text.split()) + "\n" for text in left)
    (target / "unlabelled.txt").write_text("".join(lines), encoding="utf-8")


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _write(path: Path, rows: Iterable[Mapping[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["text", "category"])
        writer.writeheader()
        writer.writerows(rows)
