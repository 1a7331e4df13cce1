"""An installed wheel finds in an empty folder what a checkout has."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and unpack it, which is what installing one does."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def _nlpt(installed: Path, folder: Path, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "nlp_transfer", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_the_shipped_recipes_come_with_it(installed: Path, tmp_path: Path) -> None:
    where = _nlpt(installed, tmp_path, "recipes", "list")
    assert "quickstart-ner" in where
    here, there = ROOT / "recipes", installed / "nlp_transfer" / "recipes"
    shipped = {path.relative_to(there) for path in there.rglob("*") if path.is_file()}
    assert shipped == {path.relative_to(here) for path in here.rglob("*") if path.is_file()}


def test_data_templates_and_types_come_with_it(installed: Path) -> None:
    package, source = installed / "nlp_transfer", ROOT / "nlp_transfer"
    for path in source.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert (package / path.relative_to(source)).is_file(), path


def test_it_reads_the_quickstart_data(installed: Path, tmp_path: Path) -> None:
    out = _nlpt(installed, tmp_path, "inspect", "--recipe", "quickstart-ner", "--json")
    assert '"task": "ner"' in out
