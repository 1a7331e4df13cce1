"""Recipes: YAML and overrides in, typed and checked sections out."""

from nlp_transfer.recipe.sections import (
    Column,
    DataSection,
    EvaluationSection,
    Format,
    ModelSection,
    PretrainingSection,
    PublishSection,
    Recipe,
    Schedule,
    Section,
    TrainingSection,
)

__all__ = [
    "Column",
    "DataSection",
    "EvaluationSection",
    "Format",
    "ModelSection",
    "PretrainingSection",
    "PublishSection",
    "Recipe",
    "Schedule",
    "Section",
    "TrainingSection",
]
