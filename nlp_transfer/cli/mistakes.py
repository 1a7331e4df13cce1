"""A command line that cannot be read in, how it is written out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from nlp_transfer.errors import nearest
from nlp_transfer.recipe.familiar import FAMILIAR, is_key

_COMMANDS = {
    "train": "finetune",
    "fit": "finetune",
    "run": "finetune",
    "fine-tune": "finetune",
    "tune": "finetune",
    "sweep": "study",
    "search": "study",
    "hpo": "study",
    "grid": "study",
    "eval": "evaluate",
    "test": "evaluate",
    "score": "evaluate",
    "infer": "predict",
    "tag": "predict",
    "check": "inspect",
    "doctor": "inspect",
    "debug": "inspect",
    "tokenize": "prepare",
    "push": "publish",
    "upload": "publish",
    "validate": "recipes validate",
    "list": "recipes list",
    "show": "recipes show",
    "init": "recipes copy",
}
"""What other tools call our commands."""
_WITH_KEYS = ("finetune", "study", "prepare", "pretrain", "recipes")
"""Commands that take KEY=VALUE; others would take it for a file."""


def unknown_command(name: str, known: Iterable[str]) -> str:
    """Say which command was meant."""
    meant = _COMMANDS.get(name.lower())
    hint = f" Did you mean 'nlpt {meant}'?" if meant else nearest(name, known)
    return f"nlpt has no command {name!r}.{hint} `nlpt --help` lists them."


def unknown_option(arguments: Sequence[str]) -> str | None:
    """Say how a recipe key is written that was given with dashes; None if there is none.

    arguments: the command, which must be one that takes recipe keys, and what follows it
    """
    for argument in arguments[1:] if arguments[0] in _WITH_KEYS else ():
        dashes, key, equals, value = _parts(argument)
        if dashes and "." in key:
            written = f"{key}={value}" if equals else f"{key}=VALUE"
            return f"{argument}: recipe keys are written without dashes: {written}"
        ours = FAMILIAR.get(key.replace("-", "_").lower()) if dashes else None
        if ours:
            right = f"{ours}=VALUE, without dashes" if is_key(ours) else ours
            return f"{argument}: there is no such option. Here: {right}"
    return None


def missing_recipe(command: str, arguments: Sequence[str]) -> str | None:
    """Say how a recipe is named, where one stands without its option."""
    words = [word for word in arguments if "=" not in word and not word.startswith("-")]
    if not words:
        return None
    return f"The recipe is named with --recipe: nlpt {command} --recipe {words[0]}"


def _parts(argument: str) -> tuple[str, str, str, str]:
    found = re.fullmatch(r"(-+)([\w.-]+)(=?)(.*)", argument, re.DOTALL)
    return (found[1], found[2], found[3], found[4]) if found else ("", "", "", "")
