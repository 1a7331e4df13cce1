"""docs/recipe.md, docs/migrating.md and the schema beside the recipes are what the code says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from nlp_transfer import load_recipe
from nlp_transfer.recipe.familiar import FAMILIAR
from nlp_transfer.recipe.json_schema import schema_of
from nlp_transfer.recipe.reference import migrating_page, reference_page
from nlp_transfer.strategies.any_recipe import AnyRecipe
from nlp_transfer.strategies.auto_page import auto_page

ROOT = Path(__file__).parent.parent
SCHEMA = schema_of(AnyRecipe)
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("docs/recipe.md", reference_page),
        ("docs/migrating.md", migrating_page),
        ("docs/auto.md", lambda _: auto_page()),
    ],
)
def test_a_page_is_up_to_date(path, page):
    assert (ROOT / path).read_text(encoding="utf-8") == page(SCHEMA), "run `make docs`"


def test_the_schema_beside_the_recipes_is_up_to_date():
    text = (ROOT / "recipes" / "recipe.schema.json").read_text(encoding="utf-8")
    assert json.loads(text) == SCHEMA.root, "run `make docs`"


def test_every_key_has_a_description_and_an_example():
    sections = [SCHEMA.root, *SCHEMA.root["$defs"].values()]
    keys = [
        (name, node) for section in sections for name, node in section.get("properties", {}).items()
    ]
    assert len(keys) > 100
    for name, node in keys:
        if "const" not in node:  # the name by which a section is told
            assert node.get("description"), name
    for key, node in SCHEMA.keys(SCHEMA.root):
        assert SCHEMA.example(node) is not None, key


def test_the_reference_has_every_key():
    page = (ROOT / "docs" / "recipe.md").read_text(encoding="utf-8")
    for key, _ in SCHEMA.keys(SCHEMA.root):
        if key.rpartition(".")[2] not in ("name", "strategies"):  # they have sections
            assert f"`{key}=" in page or f"`'{key}=" in page, key
    for section in ("multi_label", "threshold", "long_texts", "decoding", "context_words"):
        assert f"| `{section}` |" in page


def test_the_migration_table_has_every_name():
    page = (ROOT / "docs" / "migrating.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE)) == set(FAMILIAR)


def test_the_command_in_the_migration_page_is_right(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "migrating.md").read_text(encoding="utf-8")
    command = re.search(r"nlpt finetune --recipe (\S+) ((?:.|\n)*?)```", page)
    words = command[2].replace("\\\n", " ").split()
    load_recipe(command[1], [word for word in words if "=" in word])


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_shipped_recipe_names_a_schema_that_is_there(path):
    first = path.read_text(encoding="utf-8").splitlines()[0]
    name = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)[1]
    assert (path.parent / name).is_file()


def test_commands_print_the_pages(nlpt):
    assert nlpt("recipes", "reference")[1] == reference_page(SCHEMA)
    assert nlpt("recipes", "reference", "--migrating")[1] == migrating_page(SCHEMA)
    assert nlpt("recipes", "reference", "--auto")[1] == auto_page()


# --- copies and the list --------------------------------------------------------------------------


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_copy_says_nothing_of_the_original(nlpt, path):
    code, out, err = nlpt("recipes", "copy", path.stem, "my own.yaml")
    assert code == 0, err
    text = Path("my own.yaml").read_text()
    head = text[: text.index("name: ")]
    assert "name: my-own\n" in text
    assert "Expected" not in head
    assert "# nlpt finetune --recipe 'my own.yaml'\n" in head
    assert f"finetune --recipe {path.stem}" not in head
    assert ("# Data licence: " in head) == ("# Data licence: " in path.read_text())
    name = re.match(r"# yaml-language-server: \$schema=(\S+)\n", head)[1]
    assert json.loads(Path(name).read_text()) == SCHEMA.root
    copy, original = load_recipe("my own.yaml"), load_recipe(path.stem)
    assert copy.name == "my-own"
    assert copy == original.model_copy(update={"name": "my-own"})
    assert "nlpt finetune --recipe 'my own.yaml'" in out


def test_a_copy_of_a_recipe_in_one_line_is_renamed(nlpt):
    Path("a.yaml").write_text('{"name": "a", "task": "ner", "data": {"source": "x/y"}, '
                              '"model": {"checkpoint": "b/c"}, "strategies": "full"}')  # fmt: skip
    assert nlpt("recipes", "copy", "a.yaml", "b.yaml")[0] == 0
    assert load_recipe("b.yaml").name == "b"


@pytest.mark.parametrize("name", ["mine", "mine.txt", "mine.conll"])
def test_a_copy_is_a_yaml_file(nlpt, name):
    code, _, err = nlpt("recipes", "copy", "quickstart-ner", name)
    assert code == 2
    assert f"Write {name}.yaml" in err
    assert not list(Path().iterdir())


def test_the_list_is_not_wrapped_in_a_pipe(nlpt):
    _, out, _ = nlpt("recipes", "list")
    rows = out.strip().splitlines()
    assert len(rows) == 1 + len(RECIPES)
    for path in RECIPES:
        recipe = load_recipe(str(path))
        (row,) = [row for row in rows if row.startswith(f"{path.stem} ")]
        assert row.rstrip().endswith(recipe.description)
