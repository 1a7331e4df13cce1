"""The schedule of a recipe in, the arguments that it takes out; without importing torch."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from nlp_transfer.errors import nearest
from nlp_transfer.recipe.base import Fault
from nlp_transfer.recipe.transformers_source import choices, definitions

OWN = {"exponential": {"decay": 0.9}, "step": {"decay": 0.1, "every": 1.0}}
"""Schedules that transformers does not have, and their arguments' defaults."""
_GIVEN = {"optimizer", "num_warmup_steps", "num_training_steps", "last_epoch"}
_MOST = 1_000_000


def schedule_faults(schedule: str, arguments: Mapping[str, Any]) -> Iterator[Fault]:
    """Find arguments that a schedule does not take, lacks, or cannot compute with."""
    known, required = _arguments(schedule)
    for name, value in arguments.items():
        key = f"schedule_arguments.{name}"
        if known is not None and name not in known:
            takes = ", ".join(known) or "it takes none"
            hint = nearest(name, known)
            yield Fault(key, f"the schedule {schedule} has no such argument ({takes}).{hint}")
        elif schedule in OWN and not (type(value) in (int, float) and 0 < value <= _MOST):
            yield Fault(key, f"must be a number above 0 up to {_MOST}, found {value!r:.60}")
    for name in required:
        if name not in arguments:
            yield Fault("schedule_arguments", f"the schedule {schedule} needs {name}")
    if "min_lr_rate" in (known or ()) and not {"min_lr", "min_lr_rate"} & set(arguments):
        yield Fault("schedule_arguments", f"the schedule {schedule} needs min_lr or min_lr_rate")


def _arguments(schedule: str) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """Return the arguments that a schedule takes, None for any, and those that it needs."""
    if schedule in OWN:
        return tuple(OWN[schedule]), ()
    if schedule in ("constant", "constant_with_warmup"):
        return (), ()  # transformers drops what they are given
    function = _function(schedule)
    if function is None or function.args.kwarg is not None:
        return None, ()
    names = [argument.arg for argument in function.args.args]
    needed = names[: len(names) - len(function.args.defaults)]
    known = tuple(name for name in names if name not in _GIVEN)
    return known, tuple(name for name in needed if name not in _GIVEN)


def _function(schedule: str) -> ast.FunctionDef | None:
    """Find the function of transformers that makes a schedule."""
    names = choices(definitions("trainer_utils.py")["SchedulerType"])
    optimization = definitions("optimization.py")
    table = optimization["TYPE_TO_SCHEDULER_FUNCTION"]
    entries = table.value if isinstance(table, ast.Assign) else None
    if not isinstance(entries, ast.Dict):
        return None
    for kind, made_by in zip(entries.keys, entries.values, strict=True):
        if isinstance(kind, ast.Attribute) and names.get(kind.attr) == schedule:
            found = optimization.get(ast.unparse(made_by))
            return found if isinstance(found, ast.FunctionDef) else None
    return None
