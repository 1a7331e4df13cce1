"""The table of `strategies: auto`: what a run is to do, by facts of its data and checkpoint.

A rule is a line of data with what was measured; of those that decide the same, the first that holds
is taken. docs/auto.md shows the table.

The device is no fact: a recipe is to give the same model on all of them. What depends on it is
decided elsewhere and changes no result (`training.precision: auto`, `training.tokens_at_once`).
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from nlp_transfer.strategies.augmentation import Augmentation
from nlp_transfer.strategies.auto_rules import Between, Case, Choice, Facts, Rule, first_that_hold
from nlp_transfer.strategies.average_checkpoints import AverageCheckpoints
from nlp_transfer.strategies.base import HEAD, WEIGHTS
from nlp_transfer.strategies.frozen import Frozen
from nlp_transfer.strategies.intermediate_task import IntermediateTask
from nlp_transfer.strategies.label_examples import LabelExamples
from nlp_transfer.strategies.layerwise_lr import LayerwiseLr
from nlp_transfer.strategies.pseudo_labels import PseudoLabels
from nlp_transfer.strategies.r_drop import RDrop

COPIES = "what is added to train"
HELD = "how it is held"
RATE = "how fast"
BATCH = "how much at a time"
EPOCHS = "how long"
STEPS = "how many steps at least"
PATIENCE = "when to stop before"
EVALUATIONS = "how often it is evaluated"
TEXTS = "what is learned beside train"

FEW = Between(below=50)
"""Examples a class."""
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
        RATE,
        Case("texts", examples_per_label=FEW, parameters=SMALL),
        "banking77, 10 a class, all that is chosen below beside it: of 2,000 held-out texts 85.5 % "
        "right, 84.5 at 5e-4",
        training={"learning_rate": 3e-4, "head_learning_rate": 3e-3},
    ),
    Rule(
        RATE,
        Case(parameters=SMALL),
        "banking77, 10 a class, of 2,000 held-out texts 84.3 % right (1e-4: 83.7, 3e-4: 84.4); "
        "CrossNER politics and WNUT-17: the best row of their tables has these rates",
        training={"learning_rate": 5e-4, "head_learning_rate": 3e-3},
    ),
    Rule(
        RATE,
        Case(),
        "all-mpnet-base-v2: validation .740 (UNER EWT), .681 (WNUT-17), .855 (NCBI), .938 "
        "(banking77); a news corpus .9019 against .8603 with 2,048 pieces a step at full's rates",
        training={"learning_rate": 1e-4, "head_learning_rate": 1e-3},
    ),
    Rule(
        BATCH,
        Case(examples=Between(below=2_000)),
        "few examples are few steps: 512 pieces are about 40 texts or 20 sentences",
        training={"tokens_per_batch": 512},
    ),
    Rule(
        BATCH,
        Case(),
        "news corpus, 3 epochs: .8753 in 147 s with 1,024, .8727 in 253 s with 512, .8549 with "
        "2,048 (samples/minilm, one seed)",
        training={"tokens_per_batch": 1024},
    ),
    Rule(
        EPOCHS,
        Case("words", Between(below=500)),
        "CrossNER, validation: politics 65.5 after 20 and 64.6 after 10, ai 54.3 and 51.7",
        training={"epochs": 20},
    ),
    Rule(
        EPOCHS,
        Case("texts", examples_per_label=FEW),
        "banking77, 10 a class: best at the end of 10 to 15; twice as many scored no higher",
        training={"epochs": 12},
    ),
    Rule(
        EPOCHS,
        Case(examples=Between(below=2_000)),
        "UNER EWT (1,524 sentences of its development file), validation: best after 8 of 10",
        training={"epochs": 10},
    ),
    Rule(
        EPOCHS,
        Case(examples=Between(below=10_000)),
        "WNUT-17 and NCBI still rose after 3",
        training={"epochs": 5},
    ),
    Rule(EPOCHS, Case(), "a news corpus (14,041 sentences): .8753", training={"epochs": 3}),
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
        "the best evaluation is mostly among the last three: it seldom ends a run",
        training={"early_stopping": 4},
    ),
    Rule(
        EVALUATIONS,
        Case(validation_share=Between(0.5)),
        "an epoch is learned in the time that its evaluation takes",
        most_evaluations=8,
    ),
    Rule(
        COPIES,
        Case("words", Between(below=500)),
        "CrossNER, validation: politics 67.0 against 65.5, ai 55.1 against 54.3",
        strategies=(Augmentation(),),
    ),
    Rule(
        COPIES,
        Case("texts", examples_per_label=FEW),
        "banking77, of 2,000 held-out texts: 5 a class 80.3 % right against 76.8, 10 a class the "
        "same",
        strategies=(LabelExamples(),),
    ),
    Rule(
        HELD,
        Case("texts", examples_per_label=FEW),
        "clinc150, 10 a class, validation: 94.0 against 93.0; banking77, 387 validation texts: "
        "88.3 against 85.2 and of 2,000 others 84.5 against 84.0 (5e-4)",
        strategies=(RDrop(), AverageCheckpoints()),
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
