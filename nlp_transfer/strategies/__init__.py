"""The ways of transferring; adding one is one file and one line in the union below."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from nlp_transfer.recipe.base import by_name
from nlp_transfer.strategies.augmentation import Augmentation
from nlp_transfer.strategies.auto import Auto
from nlp_transfer.strategies.average_checkpoints import AverageCheckpoints
from nlp_transfer.strategies.contrastive import Contrastive
from nlp_transfer.strategies.distillation import Distillation
from nlp_transfer.strategies.fgm import Fgm
from nlp_transfer.strategies.frozen import Frozen
from nlp_transfer.strategies.full import Full
from nlp_transfer.strategies.gazetteer import Gazetteer
from nlp_transfer.strategies.gradual_unfreezing import GradualUnfreezing
from nlp_transfer.strategies.ia3 import Ia3
from nlp_transfer.strategies.intermediate_task import IntermediateTask
from nlp_transfer.strategies.interpolate import Interpolate
from nlp_transfer.strategies.l2_sp import L2Sp
from nlp_transfer.strategies.label_examples import LabelExamples
from nlp_transfer.strategies.label_names import LabelNames
from nlp_transfer.strategies.layerwise_lr import LayerwiseLr
from nlp_transfer.strategies.linear_probe import LinearProbe
from nlp_transfer.strategies.lora import Lora
from nlp_transfer.strategies.multi_task import MultiTask
from nlp_transfer.strategies.penalty import Penalty
from nlp_transfer.strategies.prompt import Prompt
from nlp_transfer.strategies.pseudo_labels import PseudoLabels
from nlp_transfer.strategies.r_drop import RDrop
from nlp_transfer.strategies.reinit import Reinit

_Section = Annotated[
    Augmentation
    | Auto
    | AverageCheckpoints
    | Contrastive
    | Distillation
    | Fgm
    | Frozen
    | Full
    | Gazetteer
    | GradualUnfreezing
    | Ia3
    | IntermediateTask
    | Interpolate
    | L2Sp
    | LabelExamples
    | LayerwiseLr
    | LabelNames
    | LinearProbe
    | Lora
    | MultiTask
    | Penalty
    | Prompt
    | PseudoLabels
    | RDrop
    | Reinit,
    Field(discriminator="name"),
]
AnyStrategy = Annotated[_Section, BeforeValidator(by_name, json_schema_input_type=_Section | str)]
