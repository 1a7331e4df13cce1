"""What the config.json of a trained model says in, the names of its outputs out, in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nlp_transfer.errors import UserError, shortened

_WRITE = 'Write it as {"0": "first name", "1": "second name"}, one for each output of the head.'


def output_names(config: Mapping[str, object], where: str) -> list[str]:
    """Read the names of a model's outputs from `id2label`, or from `label2id` where it is alone.

    config: what config.json holds; transformers takes what is not there for two nameless outputs
    where:  the setting that named the model and the file, for error messages
    raises: UserError where there are no names, or not one for each output
    """
    numbered, named = config.get("id2label"), config.get("label2id")
    if not numbered and not named:
        raise UserError(
            f"{where} names no labels, so predictions would mean nothing. Add id2label. {_WRITE}"
        )
    if numbered:
        names = _in_order(_numbered(numbered, where), f"{where}: id2label")
        _check_same(names, named, where)
    else:
        swapped = {number: name for name, number in _mapping(named, f"{where}: label2id").items()}
        names = _in_order(_numbered(swapped, where), f"{where}: label2id")
    if all(name.startswith("LABEL_") for name in names):
        raise UserError(
            f"{where}: the labels have no names (LABEL_0, LABEL_1...), so predictions would mean "
            f"nothing. Write their names under id2label. {_WRITE}"
        )
    return names


def _mapping(value: object, where: str) -> Mapping[Any, Any]:
    if not isinstance(value, dict):
        raise UserError(f"{where} is {value!r:.60}, not a mapping. {_WRITE}")
    return value


def _numbered(value: object, where: str) -> dict[int, str]:
    """Return names by number, or say which entry is no name with its number."""
    names = {}
    for number, name in _mapping(value, f"{where}: id2label").items():
        try:
            names[int(number)] = name
        except (TypeError, ValueError):
            raise UserError(
                f"{where}: {number!r} stands for {name!r} where a number must stand for a name. "
                f"{_WRITE}"
            ) from None
        if not isinstance(name, str) or not name:
            raise UserError(f"{where}: label {number} is {name!r}, not a name. {_WRITE}")
    return names


def _in_order(names: Mapping[int, str], where: str) -> list[str]:
    absent = sorted(set(range(len(names))) - names.keys())
    if absent:
        raise UserError(
            f"{where} has {len(names)} names, for the numbers "
            f"{shortened([str(number) for number in sorted(names)], 12)}: number {absent[0]} is "
            f"missing. {_WRITE}"
        )
    ordered = [names[number] for number in range(len(names))]
    twice = sorted({name for name in ordered if ordered.count(name) > 1})
    if twice:
        raise UserError(
            f"{where} gives {shortened(twice, 5)} to more than one output, so that predictions "
            "could not be told apart. Give each a name of its own."
        )
    return ordered


def _check_same(names: list[str], named: object, where: str) -> None:
    """Refuse a `label2id` of the same names in another order; a stale one is not read."""
    if isinstance(named, dict) and set(named) == set(names):
        for number, name in enumerate(names):
            if str(named[name]) != str(number):
                raise UserError(
                    f"{where} contradicts itself: {name!r} is output {number} by id2label and "
                    f"{named[name]} by label2id. Correct the wrong one, or leave label2id out."
                )
