"""Labelled CoNLL folders in; their names as a dictionary, and their sentences as texts, out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path


def write_names(sources: Iterable[Path], of_types: Path, target: Path) -> None:
    """Write names.tsv and texts.txt of what others have labelled, types of one data set alone.

    sources:  folders with train.txt and dev.txt, a word, a tab and its tag a line
    of_types: a file of the same form, whose types are looked for
    target:   gets a name, a tab and its type a line; and a sentence a line. A name of two types is
              left out.
    """
    if (target / "texts.txt").is_file():
        return
    types = {tag[2:] for sentence in _sentences(of_types) for _, tag in sentence}
    files = [source / name for source in sources for name in ("train.txt", "dev.txt")]
    sentences = [sentence for file in files for sentence in _sentences(file)]
    found: dict[str, set[str]] = {}
    for sentence in sentences:
        for name, kind in _names(sentence):
            found.setdefault(name, set()).add(kind)
    rows = ((name, *kinds) for name, kinds in sorted(found.items()) if len(kinds) == 1)
    lines = [f"{name}\t{kind}\n" for name, kind in rows if kind in types]
    (target / "names.tsv").write_text("".join(lines), "utf-8")
    texts = [" ".join(word for word, _ in sentence) + "\n" for sentence in sentences]
    (target / "texts.txt").write_text("".join(texts), "utf-8")


def _sentences(file: Path) -> Iterator[list[tuple[str, str]]]:
    """Read word and tag of each sentence."""
    for block in file.read_text("utf-8").split("\n\n"):
        lines = [line.split("\t") for line in block.split("\n") if "\t" in line]
        if lines:
            yield [(word, tag) for word, tag, *_ in lines]


def _names(sentence: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """List the entities of a sentence in IOB2, and their types."""
    words: list[str] = []
    kind = ""
    for word, tag in [*sentence, ("", "O")]:
        if words and not tag.startswith("I-"):
            yield " ".join(words), kind
            words = []
        if tag != "O":
            words, kind = [*words, word], tag[2:]
