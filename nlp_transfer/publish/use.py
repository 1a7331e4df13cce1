"""How a published model is used in, that part of its card out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from markupsafe import Markup

from nlp_transfer.models.checkpoint import EMBEDDED, EMBEDDED_HUB_ID
from nlp_transfer.publish.names import is_local, short_name
from nlp_transfer.report.escaping import markdown_templates
from nlp_transfer.tasks.base import Task

_BEGIN, _END = "<!-- how to use it, as nlpt publish writes it -->", "<!-- end of how to use it -->"
_TEMPLATES = markdown_templates("nlp_transfer.publish")


@dataclass(frozen=True)
class StockFigure:
    """The headline of a model that is used without nlp_transfer, on raw text."""

    figure: str
    """What people call it: "entity F1"."""
    value: float
    own: float
    """The figure of nlp_transfer on the same examples."""
    split: str
    examples: int
    of: int
    """How many the split has."""


@dataclass(frozen=True)
class Use:
    """What there is to use."""

    checkpoint: str
    """What it was fine-tuned from, as the recipe names it."""
    adapter: bool
    """Whether it is one, and no whole model."""
    plain: bool = False
    """Whether the model of an adapter has the layers of its base and no other, so that peft makes
    it of that by itself."""
    onnx: bool = False
    """Whether an ONNX model is there too."""
    stock: StockFigure | None = None
    """What transformers' own pipeline makes of it, where that was measured."""


def use_part(task: Task, use: Use) -> str:
    """Write how a model is used: with transformers, peft and nlp_transfer."""
    base = hub_base(use.checkpoint)
    arguments = {} if task.stock is None else task.stock.arguments
    written = "".join(f", {key}={_literal(value)}" for key, value in arguments.items())
    return (
        _TEMPLATES.get_template("use.md.jinja")
        .render(
            begin=Markup(_BEGIN),
            end=Markup(_END),
            task=task.results.card,
            base=base,
            local_base=None if base else short_name(use.checkpoint),
            adapter=use.adapter,
            plain=use.plain,
            onnx=use.onnx,
            stock=use.stock,
            has_pipeline=task.stock is not None,
            arguments=written,
        )
        .rstrip("\n")
    )


def with_use(card: str, task: Task, use: Use) -> str:
    """Put the part anew into a card, which its owner may have edited: where it was, if it is."""
    part = re.escape(_BEGIN) + ".*?" + re.escape(_END)
    return re.sub(part, lambda _: use_part(task, use), card, count=1, flags=re.DOTALL)


def hub_base(checkpoint: str) -> str | None:
    """Return the Hub id of a base model, or None for a local one."""
    if checkpoint == EMBEDDED:
        return EMBEDDED_HUB_ID
    return None if is_local(checkpoint) else checkpoint


def _literal(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)
