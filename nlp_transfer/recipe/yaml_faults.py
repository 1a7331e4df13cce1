"""What PyYAML says of a text in, what its writer can do about it out."""

from __future__ import annotations

import re

import yaml

from nlp_transfer.errors import UserError

_IN_OUR_WORDS = (
    (r"found character '\\t'", "a tab; indent with blanks"),
    (r"found character '\\?(.)'", "text that begins with {0} must stand in quotes"),
    (
        "mapping values are not allowed",
        "a second ': ' in a line; put a text that holds it in quotes",
    ),
    ("could not find expected ':'", "a key without its ': '"),
    (
        "found unknown escape character",
        "a backslash in \"...\" begins an escape; write '...' instead, and / in paths",
    ),
    ("found unexpected end of stream", "a quote that is not closed"),
    ("but found another document", "a second document (---); a recipe is one"),
    (
        "found undefined alias",
        "an alias (*) of which no anchor (&) stands above it; put a text that begins with * in "
        "quotes",
    ),
    (r"expected ',' or '([]}}])', but got", "a bracket that no {0} closes"),
    (
        r"expected the node content, but found '<stream end>'",
        "a bracket that is not closed; where an override holds blanks, put all of it in quotes: "
        "'key=[a, b]'",
    ),
    (
        r"expected the node content, but found '(.)'",
        "a value is missing before {0}; text that begins with it must stand in quotes",
    ),
    (
        "expected alphabetic or numeric character",
        "text that begins with * or & must stand in quotes",
    ),
    (
        "expected '<document start>'",
        "more stands behind a closed bracket or quote; put the whole text in quotes",
    ),
    (
        "expected chomping or indentation indicators",
        "text that begins with | or > must stand in quotes",
    ),
    (
        "expected <block end>, but found",
        "this line does not fit those above it; indent the keys of a section alike",
    ),
    ("second occurrence", "an anchor (&) that stands twice"),
)
"""What PyYAML says, and what the user can do."""


def refusal(error: yaml.YAMLError, where: str) -> UserError:
    """Say where a text is not YAML, and why."""
    mark = getattr(error, "problem_mark", None)
    place = f"{where}:{mark.line + 1}:{mark.column + 1}" if mark else where
    problem = str(getattr(error, "problem", None) or error)
    if mark and problem.startswith("mapping values") and _is_first_pair(mark):
        problem = "the line above lacks its ': ' (key: value), or this one is indented too far"
    for pattern, words in _IN_OUR_WORDS:
        if found := re.search(pattern, problem):
            problem = words.format(*found.groups())
            break
    return UserError(f"{place}: this is not valid YAML: {problem}.")


def _is_first_pair(mark: yaml.Mark) -> bool:
    """Tell whether a line has no ': ' before the one that PyYAML stumbles over."""
    before = (mark.buffer or "")[: mark.pointer].rpartition("\n")
    return bool(before[1]) and ": " not in before[2]


def odd_character(error: yaml.reader.ReaderError, text: str, where: str) -> UserError:
    """Say where a text has a control character."""
    line = text.count("\n", 0, error.position) + 1
    code = error.character if isinstance(error.character, int) else ord(error.character)
    hint = "Is the file UTF-16? Save it as UTF-8." if code == 0 else "Delete it."
    return UserError(
        f"{where}:{line}: this is not valid YAML: the character U+{code:04X} may not stand in it. "
        f"{hint}"
    )
