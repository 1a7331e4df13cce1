"""The repository's own files in; out what the site shows beside the pages of docs/.

MkDocs calls `on_config` and `on_files`; mkdocstrings' reader of source code calls the extension.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import griffe
import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pymdownx.slugs import slugify

DOCS = Path(__file__).parent
FIELD = re.compile(r"([\w*]+(?:, [\w*]+)*): +(.*)")
"""A line of a docstring that says something of a parameter, of what is returned or raised."""


def on_config(config: MkDocsConfig) -> None:
    """Name headings as repositories do: a link to one leads there in both."""
    config.mdx_configs["toc"]["slugify"] = slugify(case="lower")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add README.md as the first page, and the notebook as a page that can be read."""
    readme = (DOCS.parent / "README.md").read_text("utf-8")
    first = re.sub(r"\]\(docs/([\w-]+)\.(?:md|ipynb)", r"](\1.md", readme)
    files.append(File.generated(config, "index.md", content=first))
    journey = notebook_page(DOCS / "journey.ipynb")
    files.append(File.generated(config, "journey.md", content=journey))
    return files


def notebook_page(path: Path) -> str:
    """Write a notebook, with what its cells printed, as Markdown."""
    parts = []
    for cell in nbformat.read(path, as_version=4).cells:
        is_code = cell.cell_type == "code"
        parts.append(_fenced(cell.source, "python") if is_code else cell.source)
        parts += [_shown(output) for output in cell.get("outputs", ())]
    return "\n\n".join([*parts, f"[This page as a notebook]({path.name})"])


def _shown(output: nbformat.NotebookNode) -> str:
    if output.output_type == "stream":
        return _fenced(output.text, "text")
    if "text/html" in output.data:
        return f'<div class="output">\n{output.data["text/html"]}\n</div>'
    return _fenced(output.data["text/plain"], "text")


def _fenced(text: str, language: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```"


class OurDocstrings(griffe.Extension):
    """Make Markdown of the docstrings that the public API has: a sentence, fields, an example."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            paragraphs = obj.docstring.value.split("\n\n")
            obj.docstring.value = "\n\n".join(map(_as_markdown, paragraphs))


def _as_markdown(paragraph: str) -> str:
    if paragraph.startswith(">>> "):
        return _fenced(paragraph, "pycon")
    if not FIELD.match(paragraph):
        return paragraph
    return "\n".join(map(_as_item, paragraph.splitlines()))


def _as_item(line: str) -> str:
    field = FIELD.match(line)
    if not field:
        return f"    {line.strip()}"
    names = field[1].replace(", ", "`, `")
    return f"- `{names}`: {field[2]}"
