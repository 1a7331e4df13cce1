"""Raw text in, words with their character offsets out."""

from __future__ import annotations

import re
from typing import NamedTuple

# One alternative a line, the longest meaning first.
_WORD = re.compile(
    r"""
      https?://\S+ | [\w.+-]+@[\w-]+\.[\w.]+      # addresses
    | [@\#]\w+                                    # handles and hashtags
    | (?:[^\W\d_]\.){2,}(?:-\w+)*                # U.S.  J.R.R.  U.S.-led
    | (?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|Col|Gen|Sgt|Capt|Lt|Rev|Inc|Ltd|Co|Corp|vs)\.
    | [^\W\d_]\.(?=\s+[^\W\d_])                   # an initial: J. Smith
    | \d+(?:[.,:/-]\d+)*(?:%|\w+)?(?:-\w+)*       # 2-1  7.30am  3.5%  19-day
    | ['’]s(?!\w)                                 # the possessive is a word of its own
    | \w+(?:[-./&]\w+|['’](?!s(?!\w))\w+)*
    | \.\.\. | -- | [^\w\s]
    """,
    re.VERBOSE | re.UNICODE,
)


class Word(NamedTuple):
    """A word and where it stands: offsets in Unicode code points, the end exclusive."""

    text: str
    start: int
    end: int


def split_words(text: str) -> list[Word]:
    """Split a text at blanks and punctuation, as CoNLL-like corpora do.

    Every character that is not white space belongs to exactly one word.
    """
    return [Word(match[0], match.start(), match.end()) for match in _WORD.finditer(text)]
