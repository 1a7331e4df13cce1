"""What a recipe's author reads: short forms that are meant, faults with their right form."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nlp_transfer import load_recipe
from nlp_transfer.errors import UserError
from nlp_transfer.flows.recipes import validate
from nlp_transfer.recipe.familiar import FAMILIAR, is_key
from nlp_transfer.recipe.json_schema import Node, schema_of
from nlp_transfer.recipe.trainer_arguments import argument_types
from nlp_transfer.recipe.yaml_reader import write_flow
from nlp_transfer.strategies.any_recipe import AnyRecipe

Run = Callable[..., tuple[int, str, str]]

GOOD = """\
name: mine
task: ner
data: {source: owner/data}
model: {checkpoint: owner/checkpoint}
strategies: full
"""


@pytest.fixture(autouse=True)
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a good recipe, mine.yaml, into the working folder."""
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(GOOD)
    return tmp_path / "mine.yaml"


def fault(*overrides: str) -> str:
    with pytest.raises(UserError) as caught:
        load_recipe("mine.yaml", overrides)
    return str(caught.value)


# --- short forms ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("task=classification", "task", {"name": "classification"}),
        ("task={name: classification}", "task", {"name": "classification"}),
        ("strategies=lora", "strategies", [{"name": "lora"}]),
        ("strategies=[lora]", "strategies", [{"name": "lora"}]),
        ("strategies=[lora, fgm]", "strategies", [{"name": "lora"}, {"name": "fgm"}]),
        ("strategies={name: lora, rank: 4}", "strategies", [{"name": "lora", "rank": 4}]),
        ("data.columns=text:body", "data.columns", {"text": "body"}),
        ("data.columns={tokens:0,tags:1}", "data.columns", {"tokens": 0, "tags": 1}),
        ("data.separator=|", "data.separator", "|"),
        ("data.separator=#", "data.separator", "#"),
        ("data.separator=,", "data.separator", ","),
        (r"data.separator=\t", "data.separator", "\t"),
        ("strategies=lora,fgm", "strategies", [{"name": "lora"}, {"name": "fgm"}]),
        ("data.columns=tokens:0,tags:-1", "data.columns", {"tokens": 0, "tags": -1}),
        ("data.columns=text:body, label:a b", "data.columns", {"text": "body", "label": "a b"}),
        ("data.splits=train:train.csv", "data.splits", {"train": "train.csv"}),
        ("data.splits=train:a+b,test:c", "data.splits", {"train": "a+b", "test": "c"}),
        ("evaluation.splits=test", "evaluation.splits", ["test"]),
        ("evaluation.splits=validation,test", "evaluation.splits", ["validation", "test"]),
        ("task.types=PER", "task.types", ["PER"]),
        ("data.label_names=a", "data.label_names", ["a"]),
    ],
)
def test_the_obvious_short_form_is_read(override: str, key: str, value: Any) -> None:
    short = load_recipe("mine.yaml", [override])
    assert short == load_recipe("mine.yaml", [f"{key}={write_flow(value)}"])


def test_short_forms_are_read_in_a_file_and_reached_into_by_overrides() -> None:
    recipe = load_recipe(
        "mine.yaml", ["task.decoding=greedy", "strategies=lora", "strategies.0.rank=4"]
    )
    assert recipe.task.decoding == "greedy"
    assert recipe.strategies[0].rank == 4
    Path("mine.yaml").write_text(
        GOOD.replace("full", "[lora]").replace("}", ", columns: 'text:a'}", 1)
    )
    recipe = load_recipe("mine.yaml", ["strategies.0.alpha=8", "data.columns.label=b"])
    assert recipe.strategies[0].alpha == 8
    assert recipe.data.columns == {"text": "a", "label": "b"}


