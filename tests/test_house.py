"""The shape of the code itself: which room may import which, how large a module may grow."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import nlp_transfer
from nlp_transfer import load_recipe

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "nlp_transfer"
RECIPES = sorted((ROOT / "recipes").rglob("*.yaml"))
MODULES = sorted(PACKAGE.rglob("*.py"))

# From the top of the house to its ground. A room imports only from itself and from rooms below.
ROOMS = (
    "cli",
    "flows",
    "publish",
    "report",
    "runs",
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
    "files",
    "records",
    "secrets",
    "errors",
)


def room_of(module: Path, package: Path = PACKAGE) -> str:
    return module.relative_to(package).parts[0].removesuffix(".py")


def imported_rooms(module: Path, root: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, room) of every import, those in functions and under TYPE_CHECKING too."""
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
            parts = name.split(".")
            if parts[0] == "nlp_transfer" and parts[1:] and parts[1] in ROOMS:
                yield node.lineno, parts[1]


def upward_imports(module: Path, package: Path = PACKAGE) -> list[str]:
    own = ROOMS.index(room_of(module, package))
    return [
        f"{module.relative_to(package)}:{line} imports {room}"
        for line, room in imported_rooms(module, package)
        if ROOMS.index(room) < own
    ]


def test_every_module_lives_in_a_known_room():
    rooms = {room_of(module) for module in MODULES} - {"__init__", "__main__"}
    assert rooms <= set(ROOMS)


def test_no_room_imports_from_a_room_above_it():
    inside = [m for m in MODULES if room_of(m) not in ("__init__", "__main__")]
    assert [fault for module in inside for fault in upward_imports(module)] == []


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
        "    from nlp_transfer.errors import UserError\n"
        "    from .tags import spans\n"
    )
    assert [fault.rpartition(" ")[2] for fault in sorted(upward_imports(module, tmp_path))] == [
        "tasks",
        "training",
        "report",
        "cli",
    ]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_stays_short(module):
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 350


def test_the_package_offers_every_flow_and_the_values_they_deal_in():
    flows = {
        node.name
        for module in (PACKAGE / "flows").glob("*.py")
        for node in ast.parse(module.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }
    assert set(nlp_transfer.__all__) - flows == {
        "Ensemble", "Predictor", "Report", "UserError", "__version__",
    }  # fmt: skip
    assert flows - set(nlp_transfer.__all__) == set()
    assert all(hasattr(nlp_transfer, name) for name in nlp_transfer.__all__)


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
