"""A recipe: YAML and key=value overrides in, a typed and frozen Recipe out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from nlp_transfer.errors import UserError, nearest
from nlp_transfer.records import SplitName
from nlp_transfer.yaml_reader import KeyPath, read_yaml, write_yaml


class Section(BaseModel):
    """Base of every recipe section: frozen, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


Format = Literal[
    "auto", "conll", "jsonl", "json", "spans", "csv", "tsv", "parquet", "arrow", "brat",
    "label-studio", "spacy",
]  # fmt: skip
Column = Literal["tokens", "tags", "text", "spans", "text_pair", "label", "document", "id"]


class DataSection(Section):
    """Where the labelled examples come from, and how to read them."""

    source: str = Field(
        description="Hub id, file, folder, module:function, or samples/<name>", min_length=1
    )
    config: str | None = Field(None, description="configuration of a Hub data set")
    revision: str | None = Field(None, description="branch, tag or commit of a Hub data set")
    streaming: bool = Field(False, description="read a Hub data set without a copy of it on disk")
    format: Format = "auto"
    splits: dict[SplitName, str | None] = Field(
        default_factory=dict,
        description="our split: theirs, or a file name; a+b joins; null: split it off from train",
    )
    columns: dict[Column, str | int] = Field(
        default_factory=dict, description="column names, or numbers from 0 where there are no names"
    )
    scheme: Literal["auto", "iob1", "iob2", "bioes", "bilou", "io", "none"] = Field(
        "auto", description="io: bare types are entities; none: the tags are no entities"
    )
    repair: bool = Field(
        False, description="read broken BIOES and BILOU tags leniently, as broken IOB tags always"
    )
    fold_case: bool = Field(False, description="read the prefixes b- i- and the tag o as B- I- O")
    separator: str | None = Field(
        None, description="column separator of CoNLL files; null: the tab, else blanks"
    )
    header: bool = Field(True, description="the first row of a CSV or TSV file names its columns")
    quoted: bool | None = Field(
        None, description='whether "..." encloses fields; null: in CSV files yes, in TSV files no'
    )
    encoding: str = "utf-8"
    encoding_errors: Literal["strict", "replace"] = Field(
        "strict", description="replace: read bytes that are not in the encoding as U+FFFD"
    )
    offsets: Literal["characters", "utf16", "utf8"] = Field(
        "characters", description="what the offsets of character spans count"
    )
    misaligned: Literal["refuse", "expand", "drop"] = Field(
        "refuse", description="spans that begin or end inside a word; expand: take the whole word"
    )
    overlapping: Literal["refuse", "longest"] = Field(
        "refuse", description="spans that share characters; longest: keep the longest of them"
    )
    drop_missing: bool = Field(
        False, description="leave out (and count) rows without a text or a label"
    )
    label_names: tuple[str, ...] | None = Field(
        None, description="names of integer tags or labels, in the order of their numbers"
    )
    label_separator: str = Field("|", description="between the labels of a multi-label CSV field")
    validation_share: float = Field(0.1, gt=0, lt=1)
    test_share: float = Field(0.1, gt=0, lt=1)
    split_seed: int = 42


class ModelSection(Section):
    """The checkpoint, and how much of a text it reads at once."""

    checkpoint: str = Field(
        description="Hub id, folder, run folder, or samples/minilm", min_length=1
    )
    revision: str | None = None
    max_pieces: int = Field(256, ge=8, description="longest window, special pieces included")
    overlap: int = Field(64, ge=0, description="words shared by neighbouring windows")
    dropout: float | None = Field(
        None, ge=0, lt=1, description="of the encoder while training; null: the checkpoint's own"
    )
    trust_remote_code: bool = False


class TrainingSection(Section):
    """How the weights are learned."""

    epochs: float = Field(3, gt=0)
    learning_rate: float = Field(5e-5, gt=0)
    head_learning_rate: float | None = Field(
        None, gt=0, description="of the parameters that start at random; null: learning_rate"
    )
    tokens_per_batch: int = Field(
        2048, ge=1, description="pieces of the whole step, padding included, over all processes"
    )
    warmup: float = Field(0.1, ge=0, lt=1, description="share of the steps")
    weight_decay: float = Field(0.01, ge=0)
    early_stopping: int | None = Field(
        None, ge=1, description="stop after so many evaluations without a better score"
    )
    seed: int = Field(42, ge=0, lt=2**32)
    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    arguments: dict[str, Any] = Field(
        default_factory=dict, description="anything else of transformers.TrainingArguments"
    )


