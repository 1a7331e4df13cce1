"""A recipe and its report in, a model card with a valid model-index out."""

from __future__ import annotations

from collections.abc import Sequence

from huggingface_hub import EvalResult, ModelCard, ModelCardData
from markupsafe import Markup

from nlp_transfer.metrics.figures import Headline
from nlp_transfer.publish.names import is_local, short_name
from nlp_transfer.publish.provenance import Provenance
from nlp_transfer.publish.use import Use, hub_base, use_part
from nlp_transfer.recipe.paths import is_module_reference
from nlp_transfer.report.escaping import markdown_templates
from nlp_transfer.report.report import Report
from nlp_transfer.report.tables import shown_splits, training_table
from nlp_transfer.secrets import without_secrets
from nlp_transfer.strategies.context import TransferRecipe

REPO_PLACEHOLDER = '"REPO"'
"""Stands in the card of a run folder until `publish` knows the repository's name."""

_TEMPLATES = markdown_templates("nlp_transfer.publish")


def card_text(
    recipe: TransferRecipe,
    report: Report,
    labels: Sequence[str],
    provenance: Provenance | None = None,
) -> str:
    """Write the model card: YAML metadata, then what a reader needs to use the model.

    labels:     entity types or class names
    provenance: what the run was made of and with; None: nothing is said of it
    """
    splits = shown_splits(report)
    base = recipe.model.checkpoint
    body = _TEMPLATES.get_template("card.md.jinja").render(
        recipe=recipe,
        base=hub_base(base),
        local_base=None if hub_base(base) else short_name(base),
        data=_data_name(recipe),
        labels=labels,
        splits=splits,
        notes=report.notes,
        training=training_table(report.training or {}),
        use=Markup(use_part(recipe.task, Use(base, _keeps_adapter(recipe)))),
        provenance=provenance,
        task=recipe.task.results.card,
    )
    card = f"---\n{_card_data(recipe, report).to_yaml()}\n---\n\n{body}"
    return str(ModelCard(without_secrets(card)))


def _card_data(recipe: TransferRecipe, report: Report) -> ModelCardData:
    task_type = recipe.task.results.card.pipeline_tag
    on_hub = _is_hub_data(recipe)
    results = [
        EvalResult(
            task_type=task_type,
            dataset_type=_data_name(recipe),
            dataset_name=_data_name(recipe),
            dataset_config=recipe.data.config if on_hub else None,
            dataset_split=split,
            dataset_revision=recipe.data.revision if on_hub else None,
            metric_type=metric,
            metric_name=name,
            metric_value=value,
            metric_args=_interval(of_split.figures.headline, metric),
        )
        for split, of_split in report.splits.items()
        for metric, name, value in of_split.figures.compared()
    ]
    base, adapter = hub_base(recipe.model.checkpoint), _keeps_adapter(recipe)
    return ModelCardData(
        model_name=recipe.name,
        base_model=base,
        base_model_relation=("adapter" if adapter else "finetune") if base else None,
        pipeline_tag=task_type,
        library_name="peft" if adapter else "transformers",
        license=recipe.publish.license,
        language=recipe.publish.language,
        datasets=[recipe.data.source] if on_hub else None,
        metrics=list(dict.fromkeys(result.metric_type for result in results)) or None,
        tags=["nlp_transfer", task_type],
        widget=[{"text": text} for text in recipe.publish.examples] or None,
        eval_results=results or None,
    )


def _interval(headline: Headline, metric: str) -> dict[str, list[float]] | None:
    """Say how sure the headline is; of the other figures no interval is known."""
    return {"ci95": list(headline.interval)} if metric == headline.key else None


def _is_hub_data(recipe: TransferRecipe) -> bool:
    source = recipe.data.source
    return not (source.startswith("samples/") or is_module_reference(source) or is_local(source))


def _data_name(recipe: TransferRecipe) -> str:
    """Name the data so that it means the same on every machine."""
    source = recipe.data.source
    if source.startswith("samples/") or is_module_reference(source) or not is_local(source):
        return source
    return short_name(source)


def _keeps_adapter(recipe: TransferRecipe) -> bool:
    return any(strategy.keeps_adapter for strategy in recipe.strategies)
