"""Nested figures in, one name a number out: for trackers, and for the Trainer's own metrics."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

_LONGEST_NAME = 80


def by_path(figures: Mapping[str, Any]) -> dict[str, float]:
    """Write nested figures flat, for what has one name a number; text and lists are left out.

    An interval becomes two numbers. A name is safe wherever trackers write it: blanks, slashes and
    signs in a label become _, and what would then be called alike is numbered.

    >>> by_path({"per_type": {"A/B": {"f1": 0.5}, "A B": {"f1": 0.25, "f1_ci95": [0.2, 0.3]}}})
    {'per_type/A_B/f1': 0.5, 'per_type/A_B_2/f1': 0.25, 'per_type/A_B_2/f1_ci95_low': 0.2, \
'per_type/A_B_2/f1_ci95_high': 0.3}
    """
    flat: dict[str, float] = {}
    for name, value in zip(_safe_names(figures), figures.values(), strict=True):
        if isinstance(value, Mapping):
            flat |= {f"{name}/{path}": number for path, number in by_path(value).items()}
        elif name.endswith("ci95") and value:
            flat |= {f"{name}_low": float(value[0]), f"{name}_high": float(value[1])}
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            flat[name] = value
    return flat


def _safe_names(names: Iterable[str]) -> list[str]:
    """Write names with letters, digits and _ . - only, no two alike where others see only ASCII.

    MLflow writes other letters as _, and refuses long names and those that are dots alone.
    """
    safe, taken = [], set()
    for name in names:
        plain = re.sub(r"[^\w.-]", "_", name)[:_LONGEST_NAME].strip(".") or "_"
        number, unique = 1, plain
        while (seen := re.sub(r"[^\w.-]", "_", unique, flags=re.ASCII)) in taken:
            number += 1
            unique = f"{plain}_{number}"
        taken.add(seen)
        safe.append(unique)
    return safe
