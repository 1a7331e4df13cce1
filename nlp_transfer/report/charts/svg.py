"""Attributes and texts in, SVG elements out; and how much room a text takes."""

from __future__ import annotations

import unicodedata

from markupsafe import Markup, escape

from nlp_transfer.report.escaping import visible

TEXT = 12
"""Height of texts in user units, as page.css sets it."""
_LETTER = 0.62
"""Width of a letter beside its height, in the sans-serif fonts of browsers; rather too much."""


def element(tag: str, attributes: dict[str, str | float], *children: str) -> Markup:
    """Write an element; texts among the children are escaped, elements are kept.

    Looks are classes in page.css: a page's policy forbids style attributes.
    """
    written = "".join(f' {name}="{escape(_value(v))}"' for name, v in attributes.items())
    inside = Markup("").join(c if isinstance(c, Markup) else visible(c) for c in children)
    return Markup(f"<{tag}{written}>{inside}</{tag}>" if inside else f"<{tag}{written}/>")


def drawing(
    name: str, *, width: float, height: float, title: str, told: str, inside: list[Markup]
) -> Markup:
    """Write a whole drawing; who cannot see it is told what it shows.

    name: of which ids are made
    told: a sentence
    """
    attributes: dict[str, str | float] = {
        "viewBox": f"0 0 {_value(width)} {_value(height)}",
        "width": width,
        "height": height,
        "role": "img",
        "aria-labelledby": f"{name}-name {name}-desc",
    }
    labels = [
        element("title", {"id": f"{name}-name"}, title),
        element("desc", {"id": f"{name}-desc"}, told),
    ]
    return element("svg", attributes, *labels, *inside)


def text(x: float, y: float, content: str, style: str = "", **attributes: str) -> Markup:
    """Write a text; where it was shortened, the whole appears under the pointer."""
    classes: dict[str, str | float] = {"class": style} if style else {}
    return element("text", {"x": x, "y": y, **classes, **attributes}, content)


def path(points: list[tuple[float, float]]) -> str:
    """Write points as polylines and polygons have them."""
    return " ".join(f"{_value(x)},{_value(y)}" for x, y in points)


def text_width(content: str) -> float:
    """Estimate the width of a text, in user units."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in content)
    return TEXT * (_LETTER * (len(content) - wide) + 1.05 * wide)


def shortened(content: str, width: float) -> str:
    """Cut a text where it would need more room."""
    line = " ".join(visible(content).split())
    if text_width(line) <= width:
        return line
    while line and text_width(line + "…") > width:
        line = line[:-1]
    return line + "…"


def _value(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
