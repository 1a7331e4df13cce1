"""A data set described in, its repository out, as `push_to_hub` or the Hub itself writes it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hub_server.repositories import Repo

PARQUET_BRANCH = "refs/convert/parquet"

SIZES = {"train": 40, "validation": 7, "test": 5}
Columns = dict[str, list[Any]]


@dataclass(frozen=True)
class Hosted:
    """A data set as its repository on the Hub has it."""

    columns: Callable[[int], Columns]
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Columns that are ClassLabels, alone or in a list, and their names."""
    sizes: dict[str, int] = field(default_factory=lambda: SIZES)
    path: str = "data/{split}-00000-of-00001.parquet"
    configs: tuple[str, ...] = ()
    branch: str = "main"
    card: bool = True
    """Whether README.md tells its configs, files and features."""
    unlabelled: tuple[str, ...] = ()
    order: str = ""
    """All columns, where they are not in the order in which they are made."""
    others: dict[str, bytes] = field(default_factory=dict)


def iob2(*types: str) -> tuple[str, ...]:
    """List the tags of types."""
    return ("O", *(f"{prefix}-{kind}" for kind in types for prefix in "BI"))


def tagged(tags: tuple[str, ...], column: str = "ner_tags", **more: Any) -> Callable[..., Columns]:
    """Make sentences in which every entity's words are the name of its type.

    more: further columns; what is a number there is one of every word
    """
    types = list(dict.fromkeys(tag.removeprefix("B-").removeprefix("I-") for tag in tags[1:]))

    def columns(count: int) -> Columns:
        made: Columns = {"tokens": [], column: [], **{name: [] for name in more}}
        for number in range(count):
            kind = types[number % len(types)]
            first, rest = (f"B-{kind}", f"I-{kind}") if f"B-{kind}" in tags else (kind, kind)
            words, spans = ["See", kind, "here"], ["O", first, "O"]
            if rest in tags:
                words, spans = [*words, kind, kind, "."], [*spans, first, rest, "O"]
            made["tokens"].append(words)
            made[column].append([tags.index(tag) for tag in spans])
            for name, value in more.items():
                made[name].append([value] * len(words) if isinstance(value, int) else value)
        return made

    return columns


def texts(classes: tuple[str, ...], *, text: str = "text", **more: str) -> Callable[..., Columns]:
    """Make texts that name their class; one is longer than any BERT reads."""

    def columns(count: int) -> Columns:
        kinds = [number % len(classes) for number in range(count)]
        made: Columns = {
            text: [f"about {classes[kind]} , number {number}" for number, kind in enumerate(kinds)],
            "label": kinds,
        }
        made[text][2] = f"{made[text][2]} and" + " so on" * 300
        for name, value in more.items():
            values = {"kind": [classes[kind] for kind in kinds], "number": list(range(count))}
            made[name] = values.get(value, kinds)
        return made

    return columns


def repository(hosted: Hosted) -> Repo:
    """Write the files of a data set."""
    import datasets

    files: dict[str, bytes] = {".gitattributes": b"*.parquet filter=lfs\n"}
    infos, layouts = {}, {}
    for config in hosted.configs or ("default",):
        found, layout = {}, []
        for split, size in hosted.sizes.items():
            table = _table(hosted, split, size)
            path = hosted.path.format(config=config, split=split)
            files[path] = _written(table, path)
            found[split] = {"name": split, "num_bytes": len(files[path]), "num_examples": size}
            layout.append({"split": split, "path": path.replace("00000-of-00001.parquet", "*")})
        infos[config] = datasets.DatasetInfo(
            features=table.features, splits=found, config_name=config
        )
        layouts[config] = {"data_files": layout}
    files |= hosted.others
    if hosted.others.get("dataset_infos.json"):
        legacy = {"lhoestq--conll2003": {"features": infos["default"].features.to_dict()}}
        files["dataset_infos.json"] = json.dumps(legacy).encode()
    if hosted.card:
        files["README.md"] = _card(infos, layouts)
    if hosted.branch == "main":
        return Repo(snapshots=[{}, files])
    script = {"README.md": b"# It had a loading script.\n", "script.py": b"import x\n"}
    return Repo(snapshots=[script], branches={hosted.branch: files})


def _table(hosted: Hosted, split: str, size: int) -> Any:
    import datasets

    columns = hosted.columns(size)
    if split in hosted.unlabelled:
        columns["label"] = [-1] * size
    table = datasets.Dataset.from_dict(columns)
    features = table.features.copy()
    for column, names in hosted.names.items():
        label = datasets.ClassLabel(names=list(names))
        features[column] = label if column == "label" else datasets.List(label)
    if "tags" in columns:
        features["tags"] = datasets.List(datasets.Value("int32"))
    if "idx" in columns:
        features["idx"] = datasets.Value("int32")
    table = table.cast(features)
    return table.select_columns(hosted.order.split()) if hosted.order else table


def _written(table: Any, path: str) -> bytes:
    file = io.BytesIO()
    table.to_json(file) if path.endswith(".jsonl") else table.to_parquet(file)
    return file.getvalue()


def _card(infos: dict[str, Any], layouts: dict[str, Any]) -> bytes:
    """Write README.md as `push_to_hub` does."""
    from datasets.info import DatasetInfosDict
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCardData

    card = DatasetCardData(language="en")
    DatasetInfosDict(infos).to_dataset_card_data(card)
    MetadataConfigs(layouts).to_dataset_card_data(card)
    return f"---\n{card}\n---\n\n# A data set\n".encode()
