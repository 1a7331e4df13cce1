"""Anyone's text in, Markdown and HTML that show it as it is out: never a table, a tag or a link.

Every value that a template prints is escaped; what is markup says so by `code` or `safe`.
"""

from __future__ import annotations

import re

from jinja2 import ChoiceLoader, Environment, PackageLoader
from markupsafe import Markup, escape

# Control characters, those that turn the direction of the text that follows, and halves of
# characters, which no file can hold.
_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# An underscore inside a word, as in B-work_of_art, is one to every Markdown reader.
_SPECIAL = re.compile(r"[\\`*\[\]|~]|(?<![^\W_])_|_(?![^\W_])")
_OPENS_BLOCK = re.compile(
    r"^(?:(\d{1,9})(?=[.)](?:\s|$))|(?=#{1,6}(?:\s|$)|[-+](?:\s|$)|>|-{2,}|=))"
)
_PART = re.compile(r"[_/](?=\w)")
_NOT_IN_CODE = re.compile(r"[`<&]")


def visible(text: object) -> str:
    """Spell out characters that would change how the text around them looks."""
    return _INVISIBLE.sub(lambda c: c[0].encode("unicode_escape").decode("ascii"), str(text))


def plain(text: object) -> str:
    """Write a text as Markdown that shows just it, on one line, in a table too."""
    line = visible(" ".join(str(text).split()))
    escaped = _SPECIAL.sub(r"\\\g<0>", line).replace("&", "&amp;").replace("<", "&lt;")
    return _OPENS_BLOCK.sub(r"\g<1>\\", escaped)


def code(text: object) -> Markup:
    """Write a text as Markdown code; where backticks cannot hold it, as HTML's."""
    line = visible(" ".join(str(text).split()))
    if not line or _NOT_IN_CODE.search(line):
        return Markup(f"<code>{plain(line)}</code>")
    return Markup(f"`{line}`")


def breakable(text: object) -> Markup:
    """Write a text as HTML that may go on in the next line after the parts of a long name."""
    return Markup(_PART.sub(r"\g<0><wbr>", str(escape(visible(text)))))


def markdown_templates(package: str) -> Environment:
    """Return the Markdown templates of a package, beside those of reports.

    They escape whatever they print.
    """
    templates = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("nlp_transfer.report")]),
        finalize=lambda value: value if isinstance(value, Markup) else plain(value),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters["code"] = code
    return templates


def html_templates(package: str) -> Environment:
    """Return the HTML templates of a package; they escape whatever they print."""
    templates = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        finalize=lambda value: value if isinstance(value, Markup) else visible(value),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters["breakable"] = breakable
    return templates
