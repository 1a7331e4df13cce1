"""The table of `strategies: auto` in, the page that shows it out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from nlp_transfer.recipe.yaml_reader import write_flow
from nlp_transfer.strategies.auto_rules import Between, Case, Rule
from nlp_transfer.strategies.auto_table import RULES
from nlp_transfer.strategies.resolving import in_powers

_HEAD = """\
# What `strategies: auto` chooses

Of the rules that decide the same, the first whose case holds is taken; a key that the recipe says
stays as it says. [strategies.md](strategies.md#auto) has how to see what it comes to, and how to
change it. Examples are texts where texts are labelled, sentences where words are. This page is made
by `make docs` from `nlp_transfer/strategies/auto_table.py`; `nlpt recipes reference --auto` prints
it for the version that you have.

| decides | where | chosen | measured |
|---|---|---|---|
"""

_NOUNS = {
    "examples": "examples",
    "examples_per_label": "examples for each label",
    "parameters": "parameters",
    "layers": "layers",
    "validation_share": "times as many examples in validation as in train",
}
"""What the numbers of a case count."""
_YES_OR_NO = {
    "fine_tuned": ("a model of the same task", "no model of the same task"),
    "shared_labels": ("with labels of the data", "without labels of the data"),
    "unlabelled": ("`data.unlabelled`", "no `data.unlabelled`"),
}


def auto_page() -> str:
    """Write every rule: what it decides, where, what it says, and what was measured."""
    return _HEAD + "".join(map(_row, RULES))


def _row(rule: Rule) -> str:
    where = ", ".join(_conditions(rule.case)) or "everywhere"
    return f"| {rule.decides} | {where} | {'; '.join(_chosen(rule))} | {rule.reason} |\n"


def _conditions(case: Case) -> Iterator[str]:
    for name, wanted in case.wanted():
        if isinstance(wanted, Between):
            yield f"{_range(wanted)} {_NOUNS[name]}"
        elif isinstance(wanted, bool):
            yield _YES_OR_NO[name][0 if wanted else 1]
        else:
            yield f"labelled {wanted}"


def _range(wanted: Between) -> str:
    least, below = _number(wanted.least), _number(wanted.below)
    if not wanted.least:
        return f"under {below}"
    return f"{least} or more" if math.isinf(wanted.below) else f"{least} to under {below}"


def _number(number: float) -> str:
    return f"{number / 1e6:g} M" if 1e6 <= number < math.inf else f"{number:,g}"


def _chosen(rule: Rule) -> Iterable[str]:
    yield from (f"`{write_flow(strategy.given())}`" for strategy in rule.strategies)
    for key, value in rule.training.items():
        said = in_powers(value) if isinstance(value, float) else write_flow(value)
        yield f"`{key}: {said}`"
    if rule.least_steps:
        yield f"raised to {rule.least_steps} steps, not above {rule.most_epochs} epochs"
    if rule.most_evaluations:
        yield f"{rule.most_evaluations} times a run, where it has more epochs"