class EvaluationSection(Section):
    """What is scored after training."""

    splits: tuple[Literal["validation", "test"], ...] = ("validation", "test")
    bootstrap: int = Field(1000, ge=100, description="resamples of the 95 % interval")
    max_lost_entities: float | None = Field(
        None, ge=0, le=1, description="share of a split's gold entities; a run fails above it"
    )


class PublishSection(Section):
    """What the model card says of the model."""

    license: str | None = None
    language: str | None = None
    private: bool = False


TaskT = TypeVar("TaskT", bound=Section)
StrategyT = TypeVar("StrategyT", bound=Section)


class Recipe(Section, Generic[TaskT, StrategyT]):
    """Everything a run depends on; `TaskT` and `StrategyT` are the unions of their rooms."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    description: str = ""
    task: TaskT
    data: DataSection
    model: ModelSection
    strategies: list[StrategyT] = Field(min_length=1)
    training: TrainingSection = TrainingSection()
    evaluation: EvaluationSection = EvaluationSection()
    publish: PublishSection = PublishSection()

    @model_validator(mode="after")
    def _strategies_fit(self) -> Recipe[TaskT, StrategyT]:
        """Refuse strategies that do not go together, or not with the task; name both."""
        strategies: list[Any] = list(self.strategies)
        names = [strategy.name for strategy in strategies]
        task: str = self.task.name  # type: ignore[attr-defined]
        exclusive: dict[str, str] = {}
        for strategy in strategies:
            name = strategy.name
            if task not in strategy.tasks:
                raise ValueError(
                    f"strategy '{name}' does not work with task '{task}', only with "
                    f"{' and '.join(strategy.tasks)}"
                )
            if names.count(name) > 1:
                raise ValueError(f"strategy '{name}' stands there {names.count(name)} times")
            for other in names:
                if other in strategy.excludes:
                    raise ValueError(f"strategies '{other}' and '{name}' do not work together")
            for decision in strategy.exclusive_hooks():
                if decision in exclusive:
                    raise ValueError(
                        f"strategies '{exclusive[decision]}' and '{name}' both decide {decision}; "
                        "keep one"
                    )
                exclusive[decision] = name
        return self

    def as_yaml(self) -> str:
        """Write the recipe out with every default, as the run folder keeps it."""
        return write_yaml(self.model_dump(mode="json"))


RecipeT = TypeVar("RecipeT", bound="Recipe[Any, Any]")


def shipped_recipes() -> dict[str, Path]:
    """Find the recipes that come with the package, by name."""
    packaged = Path(str(files("nlp_transfer") / "recipes"))
    folder = packaged if packaged.is_dir() else Path(__file__).parent.parent / "recipes"
    return {path.stem: path for path in sorted(folder.rglob("*.yaml"))}


def find_recipe(name: str) -> Path:
    """Find a recipe by file, run folder or name: the user's files first, then the shipped ones."""
    given = Path(name)
    for path in (
        given,
        given / "recipe.yaml",
        Path(f"{name}.yaml"),
        Path("recipes", f"{name}.yaml"),
    ):
        if path.is_file():
            return path
    shipped = shipped_recipes()
    if name in shipped:
        return shipped[name]
    raise UserError(
        f"Recipe {name!r} is neither a file nor a shipped recipe.{nearest(name, shipped)} "
        "`nlpt recipes list` shows the shipped ones."
    )


def read_recipe(schema: type[RecipeT], name: str, overrides: Sequence[str] = ()) -> RecipeT:
    """Read, override and check a recipe.

    schema:    the concrete Recipe type
    name:      recipe name, YAML file or run folder
    overrides: "key.path=value", the value read as YAML
    raises:    UserError that lists every fault with its path and line
    """
    path = find_recipe(name)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8."
        ) from None
    value, lines = read_yaml(text, str(path))
    if not isinstance(value, dict):
        raise UserError(f"{path}: a recipe is a mapping of sections (name, task, data, model...).")
    origins = {key: f"{path}:{line}" for key, line in lines.items()}
    for override in overrides:
        value = _apply_override(value, override, origins)
    try:
        return schema.model_validate(value)
    except ValidationError as error:
        raise UserError(_explain(error, schema, origins, str(path))) from None


