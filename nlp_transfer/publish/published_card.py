"""The card of a run, as its owner left it, in; that of the repository out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from huggingface_hub import EvalResult, ModelCard, ModelCardData
from yaml import YAMLError

from nlp_transfer.errors import UserError
from nlp_transfer.publish.card import REPO_PLACEHOLDER
from nlp_transfer.publish.use import StockFigure, Use, with_use
from nlp_transfer.tasks.base import Task


def published_card(file: Path, repo: str, task: Task, use: Use) -> bytes:
    """Say in a card how the model is used that is published, and what it reaches so.

    file: README.md of the run
    repo: "owner/name"
    """
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: this is not UTF-8 ({error.reason}). Save it as UTF-8.") from None
    text = _with_metadata(with_use(text, task, use), use)
    return text.replace(REPO_PLACEHOLDER, f'"{repo}"').encode()


def _with_metadata(text: str, use: Use) -> str:
    """Say in the metadata what kind of model it is, and what transformers' pipeline reaches."""
    try:
        card = ModelCard(text)
    except (ValueError, YAMLError):  # edited: the Hub will say what is wrong with it
        return text
    data = card.data
    assert isinstance(data, ModelCardData)
    data.library_name = "peft" if use.adapter else "transformers"
    if data.base_model:
        data["base_model_relation"] = "adapter" if use.adapter else "finetune"
    if use.stock is not None:
        own = data.eval_results or []
        data.eval_results = [*own, *_by_pipeline(own, use.stock)] or None
    return str(card)


def _by_pipeline(own: Sequence[EvalResult], stock: StockFigure) -> Iterator[EvalResult]:
    for one in own:
        if one.metric_type == "f1" and one.dataset_split == stock.split:
            name = f"{one.metric_name}, by transformers' pipeline on raw text"
            yield replace(one, metric_name=name, metric_value=stock.value, metric_args=None)
