"""What a recipe sets under `training.arguments` in, what is wrong with it out.

Names and types are read from the source of the installed transformers: importing it, and torch with
it, takes seconds.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal, Union

from pydantic import ConfigDict, TypeAdapter, ValidationError

from nlp_transfer.errors import closest, nearest
from nlp_transfer.recipe.base import Fault
from nlp_transfer.recipe.familiar import FAMILIAR, is_key
from nlp_transfer.recipe.json_schema import RecipeSchema
from nlp_transfer.recipe.transformers_source import choices, definitions

_SOURCES = ("training_args.py", "trainer_utils.py", "debug_utils.py")
_BELOW_ZERO = ("max_steps", "local_rank")  # where -1 stands for none
_LEVELS = ("log_level", "log_level_replica")
_Level = Literal["debug", "info", "warning", "error", "critical", "passive"]
_SHARES = ("adam_beta1", "adam_beta2", "label_smoothing_factor")
_LARGEST = 10**9
_STRICT = ConfigDict(strict=True, allow_inf_nan=False)


def argument_faults(arguments: Mapping[str, Any]) -> Iterator[Fault]:
    """Find what a run could not take, or would not read.

    That is: names that TrainingArguments has not, what a recipe key of ours or the run folder
    decides, what nothing here reads, and values of the wrong type.
    """
    known = argument_types()
    for name, value in arguments.items():
        if name in FAMILIAR:
            yield Fault(name, f"it cannot be set: {_advice(FAMILIAR[name])}")
        elif name not in known:
            yield Fault(name, f"transformers.TrainingArguments has no such argument.{_hint(name)}")
        elif problem := _value_problem(name, value):
            yield Fault(name, problem)
    evaluated, saved = (arguments.get(f"{when}_strategy", "epoch") for when in ("eval", "save"))
    if evaluated != saved and saved != "best" and {evaluated, saved} <= {"no", "steps", "epoch"}:
        both = f"it is {evaluated!r}, save_strategy is {saved!r}"
        yield Fault("eval_strategy", f"{both}; the best checkpoint is kept, so set both alike")
    yield from _unread_steps(arguments)


def _unread_steps(arguments: Mapping[str, Any]) -> Iterator[Fault]:
    """Find numbers of steps after which nothing happens, as it does so after epochs."""
    for name, also in (("eval", " and save_strategy=steps"), ("save", " and eval_strategy=steps")):
        if f"{name}_steps" in arguments and arguments.get(f"{name}_strategy", "epoch") != "steps":
            problem = f"it is read only with {name}_strategy=steps; set {name}_strategy=steps{also}"
            yield Fault(f"{name}_steps", problem)
    evaluated = arguments.get("eval_steps", arguments.get("logging_steps", 10))
    saved = arguments.get("save_steps", 500)
    both = arguments.get("eval_strategy") == arguments.get("save_strategy") == "steps"
    if both and isinstance(evaluated, int) and isinstance(saved, int) and saved % (evaluated or 1):
        problem = f"it is {saved}, the model is evaluated every {evaluated} steps; the best "
        yield Fault("save_steps", f"{problem}checkpoint is kept, so make it a multiple of that")


def _hint(name: str) -> str:
    """Name the nearest arguments, or what stands here for them."""
    near = closest(name, {*argument_types(), *FAMILIAR})
    if near and near[0] in FAMILIAR:
        return f" Did you mean {near[0]!r}? It cannot be set: {_advice(FAMILIAR[near[0]])}"
    return nearest(name, argument_types().keys() - FAMILIAR.keys())


def _advice(ours: str) -> str:
    return f"use {ours}" if is_key(ours) or ours.startswith("--") else ours


def _value_problem(name: str, value: object) -> str:
    kind: Any = _Level if name in _LEVELS else argument_types()[name]
    adapter = TypeAdapter(kind, config=_STRICT)
    try:
        adapter.validate_python(value)
    except ValidationError:
        allowed = RecipeSchema({}).allowed(adapter.json_schema())
        return f"must be {allowed}, found {value!r:.60}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if value == -1 and name in _BELOW_ZERO:
        return ""
    if name in _SHARES:
        return "" if 0 <= value < 1 else f"must be a number from 0 below 1, found {value!r:.60}"
    counts_steps = name.endswith("_steps")
    if 0 <= value <= _LARGEST and (value or not counts_steps):
        return ""
    least = "above 0 up" if counts_steps else "from 0"
    return f"must be a number {least} to {_LARGEST}, found {value!r:.60}"


@cache
def argument_types() -> dict[str, Any]:
    """Read the fields of TrainingArguments and their types; Any where a type is not plain."""
    known = {name: node for file in _SOURCES for name, node in definitions(file).items()}
    arguments = known["TrainingArguments"]
    return {
        node.target.id: _type(node.annotation, known)
        for node in (arguments.body if isinstance(arguments, ast.ClassDef) else ())
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and not node.target.id.startswith("_")
    }


_PLAIN: Mapping[str, Any] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "dict": dict[str, Any],
    "dict[str, Any]": dict[str, Any],
    "list[str]": list[str],
    "None": None,
}


def _type(annotation: ast.expr, known: Mapping[str, ast.stmt]) -> Any:
    """Turn an annotation into a type; an enumeration is the choice of its values."""
    parts = [ast.unparse(part) for part in _members(annotation)]
    values = [value for part in parts if part in known for value in choices(known[part]).values()]
    if values:
        return Literal[tuple(values)]
    kinds = tuple(_PLAIN.get(part, Any) for part in parts)
    return Any if Any in kinds else Union[kinds]  # noqa: UP007


def _members(annotation: ast.expr) -> Iterator[ast.expr]:
    if isinstance(annotation, ast.BinOp):
        yield from _members(annotation.left)
        yield from _members(annotation.right)
    else:
        yield annotation
