"""A path in, decoded text lines out, gzip or not, with errors that name the file and the place."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal, cast

from nlp_transfer.errors import UserError

_CHUNK_BYTES = 1 << 16
# Characters of one line, or of one document. A packed file of 1 MB can hold a line of gigabytes.
_MOST, _MOST_PACKED = 1 << 28, 1 << 26
_MOST_RATIO, _MOST_UNPACKED = 100, 1 << 23  # text is packed to a tenth, CoNLL to a thirtieth
_MARKS = {
    "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
    "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
}
Errors = Literal["strict", "replace"]


def read_lines(
    path: Path, *, encoding: str, errors: Errors = "strict", newline: str | None = None
) -> Iterator[str]:
    """Read a text file line by line, without its byte order mark; gzip is unpacked.

    errors:  "replace" reads bytes that are not in the encoding as U+FFFD
    newline: None reads every line end as \\n, "" leaves them as they are
    raises:  UserError that names the first byte that is not in the encoding, the line of a NUL, or
             a line that no memory should have to hold
    """
    with _decoded(path, encoding, errors, newline) as text:
        most = _most(path)
        # Only \n, \r\n and \r end a line: str.splitlines() would also cut at U+2028 inside a word.
        for number, line in enumerate(iter(partial(text.readline, most + 1), ""), start=1):
            if len(line) > most:
                raise UserError(
                    f"{path}:{number}: this line has more than {most:,} characters. Write one "
                    "example a line."
                )
            if "\0" in line:
                raise _nul(path, number)
            yield line


def read_text(path: Path, *, encoding: str, errors: Errors = "strict") -> str:
    """Read a whole text file, line ends as \\n."""
    with _decoded(path, encoding, errors, None) as text:
        most = _most(path)
        whole = text.read(most + 1)
    if len(whole) > most:
        raise UserError(
            f"{path}: this document has more than {most:,} characters, which must be read at "
            "once. Write one example a line (JSON lines), or several files."
        )
    if "\0" in whole:
        raise _nul(path, whole[: whole.index("\0")].count("\n") + 1)
    return whole


@contextmanager
def _decoded(
    path: Path, encoding: str, errors: Errors, newline: str | None
) -> Iterator[io.TextIOWrapper]:
    """Open a file as text; what goes wrong while it is read becomes a UserError."""
    codec = _codec(path, encoding)
    try:
        with (
            open_binary(path) as stream,
            io.TextIOWrapper(stream, encoding=codec, errors=errors, newline=newline) as text,
        ):
            yield text
    except UnicodeDecodeError:
        raise _undecodable(path, encoding, codec) from None
    except UnicodeError as error:
        raise UserError(f"{path}: cannot be read as {encoding}: {error}.") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path}: this is not a whole gzip file: {error}.") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}.") from None


def _most(path: Path) -> int:
    return _MOST_PACKED if _is_packed(path) else _MOST


def _nul(path: Path, line: int) -> UserError:
    return UserError(
        f"{path}:{line}: there is a NUL byte. Remove it, or name the file's encoding (utf-16?) "
        "with data.encoding=..."
    )


def open_binary(path: Path) -> BinaryIO:
    """Open a file for reading bytes, unpacked if it is gzip by its first bytes or its name."""
    return cast(BinaryIO, _Unpacked(path)) if _is_packed(path) else path.open("rb")


def _is_packed(path: Path) -> bool:
    with path.open("rb") as stream:
        return path.suffix.lower() == ".gz" or stream.read(2) == b"\x1f\x8b"


class _Unpacked(gzip.GzipFile):
    """A packed file that ends with an error where it holds what no text does: 1 MB of gigabytes."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")
        self._path = path
        self._most_bytes = max(_MOST_UNPACKED, _MOST_RATIO * path.stat().st_size)

    def read(self, size: int | None = -1) -> bytes:
        return self._checked(super().read(size))

    def read1(self, size: int = -1) -> bytes:
        return self._checked(super().read1(size))

    def _checked(self, data: bytes) -> bytes:
        if self.tell() > self._most_bytes:
            raise UserError(
                f"{self._path}: it unpacks to more than {_MOST_RATIO} times its size, as no text "
                "does. If it is what you mean, unpack it first (gunzip)."
            )
        return data


def _codec(path: Path, encoding: str) -> str:
    """Check the encoding against the first bytes, and take the byte order mark of UTF-8 as one."""
    name = codecs.lookup(encoding).name
    try:
        with open_binary(path) as stream:
            head = stream.read(4)
    except (OSError, EOFError, zlib.error):
        head = b""  # reading it gives the clear error
    for wide, marks in _MARKS.items():  # the longer marks first: UTF-32's begins with UTF-16's
        mark = next((mark for mark in marks if head.startswith(mark)), None)
        if mark and not name.startswith(("utf-16", "utf-32")):
            raise UserError(
                f"{path}: this looks like {wide.upper()} (byte order mark "
                f"{mark.hex(' ').upper()}), not {encoding}. Read it with data.encoding={wide}."
            )
    return "utf-8-sig" if name == "utf-8" else encoding


def _undecodable(path: Path, encoding: str, codec: str) -> UserError:
    """Find the first byte that is not in the encoding."""
    decoder = codecs.getincrementaldecoder(codec)("strict")
    offset = line = 0
    with open_binary(path) as stream:
        while True:
            chunk = stream.read(_CHUNK_BYTES)
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                # The decoder may hold bytes of the chunk before; its view ends where ours does.
                start = len(chunk) - len(error.object) + error.start
                line += chunk[: max(0, start)].count(b"\n") + 1
                return UserError(
                    f"{path}:{line}: byte 0x{error.object[error.start]:02X} at offset "
                    f"{offset + start} is not {encoding}. Save the file as UTF-8, name its "
                    "encoding (latin-1?) with data.encoding=..., or read such bytes as U+FFFD "
                    "with data.encoding_errors=replace."
                )
            if not chunk:
                return UserError(f"{path}: cannot be read as {encoding}.")
            offset += len(chunk)
            line += chunk.count(b"\n")
