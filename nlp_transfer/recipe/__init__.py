"""Recipes: YAML and overrides in, typed and checked sections out."""

from nlp_transfer.recipe.base import LabelNames, Section
from nlp_transfer.recipe.data_section import Column, DataSection, WordRule
from nlp_transfer.recipe.paths import Checkpoint, File, Source
from nlp_transfer.recipe.recipe import Recipe
from nlp_transfer.recipe.sections import (
    EvaluationSection,
    ModelSection,
    PublishSection,
)
from nlp_transfer.recipe.training_section import PretrainingSection, Schedule, TrainingSection

__all__ = [
    "Checkpoint",
    "Column",
    "DataSection",
    "EvaluationSection",
    "File",
    "LabelNames",
    "ModelSection",
    "PretrainingSection",
    "PublishSection",
    "Recipe",
    "Schedule",
    "Section",
    "Source",
    "TrainingSection",
    "WordRule",
]