# --- in our words ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("task=nre", "task: 'nre' is unknown (classification, ner). Did you mean 'ner'?"),
        ("task=5", "must be 'classification' or 'ner'"),
        ("task={decoding: greedy}", "a section here has a name: 'classification', 'ner'"),
        ("strategies=[{rank: 4}]", "a section here has a name: "),
        ("strategies=lorra", "Did you mean 'lora'?"),
        ("strategies=5", "Example: 'strategies=[auto]'"),
        ("data.columns=text", "pairs like ours:theirs"),
        ("data.columns=5", "must be a mapping of tokens, tags, text"),
        ("data.columns.tokens=-100001", "from -100000 up to 100000, found -100001"),
        ("data.splits=5", "must be a mapping of train, validation, test"),
        ("data=folder", "must be a section (source, config, "),
        ("training.epochs=true", "must be a number above 0 up to 10000, found 'true'"),
        ("training.early_stopping=true", "must be a whole number from 1"),
        ("training={early_stopping: 2, arguments: {eval_strategy: no, save_strategy: no}}",
         "training.early_stopping: it waits for evaluations, but training.arguments.eval_strategy"),
        ("training.class_weights={A: true}", "class_weights.A: must be a number"),
        ("model.layers=[true]", "layers.0: must be a whole number"),
        ("evaluation.splits=[]", "at least one"),
        ("data.encoding=utf-9", "'utf-9' is no text encoding"),
        ("data.encoding=rot13", "'rot13' is no text encoding"),
        ("data.scheme=BIO", "Did you mean 'iob2'?"),
        ("task=token-classification", "Did you mean 'ner'?"),
        ("task.types=[PER, PER]", "'PER' stands there twice"),
        ("task.unknown=auto", "task.ner.unknown: unknown key. It is one of task classification."),
        ("task.types=[]", "the list is empty; null takes the names from the data"),
        ("strategies={lora: {rank: 4}}", "Write {name: lora, rank: 4}"),
        ("strategies=lora,full", "both decide which weights learn"),
        ("strategies.0.layers=1", "It belongs to the strategies distillation, frozen, reinit."),
        ("strategies={name: lora, r: 8}", "lora.r: unknown key. Did you mean 'rank'?"),
        ("data.columns.texts=a", "Did you mean 'text'?"),
        ("data.splits.dev=a", "Did you mean 'validation'?"),
        ("training.arguments.max_steps=0", "must be a number above 0 up to"),
        ("training.arguments.adam_beta1=2", "must be a number from 0 below 1, found 2"),
        ("training.arguments.eval_steps=9", "read only with eval_strategy=steps"),
        ("training.arguments.log_level=loud", "must be 'debug', 'info', "),
        ("training.arguments={eval_strategy: steps, save_strategy: steps, eval_steps: 2, "
         "save_steps: 3}", "save_steps: it is 3"),
        ("description=a #2", "a # begins a comment; put a text that holds it in quotes"),
        ("data.source=*.csv", "text that begins with * or & must stand in quotes"),
        ("task.types=[PER,", "a bracket that is not closed; where an override holds blanks"),
        ("data=folder", "Example: data.source=folder"),
        ("model=bert", "Example: model.checkpoint=bert"),
        ("training=5", "Example: training.epochs=3"),
        ("task.types=PER,ORG", "Example: 'task.types=[PER, ORG]'"),
        ("evaluation.splits=tset", "Did you mean 'test'?"),
        ("data.header=maybe", "must be true or false, found 'maybe'. Example: data.header=false"),
        ("data.source=", "found nothing (null). Example: data.source=mydata"),
        ("name=a b", "letters, digits, . _ and -"),
        ("model.layers=x", "must be a whole number from 1 up to 1000, a list of whole numbers"),
        ("training.class_weights={A: -1}", "class_weights.A: must be a number from 0 up to"),
        ("training.class_weights={A: 0, B: 0}", "class_weights: all are 0"),
        ("strategies=[{name: distillation}]", "teacher: this key is required. Example: "),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_with_what_is_allowed_and_an_example(override, says) -> None:
    assert says in fault(override)


def _keys() -> Iterator[tuple[str, Node]]:
    """List every key of a recipe by the path of an override."""
    schema = schema_of(AnyRecipe)
    yield from schema.keys(schema.root)
    for name, section in schema.tagged(schema.at(("strategies", 0)) or {}).items():
        for key, node in schema.keys(section):
            yield f"{name}.{key}", schema.resolved(node)


KEYS = {key: schema_of(AnyRecipe).resolved(node) for key, node in _keys()}
STRATEGIES = set(schema_of(AnyRecipe).tagged(schema_of(AnyRecipe).at(("strategies", 0)) or {}))


