"""What README.md tells people to type exists."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest
import typer

from nlp_transfer.cli.app import app
from nlp_transfer.flows.recipes import load_recipe
from nlp_transfer.recipe.yaml_reader import read_yaml
from nlp_transfer.strategies.any_recipe import AnyRecipe

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
COMMANDS = sorted(
    {
        line.split("#")[0].split("|")[-1].strip()
        for _, block in BLOCKS
        for line in block.splitlines()
        if re.match(r"(echo .*\| *)?nlpt ", line)
    }
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_in_the_readme_parses(command: str) -> None:
    arguments = shlex.split(command)[1:]
    context = typer.main.get_command(app).make_context("nlpt", arguments)
    with context:
        group = context.command
        name, sub_command, rest = group.resolve_command(
            context, context._protected_args + context.args
        )
        if hasattr(sub_command, "commands"):
            name, sub_command, rest = sub_command.resolve_command(context, rest)
        parsed = sub_command.make_context(name, list(rest), parent=context)
    recipe = parsed.params.get("recipe")
    if recipe and recipe != "mine.yaml":
        load_recipe(recipe, parsed.params.get("overrides") or [])


def test_make_targets_in_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"`?make ([a-z-]+)", README)):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_the_recipe_in_the_readme_is_valid() -> None:
    for language, block in BLOCKS:
        if language == "yaml":
            value, _ = read_yaml(block, "README.md")
            AnyRecipe.model_validate(value)


def test_python_in_the_readme_compiles_and_imports_what_exists() -> None:
    import nlp_transfer

    for language, block in BLOCKS:
        if language == "python":
            for node in ast.walk(ast.parse(block)):
                if isinstance(node, ast.ImportFrom) and node.module == "nlp_transfer":
                    assert all(hasattr(nlp_transfer, alias.name) for alias in node.names)


def test_the_tree_in_the_readme_is_the_tree() -> None:
    tree = README.split("## The code")[1]
    for name in re.findall(r"^  ([a-z_]+(?:/|\.py))", tree, flags=re.MULTILINE):
        assert (ROOT / "nlp_transfer" / name).exists(), name


def test_no_placeholder_is_left_in_the_readme() -> None:
    assert "@@" not in README
    assert re.search(r"^test entity F1 0\.\d{4} \(95 % interval", README, flags=re.MULTILINE)
