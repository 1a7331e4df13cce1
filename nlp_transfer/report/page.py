"""A page as a value: what stands on it, in order. `pages` writes it as Markdown or HTML."""

from __future__ import annotations

from dataclasses import dataclass

from nlp_transfer.shown import Block


@dataclass(frozen=True)
class Section:
    """Blocks under one title."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Page:
    """What is shown of a run, of a comparison or of a study."""

    title: str
    headlines: tuple[str, ...]
    """The figures that count, each with its interval."""
    summary: str
    """One paragraph in words: what was found, and what it rests on."""
    cautions: tuple[str, ...]
    """Why a figure may say less than it seems to."""
    sections: tuple[Section, ...]
