"""The shape of the code itself: which room may import which, how large a module may grow."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import nlp_transfer
from nlp_transfer import load_recipe

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "nlp_transfer"
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))
MODULES = sorted(PACKAGE.rglob("*.py"))

# From the top of the house to its ground. A room imports only from itself and from rooms below.
ROOMS = (
    "cli",
    "flows",
    "serving",
    "studies",
    "comparisons",
    "publish",
    "report",
    "runs",
    "engines",
    "training",
    "onnx",
    "inference",
    "strategies",
    "tasks",
    "doctor",
    "metrics",
    "models",
    "data",
    "hub",
    "logs",
    "processes",
    "recipe",
    "manifest",
    "files",
    "records",
    "shown",
    "secrets",
    "errors",
)


FACADE = "__init__"


def room_of(module: Path, package: Path = PACKAGE) -> str:
    return module.relative_to(package).parts[0].removesuffix(".py")


def imported_rooms(module: Path, root: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, room) of every import, those in functions and under TYPE_CHECKING too.

    A name that is no room is one of the facade's; the version is everybody's.
    """
    package = ("nlp_transfer", *module.relative_to(root).parts[:-1])
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            up = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*up, *([node.module] if node.module else [])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        for name in names:
            root_name, _, inside = name.partition(".")
            if root_name == "nlp_transfer" and inside != "__version__":
                room = inside.partition(".")[0]
                yield node.lineno, room if room in ROOMS else FACADE


def upward_imports(module: Path, package: Path = PACKAGE) -> list[str]:
    above = [FACADE, *ROOMS]
    above = above[: above.index(room_of(module, package))]
    return [
        f"{module.relative_to(package)}:{line} imports {room}"
        for line, room in imported_rooms(module, package)
        if room in above
    ]


def test_the_readme_shows_the_rooms_in_their_order():
    tree = (ROOT / "README.md").read_text("utf-8").partition("nlp_transfer/\n")[2]
    shown = re.findall(r"^  (\w+)(?:/|\.py)", tree.partition("```")[0], re.MULTILINE)
    assert tuple(shown) == ROOMS


def test_every_room_is_there_and_every_module_lives_in_one():
    assert {room_of(module) for module in MODULES} - {"__main__"} == {FACADE, *ROOMS}


def test_no_room_imports_from_a_room_above_it():
    assert [fault for m in MODULES if m.stem != "__main__" for fault in upward_imports(m)] == []


def test_an_upward_import_is_noticed_wherever_it_stands(tmp_path):
    module = tmp_path / "data" / "sly.py"
    module.parent.mkdir(parents=True)
    module.write_text(
        "from typing import TYPE_CHECKING\n"
        "from nlp_transfer import tasks\n"
        "if TYPE_CHECKING:\n"
        "    from nlp_transfer.training.trainer import Trainer\n"
        "def late():\n"
        "    from ..report import pages\n"
        "    import nlp_transfer.cli.app\n"
        "    from nlp_transfer import finetune\n"
        "    from nlp_transfer import __version__\n"
        "    from nlp_transfer.errors import UserError\n"
        "    from .tags import spans\n"
    )
    assert [fault.rpartition(" ")[2] for fault in sorted(upward_imports(module, tmp_path))] == [
        "tasks",
        "training",
        "report",
        "cli",
        FACADE,
    ]


