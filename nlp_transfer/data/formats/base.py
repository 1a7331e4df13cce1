"""What a format is: how it is recognised, read and written, and which keys of a recipe it uses."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, TextIO

from nlp_transfer.data.formats.refused import HEAD_BYTES, read_head, refuse_page
from nlp_transfer.data.formats.results import Result
from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.text_file import DataFile
from nlp_transfer.recipe import DataSection

if TYPE_CHECKING:
    from pathlib import Path

# Keys of the data section that go together: a format names those that it uses.
TEXT_KEYS = frozenset({"encoding", "encoding_errors"})
TAG_KEYS = frozenset({"scheme", "repair", "fold_case", "entity_type"})
SPAN_KEYS = frozenset({"offsets", "misaligned", "overlapping"})
ROW_KEYS = TAG_KEYS | SPAN_KEYS | {"drop_missing", "slices"}
"""Of rows whose columns may hold anything."""


@dataclass(frozen=True)
class Look:
    """What can be seen of a file or folder before it is read."""

    file: DataFile
    data: DataSection
    promised: str
    """The format of its extension; "" where that says nothing."""
    annotated: bool
    """Labels are looked for."""

    @cached_property
    def folder(self) -> Path | None:
        """The path, where it is a folder."""
        return self.file.path if self.file.path.is_dir() else None

    @cached_property
    def head(self) -> bytes:
        """The first bytes, unpacked; none of a folder."""
        return b"" if self.folder else read_head(self.file)

    @cached_property
    def text(self) -> str:
        """The first bytes as text, from the first character that is not white space."""
        try:
            text = self.head.decode(self.data.encoding, errors="replace")
        except (LookupError, ValueError):
            text = self.head.decode("latin-1")  # reading says what is wrong with the encoding
        return text.lstrip("\ufeff \t\r\n")

    @cached_property
    def is_json(self) -> bool:
        """Whether an object begins, or a list of them: a bare { may be a word of a CoNLL file."""
        return bool(re.match(r'(\[\s*)?\{\s*["}]', self.text))

    @cached_property
    def lines(self) -> list[str]:
        """The first lines without their ends, whole ones if there are more; none of JSON.

        raises: UserError for a web page
        """
        if self.is_json or self.folder:
            return []
        refuse_page(self.file.path, self.text)
        lines = re.split(r"\r\n|\r|\n", self.text)
        return lines[:-1] if len(self.head) == HEAD_BYTES and len(lines) > 1 else lines


class Read(Protocol):
    """Reads the rows of a file or folder.

    annotated: False reads words or texts alone, whatever their labels
    """

    def __call__(
        self, file: DataFile, data: DataSection, *, annotated: bool
    ) -> Iterator[RawRow]: ...


@dataclass(frozen=True, kw_only=True)
class Writer:
    """How results are written: to one stream, or as a folder of files."""

    needs: tuple[frozenset[str], ...] = (frozenset(),)
    """Keys that a result must have: all of one of these sets."""
    to_stream: Callable[[Iterable[Result], TextIO], None] | None = None
    to_folder: Callable[[Iterable[Result], Path], None] | None = None
    extension: str = ".jsonl"
    """Of files that are named after an input."""

    def can_hold(self, keys: Collection[str]) -> bool:
        """Tell whether results with these keys can be written."""
        return any(needed <= set(keys) for needed in self.needs)


@dataclass(frozen=True, kw_only=True)
class Format:
    """A format, under the name that recipes and `--to` know it by."""

    name: str
    recognises: Callable[[Look], bool] = lambda _: False
    extensions: tuple[str, ...] = ()
    """What promises the format, where no format recognises the content."""
    keys: frozenset[str] = frozenset()
    """Keys of the data section that it uses, of those that not every source does."""
    has_numbered_columns: bool = False
    """Columns of a recipe are numbers here: there is no place for names."""
    read: Read | None = None
    """None: it is only written."""
    label_names: Callable[[DataFile], Mapping[str, tuple[str, ...]]] = lambda _: {}
    """Names of integer labels that a file declares, by column."""
    splits: Callable[[DataFile, DataSection], Mapping[str, Iterable[RawRow]]] = lambda *_: {}
    """The rows of each split of one file that holds several; nothing where it holds one."""
    writer: Writer | None = None
    """None: it is only read."""