def _apply_override(value: Any, override: str, origins: dict[KeyPath, str]) -> Any:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise UserError(f"{override!r} is not an override; write key.path=value, without blanks.")
    parsed, _ = read_yaml(text, override)
    path: KeyPath = tuple(int(p) if re.fullmatch(r"\d+", p) else p for p in key.split("."))
    for stale in [known for known in origins if known[: len(path)] == path]:
        del origins[stale]
    for depth in range(1, len(path)):
        origins.setdefault(path[:depth], "command line")
    origins[path] = "command line"
    return _replaced(value, path, parsed, key)


def _replaced(value: Any, path: KeyPath, new: Any, key: str) -> Any:
    """Return a copy of `value` with `new` at `path`."""
    if not path:
        return new
    head, rest = path[0], path[1:]
    if isinstance(value, list):
        if not isinstance(head, int) or head >= len(value):
            raise UserError(f"{key}: the list has the items 0 to {len(value) - 1}, not {head!r}.")
        return [_replaced(v, rest, new, key) if i == head else v for i, v in enumerate(value)]
    if value is None or isinstance(value, dict):
        value = value or {}
        return {**value, str(head): _replaced(value.get(str(head)), rest, new, key)}
    raise UserError(f"{key}: {value!r} is a single value, it has nothing called {head!r}.")


def _explain(
    error: ValidationError, schema: type[BaseModel], origins: dict[KeyPath, str], where: str
) -> str:
    faults = [_explain_one(fault, schema, origins, where) for fault in error.errors()]
    count = f"{len(faults)} faults" if len(faults) > 1 else "1 fault"
    return f"The recipe has {count}:\n" + "\n".join(f"  {fault}" for fault in faults)


def _explain_one(
    fault: ErrorDetails, schema: type[BaseModel], origins: dict[KeyPath, str], where: str
) -> str:
    loc = fault["loc"]
    dotted = ".".join(str(part) for part in loc) or "recipe"
    place = _place(loc, origins, where)
    if fault["type"] == "extra_forbidden":
        known = list(_keys_at(schema, loc[:-1]))
        hint = nearest(str(loc[-1]), known)
        return f"{place}: {dotted}: unknown key.{hint} Known here: {', '.join(known)}."
    if loc[-1:] == ("[key]",):  # a key of data.splits or data.columns
        expected = str(fault.get("ctx", {}).get("expected", ""))
        known = re.findall(r"'([^']*)'", expected)
        hint = nearest(str(fault["input"]), known)
        dotted = dotted.removesuffix(".[key]")
        return f"{place}: {dotted}: unknown key.{hint} Known here: {', '.join(known)}."
    if fault["type"] == "missing":
        return f"{place}: {dotted}: this key is required."
    if fault["type"] == "union_tag_invalid":
        context = fault.get("ctx", {})
        expected = str(context.get("expected_tags", "")).replace("'", "")
        hint = nearest(str(context.get("tag")), expected.split(", "))
        return f"{place}: {dotted}: {context.get('tag')!r} is unknown ({expected}).{hint}"
    message = fault["msg"].removeprefix("Value error, ")
    found = (
        "" if isinstance(fault["input"], dict | list | BaseModel) else f", found {fault['input']!r}"
    )
    return f"{place}: {dotted}: {message[:1].lower()}{message[1:]}{found}."


def _place(loc: tuple[int | str, ...], origins: dict[KeyPath, str], where: str) -> str:
    """Find the line of the longest known prefix, skipping the tags pydantic adds for unions."""
    path: KeyPath = ()
    for part in loc:
        if (*path, part) in origins:
            path = (*path, part)
    return origins.get(path, where) if path else where


def _keys_at(schema: type[BaseModel], loc: Sequence[int | str]) -> Iterator[str]:
    """List the keys that the section at `loc` knows, read from the JSON schema."""
    root = schema.model_json_schema()
    node: dict[str, Any] = root
    for part in loc:
        node = _resolve(root, node)
        if "discriminator" in node:
            node = {"$ref": node["discriminator"]["mapping"][str(part)]}
        elif isinstance(part, int):
            node = node.get("items", {})
        else:
            node = node.get("properties", {}).get(part, {})
    yield from _resolve(root, node).get("properties", {})


def _resolve(root: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        node = root["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    return node