def test_the_facade_holds_nothing_back_and_nothing_more():
    """What type checkers see is what is imported on first use: the flows, and their values."""
    seen = {
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse((PACKAGE / "__init__.py").read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("nlp_transfer.")
        for alias in node.names
    }
    offered = set(nlp_transfer.__all__) - {"__version__"}
    assert {name.rpartition(".")[2] for name in seen} == offered
    assert all(getattr(nlp_transfer, name) for name in offered)
    flows = {
        node.name
        for module in (PACKAGE / "flows").glob("*.py")
        for node in ast.parse(module.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }
    assert offered - flows == {"Ensemble", "Predictor", "Report", "UserError"}
    assert flows - offered == set()


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_stays_short(module):
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 250


Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(module: Path) -> Iterator[tuple[str, Function]]:
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, Function):
            yield f"{module.relative_to(PACKAGE)}:{node.name}", node


def length(function: Function) -> int:
    return (function.end_lineno or 0) - function.lineno + 1


def test_functions_stay_short():
    lengths = {name: length(node) for module in MODULES for name, node in functions(module)}
    assert [name for name, lines in lengths.items() if lines > 60] == []
    long = [name for name, lines in lengths.items() if lines > 40]
    assert len(long) <= len(lengths) / 100, long


def test_hardly_a_parameter_is_of_any_type():
    parameters = [
        (name, ast.unparse(each.annotation))
        for module in MODULES
        for name, node in functions(module)
        for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        if each.annotation
    ]
    untyped = [name for name, annotation in parameters if annotation == "Any"]
    assert len(untyped) <= 0.015 * len(parameters), untyped
    assert [m for m in MODULES if "Recipe[Any, Any]" in m.read_text("utf-8")] == []


COMMANDS = sorted(
    module.stem
    for module in (PACKAGE / "cli").glob("*.py")
    if f"\ndef {module.stem}(" in module.read_text("utf-8")
)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_a_flow_a_thin_file_and_a_line(name):
    """A flow reads as a whole; the file in cli/ parses and prints; cli/app.py lists it."""

    def code(room: str) -> int:
        own = [node for _, node in functions(PACKAGE / room / f"{name}.py")]
        told = [doc.body[0] for doc in own if ast.get_docstring(doc)]
        return sum(map(length, own)) - sum(map(length, told))

    assert code("flows") <= 60
    assert code("cli") <= 60
    computing = ROOMS[ROOMS.index("publish") : ROOMS.index("data")]
    computing = set(computing) - {"report", "tasks"}  # a table to print, names to choose from
    imported = {room for _, room in imported_rooms(PACKAGE / "cli" / f"{name}.py", PACKAGE)}
    assert imported & computing == set()
    app = (PACKAGE / "cli" / "app.py").read_text("utf-8")
    assert app.count(f"    ({name}.{name}, ") == 1


def test_contributing_names_files_and_tests_that_there_are():
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    named = re.findall(r"`(tests/\w+\.py)::(\w+)`", text)
    assert len(named) == 4
    for file, test in named:
        assert f"\ndef {test}(" in (ROOT / file).read_text("utf-8")
    for path in re.findall(r"`((?:[\w]+/)+(?:\w+\.py)?)`", text):
        assert (ROOT / path).exists() or (PACKAGE / path).exists(), path
    glossary = text.partition("## Words")[2].partition("##")[0].strip().splitlines()
    assert len(glossary) <= 25


def test_nothing_is_called_utils():
    assert [m for m in MODULES if m.stem in ("utils", "helpers", "misc", "common")] == []


@pytest.mark.parametrize(
    "code",
    [
        "import nlp_transfer",
        "import nlp_transfer.recipe",
        "import nlp_transfer; nlp_transfer.load_recipe('quickstart-ner').as_yaml()",
    ],
)
def test_reading_a_recipe_imports_no_torch(code, tmp_path):
    heavy = "{'torch', 'transformers', 'datasets'} & set(sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; print({heavy} or 'light')"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "light"


def test_recipes_are_shipped():
    assert len(RECIPES) >= 17


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_shipped_recipe_parses_under_its_own_name(path):
    assert load_recipe(str(path)).name == path.stem


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_shipped_recipe_opens_with_command_expectation_and_licence(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    header = [line for line in lines[: lines.index(f"name: {path.stem}")] if line.strip()]
    assert all(line.startswith("#") for line in header)
    assert header[:2] == [
        "# yaml-language-server: $schema=recipe.schema.json",
        f"# nlpt finetune --recipe {path.stem}",
    ]
    assert any(line.startswith("# Expected: ") for line in header)
    assert any(line.startswith("# Data licence: ") for line in header)
