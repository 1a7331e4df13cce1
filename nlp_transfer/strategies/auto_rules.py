"""What the table of `strategies: auto` is made of: facts, cases, rules; and how it is read."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, TypeAdapter, ValidationError

from nlp_transfer.strategies.base import Strategy

Labelled = Literal["texts", "words"]
_Count = Annotated[int, Field(ge=0, le=10**12)]


@dataclass(frozen=True)
class Facts:
    """What is known of data and checkpoint before a run."""

    labelled: Labelled
    """What bears the labels of the task."""
    examples: Annotated[_Count, Field(ge=1)]
    """Of train."""
    labels: _Count
    """Types or classes."""
    pieces: _Count
    """What the tokenizer makes of train, padding not counted; from a sample of its examples."""
    validation: _Count
    """Examples of the validation split."""
    parameters: _Count
    """Of the checkpoint's encoder."""
    layers: _Count
    """Of the encoder, with weights of their own: those of ALBERT are one."""
    fine_tuned: bool
    """Whether the checkpoint is a model of the same task already."""
    shared_labels: bool
    """Whether such a model has labels of the data."""
    unlabelled: bool
    """Whether there are texts without labels (data.unlabelled)."""

    @property
    def examples_per_label(self) -> float:
        """Examples to learn from for each type or class."""
        return self.examples / max(1, self.labels)

    @property
    def validation_share(self) -> float:
        """Examples to validate on for each to learn from."""
        return self.validation / self.examples

    def as_dict(self) -> dict[str, Any]:
        """Return what data.json of a run holds."""
        return asdict(self)

    @classmethod
    def read(cls, said: object) -> Facts | None:
        """Read what `as_dict` wrote; None: it is of another version, or nothing."""
        if not isinstance(said, dict) or said.keys() != {one.name for one in fields(cls)}:
            return None
        try:
            return TypeAdapter(Facts).validate_json(json.dumps(said), strict=True)
        except ValidationError:
            return None


@dataclass(frozen=True)
class Between:
    """A range of numbers: from the least to below another."""

    least: float = 0
    below: float = math.inf


Wanted = Between | bool | str
"""A range of numbers, or the fact itself."""


@dataclass(frozen=True)
class Case:
    """The facts for which a rule is; what is None may be anything."""

    labelled: Labelled | None = None
    examples: Between | None = None
    examples_per_label: Between | None = None
    parameters: Between | None = None
    layers: Between | None = None
    validation_share: Between | None = None
    fine_tuned: bool | None = None
    shared_labels: bool | None = None
    unlabelled: bool | None = None

    def wanted(self) -> list[tuple[str, Wanted]]:
        """List what facts it is for, by name."""
        named = [(one.name, getattr(self, one.name)) for one in fields(self)]
        return [(name, wanted) for name, wanted in named if wanted is not None]

    def holds(self, facts: Facts) -> bool:
        """Tell whether facts are so."""
        return all(_fits(getattr(facts, name), wanted) for name, wanted in self.wanted())


def _fits(fact: float | str, wanted: Wanted) -> bool:
    if isinstance(wanted, Between):
        return wanted.least <= float(fact) < wanted.below
    return fact == wanted


@dataclass(frozen=True)
class Rule:
    """What to do in a case."""

    decides: str
    """What it is one of several rules for."""
    case: Case
    reason: str
    """What was measured."""
    strategies: tuple[Strategy, ...] = ()
    training: Mapping[str, JsonValue] = field(default_factory=dict)
    """Values of keys of the training section."""
    least_steps: int = 0
    """Epochs are raised to give a run so many steps..."""
    most_epochs: int = 0
    """...but not above so many."""
    most_evaluations: int = 0
    """Of a run that has more epochs."""


_RHYTHM = {
    "eval_strategy", "eval_steps", "save_strategy", "save_steps", "max_steps",
    "load_best_model_at_end",
}  # fmt: skip
"""Arguments by which a recipe says itself when it is evaluated."""


@dataclass(frozen=True)
class Choice:
    """What the table says of facts."""

    strategies: tuple[Strategy, ...]
    training: Mapping[str, JsonValue]
    """Values of keys of the training section."""


def first_that_hold(rules: Iterable[Rule], facts: Facts, given: Mapping[str, JsonValue]) -> Choice:
    """Put together what rules say, of those that decide the same the first.

    given: keys of the training section that a recipe says itself: epochs and evaluations are
           counted with them
    """
    held: dict[str, Rule] = {}
    for rule in rules:
        if rule.case.holds(facts):
            held.setdefault(rule.decides, rule)
    training = {key: value for rule in held.values() for key, value in rule.training.items()}
    for rule in held.values():
        training |= _raised(rule, facts, {**training, **given})
    for rule in held.values():
        training |= _less_often(rule, {**training, **given})
    if _arguments(given).get("eval_strategy") == "no":
        training.pop("early_stopping", None)  # it waits for evaluations
    return Choice(tuple(one for rule in held.values() for one in rule.strategies), training)


def _raised(rule: Rule, facts: Facts, training: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    """Raise the epochs to the steps of a rule."""
    epochs, tokens = (float(str(training[key])) for key in ("epochs", "tokens_per_batch"))
    wanted = math.ceil(rule.least_steps / max(1.0, facts.pieces / tokens))
    return {"epochs": max(epochs, min(wanted, rule.most_epochs))}


def _less_often(rule: Rule, training: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    """Evaluate by shares of a run, where it has more epochs than a rule lets it be evaluated."""
    said = _arguments(training)
    if not 0 < rule.most_evaluations < float(str(training["epochs"])) or said.keys() & _RHYTHM:
        return {}
    share = round(1 / rule.most_evaluations, 4)
    steps: dict[str, JsonValue] = {"eval_strategy": "steps", "eval_steps": share}
    return {"arguments": {**said, **steps, "save_strategy": "steps", "save_steps": share}}


def _arguments(training: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    said = training.get("arguments") or {}
    assert isinstance(said, dict)
    return said