@pytest.mark.parametrize("value", ["{a: {b: [c]}}", "[[[1]]]", "null", "'?'", "-1", ".inf", "true"])
def test_no_word_of_the_validator_reaches_a_user(value: str) -> None:
    for key in KEYS:
        strategy, _, rest = key.partition(".")
        if rest == "name" and strategy in STRATEGIES:
            continue
        override = f"{key}={value}"
        if strategy in schema_of(AnyRecipe).tagged(
            schema_of(AnyRecipe).at(("strategies", 0)) or {}
        ):
            override = f"strategies=[{{name: {strategy}, {rest.split('.')[0]}: {value}}}]"
        try:
            load_recipe("mine.yaml", [override])
        except UserError as error:
            message = str(error)
            assert not re.search(
                r"[Ii]nput|pydantic|valid (int|dict|list|str|tup)|constrained", message
            )
            assert "command line: " in message


@pytest.mark.parametrize("key", KEYS)
def test_every_number_has_bounds(key: str) -> None:
    for node in schema_of(AnyRecipe).alternatives(KEYS[key]):
        if node.get("type") in ("integer", "number"):
            assert {"minimum", "exclusiveMinimum"} & set(node), key
            assert {"maximum", "exclusiveMaximum"} & set(node), key


@pytest.mark.parametrize(
    "override",
    [
        "training.epochs=.inf", "training.epochs=-1", "training.epochs=0", "training.epochs=.nan",
        "training.learning_rate=0", "training.learning_rate=.inf", "training.weight_decay=-0.1",
        "training.class_weights={PER: -1}", "training.class_weights={PER: .nan}",
        "evaluation.bootstrap=1000000000", "evaluation.max_lost_entities=2", "model.max_pieces=0",
        "model.max_pieces=10000000000", "model.overlap=-1", "model.dropout=1", "training.seed=-1",
        "training.seed=4294967296", "training.tokens_per_batch=0", "data.validation_share=1",
        "data.test_share=0", "data.split_seed=-1", "pretraining.mask=1", "training.momentum=-1",
        "training.early_stopping=0", "training.focal_gamma=-1",
        "training.arguments.max_grad_norm=-1",
        "training.arguments.max_grad_norm=.nan", "strategies=[{name: lora, rank: 1000000000}]",
        "strategies=[{name: augmentation, copies: 1000000000}]", "training.warmup=1.5",
        "training.schedule_arguments={decay: -1}", "task.context_words=-1", "task.threshold=1",
    ],
)  # fmt: skip
def test_a_number_out_of_bounds_is_refused(override: str) -> None:
    more = ["training.schedule=exponential"] if "schedule" in override else []
    more += ["task=classification"] if "threshold" in override else []
    assert "command line: " in fault(*more, override)


# --- keys of others -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "ours"),
    [
        ("epochs", "training.epochs"), ("lr", "training.learning_rate"),
        ("learning_rate", "training.learning_rate"), ("batch_size", "training.tokens_per_batch"),
        ("num_train_epochs", "training.epochs"), ("max_seq_length", "model.max_pieces"),
        ("text_column_name", "data.columns.text"), ("model_name_or_path", "model.checkpoint"),
        ("fp16", "training.precision"), ("training.bf16", "training.precision"),
        ("training.num_train_epochs", "training.epochs"), ("seed", "training.seed"),
        ("max_grad_norm", "training.arguments.max_grad_norm"),
        ("training.max_grad_norm", "training.arguments.max_grad_norm"),
        ("decoding", "task.decoding"), ("rank", "strategies=[{name: lora, rank: 1}]"),
        ("epoch", "training.epochs"), ("num_train_epoch", "training.epochs"),
        ("Learning-Rate", "training.learning_rate"), ("output_dir", "--output"),
        ("model.max_length", "model.max_pieces"), ("data.train_file", "data.splits.train"),
        ("revision", "data.revision or model.revision"),
    ],
)  # fmt: skip
def test_a_key_of_others_names_ours(key: str, ours: str) -> None:
    message = fault(f"{key}=1")
    assert f"command line: {key}: unknown key. " in message
    assert ours in message


def test_every_counterpart_is_a_key_of_ours() -> None:
    schema = schema_of(AnyRecipe)
    for theirs, ours in FAMILIAR.items():
        for key in re.findall(r"\b[a-z]+\.[a-z_.]+[a-z]\b", ours):
            _, _, argument = key.partition("training.arguments.")
            known = argument in argument_types() if argument else schema.at(key.split("."))
            assert known or key in ("log.jsonl",), (theirs, key)
        assert schema.at((theirs,)) is None, theirs


