"""Models in, a Gradio page out on which they are asked."""

from __future__ import annotations

import html
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr

from nlp_transfer.data.formats.results import Result, has_entities, labels_of
from nlp_transfer.errors import UserError
from nlp_transfer.inference.predictor import Predictor
from nlp_transfer.report.escaping import plain, visible
from nlp_transfer.serving.demo.answers import FORMATS, answer_text, predict_file, reads_pairs
from nlp_transfer.serving.demo.limits import (
    FILE_BYTES,
    KEPT_SECONDS,
    LIMITS,
    MOST_QUEUED,
    is_full,
)
from nlp_transfer.serving.models import FIRST_TEXT

_COLORS = ("red", "blue", "green", "yellow", "purple", "teal", "orange", "cyan", "lime", "pink")
_MOST_BARS = 10
_SWEEP_SECONDS = 60
_MESSAGE_SECONDS = 20
_LONGEST_NAME = 200
_FONT = ("system-ui", "sans-serif")
THEME = gr.themes.Default(font=_FONT, font_mono=("ui-monospace", "monospace"))
"""With the reader's own fonts: Gradio's come from elsewhere."""


def make_page(models: Mapping[str, Predictor], reports: Sequence[str], folder: Path) -> gr.Blocks:
    """Make the page: a text in and what each model finds in it, a file in and a file a model out.

    reports: address of each model's report; empty: there is none
    folder:  for the files that visitors get
    """
    title = " and ".join(models)
    with gr.Blocks(
        title=title, analytics_enabled=False, delete_cache=(_SWEEP_SECONDS, KEPT_SECONDS)
    ) as page:
        gr.Markdown(f"# {plain(title)}\n\n{_links(models, reports)}")
        with gr.Tab("Text"):
            _text_side(models)
        with gr.Tab("File"):
            _file_side(models, folder)
    # One at a time: all that is asked shares the models.
    page.queue(max_size=MOST_QUEUED, default_concurrency_limit=1, api_open=False)
    return page


def _links(models: Mapping[str, Predictor], reports: Sequence[str]) -> str:
    links = [
        f"[Report of {plain(name)}]({report})"
        for name, report in zip(models, reports, strict=True)
        if report
    ]
    return " · ".join(links)


def _text_side(models: Mapping[str, Predictor]) -> None:
    text = gr.Textbox(FIRST_TEXT, label="Text", lines=4, max_lines=12)
    pairs = any(map(reads_pairs, models.values()))
    pair = gr.Textbox("", label="Second text", lines=2, max_lines=12, visible=pairs)
    ask = gr.Button("Predict", variant="primary")
    with gr.Row(equal_height=False):
        panels = [_panel(name, model) for name, model in models.items()]

    def answer(text: str, pair: str) -> dict[gr.components.Component, Any]:
        with _said():
            found = [answer_text(model, text, pair, LIMITS) for model in models.values()]
        drawn = zip(panels, models.items(), found, strict=True)
        return {panel: _shown(name, model, result) for panel, (name, model), result in drawn}

    _asked(ask, answer, [text, pair], panels, "text")


def _file_side(models: Mapping[str, Predictor], folder: Path) -> None:
    gr.Markdown(
        f"One text or JSON object a line, or {', '.join(FORMATS[3:])}: at most "
        f"{FILE_BYTES / 1e6:g} MB and {LIMITS.texts:,} texts. Each model answers in a file of its "
        "own, with one JSON object a text, in their order: what `nlpt predict` writes."
    )
    given = gr.File(label="Texts", height=140)
    ask = gr.Button("Predict the file", variant="primary")
    results = gr.File(label="Results", file_count="multiple", interactive=False)

    def answer(file: str | None) -> list[str]:
        with _said():
            if file is None:
                raise UserError("There is no file yet. Choose one first.")
            return list(_predicted(models, Path(file), folder))

    _asked(ask, answer, [given], [results], "file")


def _asked(
    button: gr.Button,
    answer: Callable[..., Any],
    inputs: Sequence[gr.components.Component],
    outputs: Sequence[gr.components.Component],
    name: str,
) -> None:
    button.click(
        answer, inputs, outputs, api_name=name, concurrency_id="models", show_progress="full"
    )


def _predicted(models: Mapping[str, Predictor], file: Path, folder: Path) -> Iterator[str]:
    """Predict a file by each model."""
    if is_full(folder):
        raise UserError("Too many files are kept at the moment. Come again in a while.")
    own = folder / "results"  # Gradio has copied what was written for the visitor before
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir()
    for number, (name, model) in enumerate(models.items(), start=1):
        called = f"{file.stem}.{name}.jsonl".replace("/", "_")
        output = own / (called if len(called.encode()) < _LONGEST_NAME else f"{number}.jsonl")
        predict_file(model, file, output, LIMITS)
        yield str(output)


@contextmanager
def _said() -> Iterator[None]:
    """Show mistakes of a visitor on the page; others are said in the log only."""
    try:
        yield
    except UserError as error:
        shown = html.escape(visible(error))
        raise gr.Error(shown, duration=_MESSAGE_SECONDS, print_exception=False) from None


def _panel(name: str, model: Predictor) -> gr.components.Component:
    """Make what draws a model's answers, by what these hold."""
    keys = model.task.results.keys
    if "scores" in keys:
        return gr.Label(label=name, num_top_classes=_MOST_BARS, show_heading=False, min_width=300)
    if "entities" in keys:
        return gr.HighlightedText(label=name, min_width=300)
    return gr.JSON(label=name, min_width=300)


def _shown(name: str, model: Predictor, result: Result) -> Any:
    """Draw an answer in the panel of its model."""
    if "scores" in result:
        scores = {visible(label): score for label, score in result["scores"].items()}
        of = f", the {_MOST_BARS} likeliest of {len(scores)}" if len(scores) > _MOST_BARS else ""
        labels = ", ".join(map(visible, labels_of(result))) or "no class"
        return gr.Label(scores, label=f"{name}: {labels}{of}")
    if has_entities(result):
        parts, colors = _highlighted(result, _colors_of(model))
        count = len(result["entities"])
        found = f"{count or 'no'} {'entity' if count == 1 else 'entities'}"
        return gr.HighlightedText(parts, color_map=colors, label=f"{name}: {found}")
    return result


def _colors_of(model: Predictor) -> dict[str, str]:
    """Give each type a colour, which models of the same types share."""
    kinds = sorted(set(map(model.task.head.class_of, model.labels)) - {"O"})
    return {kind: _COLORS[i % len(_COLORS)] for i, kind in enumerate(kinds)}


def _highlighted(
    result: Result, colors: Mapping[str, str]
) -> tuple[list[tuple[str, str | None]], dict[str, str]]:
    """Cut a text at its entities: (part, type and score), and the colour of each."""
    text, at = result["text"], 0
    parts: list[tuple[str, str | None]] = []
    of_labels: dict[str, str] = {}
    for entity in result["entities"]:
        label = visible(f"{entity['type']} {entity['score']:.2f}")
        of_labels[label] = colors.get(entity["type"], _COLORS[0])
        parts += [
            (visible(text[at : entity["start"]]), None),
            (visible(text[entity["start"] : entity["end"]]), label),
        ]
        at = entity["end"]
    return [*parts, (visible(text[at:]), None)], of_labels
