"""Text in, the same without access tokens and passwords out: for what is kept or published."""

from __future__ import annotations

import re
from typing import Any

_MASK = "***"

# What the services themselves put before their tokens; the group is kept.
_KNOWN = (
    r"(hf_)\w{%d,}", r"(gh[pousr]_)\w{%d,}", r"(github_pat_)\w{%d,}", r"(glpat-)[\w-]{%d,}",
    r"(sk-)[\w-]{%d,}", r"(xox[a-z]-)[\w-]{%d,}", r"(npm_)\w{%d,}", r"(pypi-)[\w-]{%d,}",
    r"(A[KS]IA)[A-Z0-9]{%d,}", r"(AIza)[\w-]{%d,}", r"(eyJ)[\w-]{%d,}(?:\.[\w-]+){1,2}",
)  # fmt: skip
_LENIENT, _STRICT = (
    re.compile("|".join(rf"(?<![A-Za-z0-9]){known % least}" for known in _KNOWN))
    for least in (8, 20)
)
# https://user:password@host; what stands alone there is a token more often than a name.
_LOGIN = re.compile(r"(?<=://)[^\s/?#@'\"]*(?:@[^\s/?#@'\"]*)*@(?=[^\s/@])")
_BEARER = re.compile(r"\b(bearer\s+)[\w.~+/=-]{6,}", re.IGNORECASE)
_NAME = (
    r"(?:[\w.-]*[._-])?(?:api[_-]?key|access[_-]?key|key|token|password|passwd|passphrase|pwd|pw"
    r"|secret|credentials?|signature|sig|authorization)"
)
_SPECIAL = r"(?:pad|unk|cls|sep|mask|bos|eos|special|image)_token"  # of tokenizers: no secrets
_NAMED = re.compile(
    rf"(?<![\w.-])(?!(?:[\w.-]*\.)?{_SPECIAL}\b)({_NAME})([\"']?\s*[=:]\s*)"
    r"(?:\"[^\"]*\"|'[^']*'|(?:(?:basic|bearer)\s+)?[^\s&,;'\"\]})]+)",
    re.IGNORECASE,
)
_WHOLE = re.compile(rf"(?!(?:[\w.-]*\.)?{_SPECIAL}=)((?:--?)?{_NAME}=)(?![\[{{]).+", re.I | re.S)
_OPTION = re.compile(rf"--?{_NAME}", re.IGNORECASE)


def mask_secrets(text: str) -> str:
    """Mask tokens, keys and passwords, by their form or by the name before them."""
    named = _NAMED.sub(rf"\1\2{_MASK}", _masked(text, _LENIENT))
    return _BEARER.sub(rf"\1{_MASK}", named)


def mask_command_line(arguments: list[str]) -> list[str]:
    """Mask secrets in a command line; the argument after --token is one too."""
    masked = []
    for before, argument in zip(["", *arguments], arguments, strict=False):
        if _OPTION.fullmatch(before) and not argument.startswith("--"):
            masked.append(_MASK)
        elif named := _WHOLE.fullmatch(argument):  # the value may hold blanks
            masked.append(f"{named[1]}{_MASK}")
        else:
            masked.append(mask_secrets(argument))
    return masked


def without_secrets(value: object) -> Any:
    """Mask what is surely a secret in the strings of a recipe, which must stay as it is else."""
    if isinstance(value, dict):
        return {key: without_secrets(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_secrets(item) for item in value]
    return _masked(value, _STRICT) if isinstance(value, str) else value


def _masked(text: str, known: re.Pattern[str]) -> str:
    return _LOGIN.sub(f"{_MASK}@", known.sub(_prefix, text))


def _prefix(token: re.Match[str]) -> str:
    return f"{token[token.lastindex or 0]}{_MASK}"
