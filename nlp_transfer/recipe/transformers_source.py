"""What the installed transformers is written like, without importing it: that takes seconds."""

from __future__ import annotations

import ast
import importlib.util
from functools import cache
from pathlib import Path


@cache
def definitions(file: str) -> dict[str, ast.stmt]:
    """Read the classes, functions and values that a module of transformers defines, by name.

    file: such as training_args.py
    """
    spec = importlib.util.find_spec("transformers")  # of a top-level package: imports nothing
    folder = Path(next(iter(spec.submodule_search_locations or ()))) if spec else Path()
    found: dict[str, ast.stmt] = {}
    for node in ast.parse((folder / file).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = node
    return found


def choices(enumeration: ast.stmt) -> dict[str, str]:
    """Return the values of an enumeration of texts, by their names."""
    body = enumeration.body if isinstance(enumeration, ast.ClassDef) else []
    return {
        node.targets[0].id: node.value.value
        for node in body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }
