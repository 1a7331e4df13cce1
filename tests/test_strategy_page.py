"""What is said of every strategy: its part of docs/strategies.md, its row in the benchmark, and
whether it is experimental."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
import yaml

from nlp_transfer import load_recipe
from nlp_transfer.recipe.json_schema import schema_of
from nlp_transfer.strategies import AnyStrategy
from nlp_transfer.strategies.any_recipe import AnyRecipe
from nlp_transfer.strategies.base import Strategy
from tests.benchmarks.strategies import Results

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "strategies.md").read_text("utf-8")
ROWS = yaml.safe_load((ROOT / "tests" / "benchmarks" / "strategies.yaml").read_text("utf-8"))
CLASSES: dict[str, type[Strategy]] = {
    section.model_fields["name"].default: section for section in get_args(get_args(AnyStrategy)[0])
}


@pytest.mark.parametrize("name", CLASSES)
def test_what_is_experimental_is_marked_wherever_it_is_named(name: str):
    experimental = CLASSES[name].experimental
    (of_table, *_), part = PAGE.split("\n## For few labels"), _part(name)
    marked = re.search(rf"`{name}`(\]\(#{name}\))?(\\\*)?", of_table)
    assert marked, f"{name} is in no row of the table at the beginning"
    assert (marked[2] is not None) == experimental
    assert bool(re.search("^Experimental[:.] ", part, re.MULTILINE)) == experimental
    schema = schema_of(AnyRecipe)
    section = schema.tagged(schema.root["properties"]["strategies"]["items"])[name]
    assert section["description"].startswith("Experimental: ") == experimental


def test_the_tables_of_the_page_are_those_of_the_runs_that_are_kept():
    results = Results(ROOT / "tests" / "benchmarks" / "strategies.jsonl", ROWS)
    assert results.tables().strip() in PAGE


def test_a_run_says_of_its_strategies_which_are_experimental(
    tiny_recipe: Callable[..., Path], nlpt: Callable[..., tuple[int, str, str]]
):
    recipe = tiny_recipe(strategy=["full", "reinit"], training={"epochs": 1})
    code, _, err = nlpt("finetune", "--recipe", recipe)
    assert code == 0, err
    assert "strategy 'reinit' is experimental: docs/strategies.md says why" in err
    assert "'full' is experimental" not in err


def test_every_strategy_has_a_row_in_the_benchmark_that_is_a_recipe(tmp_path: Path):
    named: set[str] = set()
    for data, section in ROWS["data"].items():
        base = tmp_path / "base.yaml"
        base.write_text(yaml.safe_dump({"name": "bench", **section["base"]}), "utf-8")
        for row in ROWS["rows"].values():
            if data in row.get("not", ()) or data not in row.get("only", (data,)):
                continue
            shared = () if row.get("alone") else section["training"]
            keys = [*shared, *row["recipe"], *row.get(data, ())]
            filled = [re.sub(r"\{(data|out|seed)\}", "there", key) for key in keys]
            recipe = load_recipe(str(base), filled)
            named |= {strategy.name for strategy in recipe.strategies}
    assert named == CLASSES.keys()


def _part(name: str) -> str:
    """Return the part of the page that is a strategy's own; nothing where it has none."""
    found = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""
