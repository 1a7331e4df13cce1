"""A text or word in, the codes of what is wrong with its characters out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from nlp_transfer.data.visible import is_hidden
from nlp_transfer.doctor.finding import Finding, Severity, Tally, counted

# UTF-8 bytes 80 to BF as they look when read as Latin-1 or Windows-1252.
_TAIL = "[\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]"
_MOJIBAKE = re.compile(f"[ÂÃ]{_TAIL}|â{_TAIL}{{2}}|ð{_TAIL}{{3}}")
_MARKUP = re.compile(
    r"&(?:[a-z]{2,8}|#\d{1,6}|#x[0-9a-f]{1,5});|</?[a-z][a-z0-9]*(?:\s[^<>]*)?/?>", re.IGNORECASE
)
_JOINERS = "\u200c\u200d"  # part of the spelling of Persian, Hindi...
_EMOJI_PARTS = "\ufe0e\ufe0f\u200d"


class Fault(NamedTuple):
    """How a kind of fault is reported."""

    severity: Severity
    message: str
    """What follows "3 words " or "3 texts "."""
    fix: str


FAULTS = {
    "hidden_characters": Fault(
        "warning",
        "with characters that cannot be seen (control, zero-width, byte order mark)",
        "Remove them at their source: they make words different that look alike.",
    ),
    "replacement_character": Fault(
        "warning",
        "with U+FFFD: bytes that could not be decoded",
        "Find the file's true encoding and set data.encoding.",
    ),
    "mojibake": Fault(
        "warning",
        "that look like UTF-8 read in another encoding",
        "Decode them again at their source (Ã© should be é).",
    ),
    "markup": Fault(
        "info",
        "with HTML entities or tags",
        "Unescape them, if what the model will read later has none.",
    ),
}


def faults_found(
    tallies: Mapping[str, Tally], faults: Mapping[str, Fault], split: str, *nouns: str
) -> Iterator[Finding]:
    """Make a finding of each kind of fault that was met.

    nouns: what has them, one, and several where they are not called by an s
    """
    for code, tally in tallies.items():
        if tally.count:
            severity, message, fix = faults[code]
            message = f"{counted(tally.count, *nouns)} {message}"
            yield tally.finding(code, severity, message, fix, split=split)


def faults_of(text: str) -> Iterator[str]:
    """Yield the codes of FAULTS that apply to a text or a word."""
    if not text.isascii():
        if "\ufffd" in text:
            yield "replacement_character"
        if _MOJIBAKE.search(text):
            yield "mojibake"
    if not text.isprintable() or not text.isascii():
        hidden = {c for c in text if is_hidden(c)} - set("\t\n\r")
        if hidden and not _belong(hidden, text):
            yield "hidden_characters"
    if ("&" in text or "<" in text) and _MARKUP.search(text):
        yield "markup"


def says_something(text: str) -> bool:
    """Tell whether a text has a letter, a digit or a picture (an emoji, for one)."""
    return any(c.isalnum() or unicodedata.category(c) == "So" for c in text)


def is_invisible(word: str) -> bool:
    """Tell whether a word leaves no mark at all."""
    return all(map(is_hidden, word))


def _belong(hidden: set[str], text: str) -> bool:
    """Tell whether hidden characters are part of an emoji or of a script's spelling."""
    if hidden <= set(_JOINERS) and any(c.isalpha() and c >= "\u0600" for c in text):
        return True
    emoji = any(unicodedata.category(c) == "So" for c in text)
    return emoji and all(c in _EMOJI_PARTS or c >= "\U000e0020" for c in hidden)
