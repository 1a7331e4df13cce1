"""The table of `strategies: auto`: what a run is to do, by facts of its data and checkpoint.

A rule is a line of data with what was measured; of those that decide the same, the first that holds
is taken. docs/strategies.md shows the table.

The device is no fact: a recipe is to give the same model on all of them. What depends on it is
decided elsewhere and changes no result (`training.precision: auto`, `training.tokens_at_once`).
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from nlp_transfer.strategies.auto_rules import Between, Case, Choice, Facts, Rule, first_that_hold
from nlp_transfer.strategies.frozen import Frozen
from nlp_transfer.strategies.intermediate_task import IntermediateTask
from nlp_transfer.strategies.layerwise_lr import LayerwiseLr
from nlp_transfer.strategies.linear_probe import LinearProbe
from nlp_transfer.strategies.pseudo_labels import PseudoLabels

WEIGHTS = "which weights learn"
HEAD = "how the head starts"
RATE = "how fast"
BATCH = "how much at a time"
EPOCHS = "how long"
STEPS = "how many steps at least"
PATIENCE = "when to stop before"
EVALUATIONS = "how often it is evaluated"
TEXTS = "what is learned beside train"

SMALL = Between(below=50e6)
"""Parameters of a small checkpoint; a base one has 85 M to 180 M."""

RULES: tuple[Rule, ...] = (
    Rule(
        WEIGHTS,
        Case(layers=Between(2)),
        "CrossNER politics 63.6 against 61.0 of the best rate of full, banking77 82.7 against "
        "78.9, WNUT-17 44.8 against 42.9 (samples/minilm, 3 seeds)",
        strategies=(Frozen(layers=1), LayerwiseLr(decay=0.85)),
    ),
    Rule(
        WEIGHTS,
        Case(),
        "layers that share their weights (ALBERT) are frozen together or not at all",
        strategies=(LayerwiseLr(decay=0.85),),
    ),
    Rule(
        HEAD,
        Case("words", fine_tuned=True, shared_labels=True),
        "what a model knows of the same types need not be learned anew",
        strategies=(IntermediateTask(head="matched"),),
    ),
    Rule(
        HEAD,
        Case("texts"),
        "to be measured",
        strategies=(LinearProbe(),),
    ),
    Rule(
        RATE,
        Case("texts", parameters=SMALL),
        "to be measured",
        training={"learning_rate": 1e-4, "head_learning_rate": 1e-3},
    ),
    Rule(
        RATE,
        Case("texts"),
        "to be measured",
        training={"learning_rate": 3e-5, "head_learning_rate": 1e-3},
    ),
    Rule(
        RATE,
        Case("words", parameters=SMALL),
        "to be measured",
        training={"learning_rate": 5e-4, "head_learning_rate": 3e-3},
    ),
    Rule(
        RATE,
        Case("words"),
        "to be measured",
        training={"learning_rate": 1e-4, "head_learning_rate": 1e-3},
    ),
    Rule(
        BATCH,
        Case(examples=Between(below=2_000)),
        "to be measured",
        training={"tokens_per_batch": 512},
    ),
    Rule(BATCH, Case(), "to be measured", training={"tokens_per_batch": 1024}),
    Rule(
        EPOCHS,
        Case("words", Between(below=500)),
        "to be measured",
        training={"epochs": 20},
    ),
    Rule(
        EPOCHS,
        Case("words", Between(below=2_000)),
        "to be measured",
        training={"epochs": 10},
    ),
    Rule(EPOCHS, Case("words"), "to be measured", training={"epochs": 4}),
    Rule(
        EPOCHS,
        Case("texts", Between(below=2_000)),
        "to be measured",
        training={"epochs": 10},
    ),
    Rule(EPOCHS, Case("texts"), "to be measured", training={"epochs": 3}),
    Rule(
        STEPS,
        Case(),
        "all-mpnet-base-v2 on a news corpus: .3443 after 143 steps",
        least_steps=200,
        most_epochs=30,
    ),
    Rule(
        PATIENCE,
        Case(examples=Between(below=2_000)),
        "to be measured",
        training={"early_stopping": 4},
    ),
    Rule(
        EVALUATIONS,
        Case(validation_share=Between(0.5)),
        "an epoch is learned in the time that its evaluation takes",
        most_evaluations=8,
    ),
    Rule(
        TEXTS,
        Case(unlabelled=True),
        "banking77, beside the rest: +0.4 (one seed)",
        strategies=(PseudoLabels(),),
    ),
)


def choose(facts: Facts, given: Mapping[str, JsonValue]) -> Choice:
    """Look up what is to be done; `given` as `first_that_hold` has it."""
    return first_that_hold(RULES, facts, given)
