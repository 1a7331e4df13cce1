"""A path in; its bytes, lines or text out, gzip or not, with errors that name file and place."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import io
import os
import zlib
from collections.abc import Generator, Iterator
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


class DataFile:
    """A file that is opened once, however often it is looked into before it is read.

    It opens when it is first asked for its content, and closes at the end of its `with` block.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._raw: BinaryIO | None = None
        self._stream: BinaryIO | None = None
        self._most = _MOST

    def __enter__(self) -> DataFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the handle back; what is read after that opens the file anew."""
        if self._raw is not None:
            self._raw.close()
        self._raw = self._stream = None

    def begin(self) -> BinaryIO:
        """Go back to the first byte, unpacked if the file is gzip by its first bytes or its name.

        returns: the handle, which every other way to read the file has too
        """
        if self._raw is None or self._stream is None:
            self._raw = self._stream = self.path.open("rb")
            if self._raw.read(2) == b"\x1f\x8b" or self.path.suffix.lower() == ".gz":
                self._raw.seek(0)
                self._stream = cast(BinaryIO, _Unpacked(self.path, self._raw))
                self._most = _MOST_PACKED
        self._stream.seek(0)
        return self._stream

    def lines(
        self, encoding: str, errors: Errors = "strict", *, newline: str | None = None
    ) -> Generator[str, None, None]:
        """Read line by line from the beginning, without a byte order mark.

        errors:  "replace" reads bytes that are not in the encoding as U+FFFD
        newline: None reads every line end as \\n, "" leaves them as they are
        raises:  UserError that names the first byte that is not in the encoding, the line of a
                 NUL, or a line that no memory should have to hold
        """
        with self._decoded(encoding, errors, newline) as text:
            most = self._most
            # Only \n, \r\n and \r end a line: str.splitlines() would also cut at U+2028 in a word.
            for number, line in enumerate(iter(partial(text.readline, most + 1), ""), start=1):
                if len(line) > most:
                    raise UserError(
                        f"{self.path}:{number}: this line has more than {most:,} characters. "
                        "Write one example a line."
                    )
                if "\0" in line:
                    raise self._nul(number)
                yield line

    def text(self, encoding: str, errors: Errors = "strict", *, newline: str | None = None) -> str:
        """Read the whole file as text."""
        with self._decoded(encoding, errors, newline) as text:
            most = self._most
            whole = text.read(most + 1)
        if len(whole) > most:
            raise UserError(
                f"{self.path}: this document has more than {most:,} characters, which must be read "
                "at once. Write one example a line (JSON lines), or several files."
            )
        if "\0" in whole:
            raise self._nul(whole[: whole.index("\0")].count("\n") + 1)
        return whole

    @contextlib.contextmanager
    def _decoded(
        self, encoding: str, errors: Errors, newline: str | None
    ) -> Iterator[io.TextIOWrapper]:
        """Decode the file; what goes wrong while it is read becomes a UserError."""
        codec = self._codec(encoding)
        try:
            text = io.TextIOWrapper(self.begin(), encoding=codec, errors=errors, newline=newline)
            try:
                yield text
            finally:
                with contextlib.suppress(ValueError):  # closed by now, as it should be
                    text.detach()  # the handle is not the decoder's to close
        except UnicodeDecodeError:
            raise self._undecodable(encoding, codec) from None
        except UnicodeError as error:
            raise UserError(f"{self.path}: cannot be read as {encoding}: {error}.") from None
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UserError(f"{self.path}: this is not a whole gzip file: {error}.") from None
        except OSError as error:
            raise UserError(f"{self.path}: cannot be read: {error.strerror or error}.") from None

    def _nul(self, line: int) -> UserError:
        return UserError(
            f"{self.path}:{line}: there is a NUL byte. Remove it, or name the file's encoding "
            "(utf-16?) with data.encoding=..."
        )

    def _codec(self, encoding: str) -> str:
        """Check the encoding against the first bytes; take the byte order mark of UTF-8 as one."""
        name = codecs.lookup(encoding).name
        head = b""
        with contextlib.suppress(OSError, EOFError, zlib.error):  # reading it says it clearly
            head = self.begin().read(4)
        for wide, marks in _MARKS.items():  # the longer marks first: UTF-32's begins with UTF-16's
            mark = next((mark for mark in marks if head.startswith(mark)), None)
            if mark and not name.startswith(("utf-16", "utf-32")):
                raise UserError(
                    f"{self.path}: this looks like {wide.upper()} (byte order mark "
                    f"{mark.hex(' ').upper()}), not {encoding}. Read it with data.encoding={wide}."
                )
        return "utf-8-sig" if name == "utf-8" else encoding

    def _undecodable(self, encoding: str, codec: str) -> UserError:
        """Find the first byte that is not in the encoding."""
        decoder = codecs.getincrementaldecoder(codec)("strict")
        offset = line = 0
        stream = self.begin()
        while True:
            chunk = stream.read(_CHUNK_BYTES)
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                # The decoder may hold bytes of the chunk before; its view ends where ours does.
                start = len(chunk) - len(error.object) + error.start
                line += chunk[: max(0, start)].count(b"\n") + 1
                return UserError(
                    f"{self.path}:{line}: byte 0x{error.object[error.start]:02X} at offset "
                    f"{offset + start} is not {encoding}. Save the file as UTF-8, name its "
                    "encoding (latin-1?) with data.encoding=..., or read such bytes as U+FFFD "
                    "with data.encoding_errors=replace."
                )
            if not chunk:
                return UserError(f"{self.path}: cannot be read as {encoding}.")
            offset += len(chunk)
            line += chunk.count(b"\n")


def read_lines(path: Path, *, encoding: str, errors: Errors = "strict") -> Iterator[str]:
    """Read a text file line by line, line ends as \\n, and close it."""
    with DataFile(path) as file:
        yield from file.lines(encoding, errors)


def read_text(path: Path, *, encoding: str, errors: Errors = "strict") -> str:
    """Read a whole text file, line ends as \\n, and close it."""
    with DataFile(path) as file:
        return file.text(encoding, errors)


class _Unpacked(gzip.GzipFile):
    """A packed file that ends with an error where it holds what no text does: 1 MB of gigabytes."""

    def __init__(self, path: Path, packed: BinaryIO) -> None:
        super().__init__(fileobj=packed, mode="rb")
        self._path = path
        self._most_bytes = max(_MOST_UNPACKED, _MOST_RATIO * os.fstat(packed.fileno()).st_size)

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
