"""The schema of recipes in; the reference of their keys, and of what others call them, out."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from nlp_transfer.recipe.familiar import TABLES, is_key
from nlp_transfer.recipe.json_schema import Node, RecipeSchema
from nlp_transfer.recipe.yaml_reader import write_flow

_HEAD = """\
# Recipe reference

Every key of a recipe: what it means, what it may be, its default, and an example in the form of an
override, as a shell takes it (`nlpt finetune --recipe NAME KEY=VALUE`). This page is made by `make
docs` from the schema that checks recipes; `nlpt recipes reference` prints it for the version that
you have, and `nlpt recipes schema` is the same for editors.

A recipe is a YAML file of sections. `name`, `task`, `data` and `model` are required. Where no
`strategies` are named, or `auto` is, they and keys of `training` that the recipe does not say are
chosen from data and checkpoint (docs/strategies.md); the defaults below are those of the others.

- `task: ner` and `strategies: lora` are short for `task: {name: ner}` and
  `strategies: [{name: lora}]`; `data.columns=text:body,label:topic` is short for a mapping; one
  name needs no list (`evaluation.splits=test`).
- Text that looks like a number or true, false, null needs quotes; `no`, `on` and `12:30` are text.
  A key stands once; there are no merge keys (`<<`) and no tags but those of YAML's core schema.
- A relative path is looked for in the working folder, then beside the recipe. The run folder keeps
  it absolute, so that the run can be evaluated, exported or run again from any folder; where the
  run folder and the data were moved together, it is found by its place beside the run. What
  looks like a path (`./x`, `a/b/c`, `train.csv`, `runs/x`, `data/x` where there is a folder
  `data`) is never looked up on the Hub.
- What is wrong is refused before anything is loaded, all at once, each fault with its line.
  `nlpt recipes validate FILE` does only that.
"""

_MIGRATING = """\
# Coming from run_ner.py, run_classification.py or the Trainer

What their settings are called here. `nlpt` says the same where one of them is written in a recipe,
as an override or as an option. Arguments of `transformers.TrainingArguments` that are not in these
tables go under `training.arguments`, by their own names: `training.arguments.max_grad_norm=0.5`.

A batch is not a number of sentences but a budget of pieces, `training.tokens_per_batch`: of the
whole step, over all processes, padding included. 32 sentences of 32 pieces are 1024. Where memory
does not hold it, `training.tokens_at_once` computes a step in parts, with the same result:
there is no `gradient_accumulation_steps` to multiply it by.

```bash
# python run_ner.py --model_name_or_path google-bert/bert-base-cased \\
#   --dataset_name lhoestq/conll2003 --num_train_epochs 3 --learning_rate 3e-5 \\
#   --max_seq_length 256 --output_dir out --do_train --do_eval
nlpt finetune --recipe conll2003-ner model.checkpoint=google-bert/bert-base-cased \\
  data.source=lhoestq/conll2003 training.epochs=3 training.learning_rate=3e-5 \\
  model.max_pieces=256 --output out
```

This page is made by `make docs`.
"""


def reference_page(schema: RecipeSchema) -> str:
    """Write every key with its meaning, what it may be, its default and an example."""
    root = schema.root
    plain = dict(_plain(schema, root))
    parts = [_HEAD, "\n## The recipe itself\n", *_table(schema, root, "")]
    for name, node in schema.properties(root).items():
        if name in plain:
            continue
        sections = schema.tagged(node) or schema.tagged(schema.child(node, 0) or {})
        about = schema.resolved(node).get("description", "")
        parts.append(f"\n## `{name}`\n\n{about[:1].upper()}{about[1:]}.\n")
        if sections:
            at = name if schema.tagged(node) else f"{name}.0"
            for tag, section in sections.items():
                about = str(section.get("description", "")).split("\n")[0]
                parts.append(f"\n### `{name}`: `{tag}`\n\n{about}\n")
                parts += _table(schema, section, at)
        else:
            parts += _table(schema, node, name)
    return "".join(parts)


def migrating_page(schema: RecipeSchema) -> str:
    """Write what settings of others are called here."""
    parts = [_MIGRATING]
    for title, table in TABLES.items():
        parts.append(f"\n## {title}\n\n| there | here |\n|---|---|\n")
        parts += [f"| `{theirs}` | {_ours(ours)} |\n" for theirs, ours in table.items()]
    return "".join(parts)


def _ours(ours: str) -> str:
    return f"`{ours}`" if is_key(ours) or ours.startswith("--") else ours


def _plain(schema: RecipeSchema, node: Node) -> Iterator[tuple[str, Node]]:
    """List the keys of a section that are values, without the name that it is told by."""
    for key, below in schema.properties(node).items():
        is_section = schema.properties(below) or schema.tagged(below)
        is_list = schema.tagged(schema.child(below, 0) or {})
        if "const" not in below and not is_section and not is_list:
            yield key, schema.resolved(below)


def _table(schema: RecipeSchema, section: Node, path: str) -> list[str]:
    required = schema.resolved(section).get("required", ())
    rows = [
        (
            f"`{key}`",
            _about(node),
            _cell(schema.allowed(node)),
            "required" if key in required else _default(node),
            _code(shlex.quote(f"{path}.{key}=".lstrip(".") + write_flow(schema.example(node)))),
        )
        for key, node in _plain(schema, section)
    ]
    if not rows:
        return ["\nIt has no keys of its own.\n"]
    head = "\n| key | meaning | may be | default | example |\n|---|---|---|---|---|\n"
    return [head, *(f"| {' | '.join(row)} |\n" for row in rows)]


def _about(node: Node) -> str:
    return _cell(str(node.get("description", "")))


def _default(node: Node) -> str:
    return _code(write_flow(node.get("default", {})))


def _code(text: object) -> str:
    return f"`{_cell(str(text))}`" if text != "''" else "empty"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
