"""A recipe and its report in, a model card with a valid model-index out."""

from __future__ import annotations

from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData
from jinja2 import Environment, PackageLoader

from nlp_transfer.checkpoint import EMBEDDED, EMBEDDED_HUB_ID
from nlp_transfer.recipe import Recipe
from nlp_transfer.records import Report
from nlp_transfer.report.tables import headline, split_tables

_TEMPLATES = Environment(
    loader=PackageLoader("nlp_transfer.publish", "templates"), trim_blocks=True, lstrip_blocks=True
)
_TEMPLATES.filters["cell"] = lambda text: str(text).replace("|", "\\|")


def card_text(recipe: Recipe[Any, Any], report: Report) -> str:
    """Write the model card: YAML metadata, then what a reader needs to use the model."""
    metrics: Any = report.metrics
    splits = list(metrics["splits"])
    body = _TEMPLATES.get_template("card.md.jinja").render(
        recipe=recipe,
        base=_base_model(recipe),
        headlines=[headline(metrics, split) for split in splits],
        split=splits[-1] if splits else None,
        tables=split_tables(metrics, splits[-1]) if splits else [],
        notes=report.notes,
        training=metrics.get("training", {}),
        adapter=_is_adapter(recipe),
    )
    return str(ModelCard(f"---\n{_card_data(recipe, metrics).to_yaml()}\n---\n\n{body}"))


def _card_data(recipe: Recipe[Any, Any], metrics: dict[str, Any]) -> ModelCardData:
    is_ner = metrics["task"] == "ner"
    task_type = "token-classification" if is_ner else "text-classification"
    results = [
        EvalResult(
            task_type=task_type,
            dataset_type=recipe.data.source,
            dataset_name=recipe.data.source,
            dataset_config=recipe.data.config,
            dataset_split=split,
            dataset_revision=recipe.data.revision,
            metric_type=metric,
            metric_name=name,
            metric_value=value,
        )
        for split, figures in metrics["splits"].items()
        for metric, name, value in _figures(figures)
    ]
    is_hub_data = recipe.data.source.count("/") <= 1 and not recipe.data.source.startswith(
        "samples/"
    )
    return ModelCardData(
        model_name=recipe.name,
        base_model=_base_model(recipe),
        pipeline_tag=task_type,
        library_name="peft" if _is_adapter(recipe) else "transformers",
        license=recipe.publish.license,
        language=recipe.publish.language,
        datasets=[recipe.data.source] if is_hub_data else None,
        tags=["nlp_transfer", task_type],
        eval_results=results or None,
    )


def _figures(figures: dict[str, Any]) -> list[tuple[str, str, float]]:
    if "entity" in figures:
        row = figures["entity"]["overall"]
        return [
            ("precision", "entity precision (strict)", row["precision"]),
            ("recall", "entity recall (strict)", row["recall"]),
            ("f1", "entity F1 (strict)", row["f1"]),
        ]
    table = figures["class"]
    return [("accuracy", "accuracy", table["accuracy"]), ("f1", "macro F1", table["macro"]["f1"])]


def _base_model(recipe: Recipe[Any, Any]) -> str:
    name = recipe.model.checkpoint
    return EMBEDDED_HUB_ID if name == EMBEDDED else name


def _is_adapter(recipe: Recipe[Any, Any]) -> bool:
    """Tell whether model/ of a run of this recipe holds adapters only."""
    return any(getattr(strategy, "merge", True) is False for strategy in recipe.strategies)