@pytest.mark.parametrize("name", sorted(set(FAMILIAR) & set(argument_types())))
def test_an_argument_that_is_ours_is_refused_with_its_counterpart(name: str) -> None:
    message = fault(f"training.arguments.{name}=1")
    ours = FAMILIAR[name]
    assert f"training.arguments.{name}: it cannot be set: " in message
    assert ours in message


def test_all_faults_of_arguments_are_told_at_once() -> None:
    message = fault(
        "training.arguments={output_dir: x, per_device_train_batch_size: 8, nonsense: 1, "
        "max_grad_nrm: 1, max_grad_norm: high, eval_strategy: often, do_predict: true, "
        "gradient_accumulation_steps: 2, gradient_acumulation_steps: 2}",
        "training.epochs=-1",
        "data.source=nowhere.csv",
        "trainin.epochs=1",
    )
    assert message.startswith("The recipe has 12 faults:")
    for words in (
        "output_dir: it cannot be set: use --output DIR.",
        "per_device_train_batch_size: it cannot be set: use training.tokens_per_batch.",
        "nonsense: transformers.TrainingArguments has no such argument.",
        "max_grad_nrm: transformers.TrainingArguments has no such argument. "
        "Did you mean 'max_grad_norm'?",
        "max_grad_norm: must be a number, found 'high'.",
        "eval_strategy: must be 'no', 'steps' or 'epoch', found 'often'.",
        "do_predict: it cannot be set: evaluation.splits has what is scored",
        "gradient_accumulation_steps: it cannot be set: use training.tokens_at_once.",
        "It cannot be set: use training.tokens_at_once.",
        "training.epochs: must be a number above 0",
        "data.source: there is no file or folder 'nowhere.csv'",
        "trainin: unknown key. Did you mean 'training'",
    ):
        assert words in message, words


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["training.momentum=0.9"], "training.momentum: adamw has none"),
        (["training.optimizer=sgd", "training.arguments.optim=adafactor"], "Keep one"),
        (["training.arguments.eval_strategy=steps"], "set both alike"),
        (["training.schedule_arguments={decay: 1}"], "linear has no such argument (it takes none)"),
        (["training.schedule=cosine", "training.schedule_arguments.num_cycle=1"], "'num_cycles'?"),
        (["training.schedule=constant", "training.schedule_arguments.x=1"], "it takes none"),
        (["training.schedule=warmup_stable_decay"], "needs num_decay_steps"),
        (["training.schedule=cosine_with_min_lr"], "needs min_lr or min_lr_rate"),
        (["strategies=[lora, frozen]"], "both decide which weights learn"),
        (["strategies=[full, full]", "model.layers=2"], "stands there 2 times"),
        (["strategies=lora", "model.layers=2"], "leave model.layers out"),
        (["strategies=[{name: average_checkpoints, count: 9}]"], "has 3 evaluations"),
        (
            ["strategies=[{name: augmentation, drop_words: 0.1}]"],
            "drop_words is for classification",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused_when_read(overrides, words) -> None:
    assert words in fault(*overrides)


def test_validate_and_finetune_refuse_alike(nlpt: Run, mine: Path) -> None:
    steps = "{eval_strategy: steps, save_strategy: steps, save_steps: 7, eval_steps: 5}"
    for changes in (
        [f"training.arguments={steps}"],
        ["data.source=nowhere.csv", "model.checkpoint=./nowhere"],
        ["training.arguments={output_dir: x, nonsense: 1}"],
    ):
        told = []
        for command in (
            ["recipes", "validate"],
            ["finetune", "-r"],
            ["finetune", "--dry-run", "-r"],
        ):
            code, _, err = nlpt(*command, mine, *changes)
            assert code == 2
            told.append(set(re.findall(r"(?:training\.arguments|data\.|model\.)[^/]*", err)))
        assert told[0] == told[1] == told[2]
        assert told[0]


def test_examples_in_the_schema_are_valid() -> None:
    for key, node in KEYS.items():
        if key.split(".")[0] in STRATEGIES:
            continue
        for example in node.get("examples", ()):
            more = ["training.schedule=exponential"] if "schedule_arg" in key else []
            more += ["training.optimizer=sgd"] if "momentum" in key else []
            more += ["task=classification"] if key in ("task.classes", "task.unknown") else []
            if key in ("task.known_kept", "task.unknown_label"):
                more += ["task=classification", "task.unknown=auto"]
            load_recipe("mine.yaml", [*more, f"{key}={write_flow(example)}"])


# --- overrides ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("training.epochs", "=", "3"),
        ("training.epochs=", "3"),
        ("training.epochs", "=3"),
        ("training.epochs:", "3"),
        ("training.epochs", "3"),
    ],
)
def test_blanks_in_an_override_are_told_with_the_right_form(
    nlpt: Run, mine: Path, arguments
) -> None:
    code, _, err = nlpt("recipes", "validate", mine, *arguments)
    assert code == 2
    right = re.search(r"Write (\S+) instead", err)[1]
    assert right == "training.epochs=3"
    assert nlpt("recipes", "validate", mine, right)[0] == 0


