"""A path in, decoded text lines out, gzip or not, with errors that name the file and the place."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import TextIO

from nlp_transfer.errors import UserError


def open_text(path: Path, *, encoding: str, newline: str | None = None) -> TextIO:
    """Open a whole text file for reading, gzip by its name.

    newline: None reads every line end as \\n, "" leaves them as they are
    returns: a text stream without a byte order mark
    raises:  UserError that names the first byte that is not in the encoding
    """
    try:
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path}: this is not a whole gzip file: {error}.") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}.") from None
    try:
        text = data.decode("utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding)
    except LookupError:
        raise UserError(f"data.encoding: {encoding!r} is not a known encoding.") from None
    except UnicodeDecodeError as error:
        offset = error.start + len(data) - len(error.object)  # utf-8-sig counts from after the mark
        line = data[:offset].count(b"\n") + 1
        raise UserError(
            f"{path}:{line}: byte 0x{data[offset]:02X} at offset {offset} is not "
            f"{encoding}. Save the file as UTF-8, or name its encoding with data.encoding=..."
        ) from None
    # Only \n, \r\n and \r end a line: str.splitlines() would also cut at U+2028 inside a token.
    return io.StringIO(text, newline=newline)