def test_blanks_inside_one_argument_do_no_harm() -> None:
    assert load_recipe("mine.yaml", ["training.epochs = 5"]).training.epochs == 5


@pytest.mark.parametrize(
    ("arguments", "right"),
    [
        (["--training.epochs=3"], "training.epochs=3"),
        (["-training.epochs=3"], "training.epochs=3"),
        (["--training.epochs", "3"], "training.epochs=VALUE"),
        (["--num_train_epochs=3"], "training.epochs=VALUE"),
        (["--per-device-train-batch-size", "8"], "training.tokens_per_batch=VALUE"),
        (["--output_dir=x"], "--output DIR"),
    ],
)
def test_an_override_with_dashes_is_told_without(nlpt: Run, mine: Path, arguments, right) -> None:
    code, _, err = nlpt("finetune", "--recipe", mine, *arguments)
    assert code == 2
    assert right in err
    assert "without dashes" in err or right.startswith("--")


@pytest.mark.parametrize(
    ("command", "right"),
    [("train", "nlpt finetune"), ("fintune", "finetune"), ("eval", "nlpt evaluate"),
     ("infer", "nlpt predict"), ("nonsense", "`nlpt --help` lists them")],
)  # fmt: skip
def test_an_unknown_command_names_the_one_that_was_meant(nlpt: Run, command, right) -> None:
    code, _, err = nlpt(command, "--recipe", "quickstart-ner")
    assert code == 2
    assert f"nlpt has no command {command!r}." in err
    assert right in err


def test_a_recipe_without_its_option_is_told_with_it(nlpt: Run) -> None:
    code, _, err = nlpt("finetune", "quickstart-ner", "training.epochs=1")
    assert code == 2
    assert "nlpt finetune --recipe quickstart-ner" in err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("quickstrat-ner", "Did you mean 'quickstart-ner'"),
        ("mnie.yaml", "Did you mean 'mine.yaml'?"),
        ("nowhere/mine.yaml", "there is no recipe 'nowhere/mine.yaml'"),
        (".", "is a folder without a recipe.yaml"),
    ],
)
def test_a_wrong_recipe_name_is_told_with_the_nearest(name: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        load_recipe(name)
    assert words in str(caught.value)


def test_a_forgotten_task_is_told_with_the_names_of_tasks() -> None:
    Path("mine.yaml").write_text(GOOD.replace("task: ner\n", ""))
    message = fault()
    assert (
        "mine.yaml: task: this key is required: 'classification', 'ner'. Example: task: " in message
    )


def test_an_example_in_a_message_can_be_typed() -> None:
    for override in (
        "training.epochs=x",
        "data.columns=5",
        "strategies=5",
        "model.layers=x",
        "lr=1",
    ):
        example = shlex.split(re.search(r"Example: (.*)$", fault(override))[1])
        load_recipe("mine.yaml", example)


def test_a_recipe_without_arguments_is_validated_without_torch(mine: Path) -> None:
    code = f"""import sys
from nlp_transfer.flows.recipes import validate
validate({str(mine)!r}, ["training.epochs=2"])
print({{"torch", "transformers"}} & set(sys.modules) or "light")"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "light"


def test_validate_returns_the_recipe(mine: Path) -> None:
    assert validate(str(mine)) == load_recipe(str(mine))
    assert is_key("training.epochs")
