"""The first bytes of a file in; a clear refusal out where they are of a kind that is not read."""

from __future__ import annotations

import gzip
import re
import zipfile
import zlib
from pathlib import Path

from nlp_transfer.data.text_file import DataFile
from nlp_transfer.errors import UserError

HEAD_BYTES = 1 << 14

_UNPACK = "Unpack it, and name the file in it (of packed files only gzip is read)."
_SAVE_TEXT = "Save its text as a UTF-8 text file, a text a line, or as CSV."
_SHEET = "Save the sheet as CSV (UTF-8) and name that file."
_COLUMNS = "Write its columns to Parquet, CSV or JSON lines."
_CODE = "Loading one may run code. " + _COLUMNS

# What begins with these bytes is none of the formats that are read: its name, and what to do.
_FOREIGN: tuple[tuple[bytes, str, str], ...] = (
    (b"\xfd7zXZ\0", "an xz archive", "Unpack it: unxz FILE (of packed files only gzip is read)."),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "Unpack it: unzstd FILE (only gzip is read)."),
    (b"\x04\x22\x4d\x18", "an lz4 archive", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Word or Excel file (.doc, .xls)",
     "Save a text as UTF-8 text, a sheet as CSV (UTF-8), and name that file."),
    (b"%PDF-", "a PDF", _SAVE_TEXT),
    (b"{\\rtf", "a Rich Text document (RTF)", _SAVE_TEXT),
    (b"%!PS", "a PostScript document", _SAVE_TEXT),
    (b"SQLite format 3\0", "an SQLite database", _COLUMNS),
    (b"\x93NUMPY", "a NumPy array", _COLUMNS),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", _COLUMNS),
    (b"Obj\x01", "an Avro file", _COLUMNS),
    (b"\x89PNG\r\n\x1a\n", "a PNG image", "Name a file of texts."),
    (b"\xff\xd8\xff", "a JPEG image", "Name a file of texts."),
    (b"GIF8", "a GIF image", "Name a file of texts."),
    (b"version https://git-lfs.github.com/", "a Git LFS pointer, not the file itself",
     "Fetch the file: git lfs pull."),
)  # fmt: skip
_BZIP2 = re.compile(rb"BZh[1-9](1AY&SY|\x17\x72\x45\x38\x50\x90)")
_PICKLE = re.compile(rb"\x80[\x02-\x05][\x95(}\]c\x8cX]")
_PAGE = re.compile(r"<(!doctype html|html|head)\b", re.IGNORECASE)


def read_head(file: DataFile) -> bytes:
    """Read the first bytes of a file, unpacked.

    raises: UserError where it cannot be read, or is of a kind that is not read at all
    """
    try:
        head = file.begin().read(HEAD_BYTES)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"{file.path}: this is not a whole gzip file: {error}.") from None
    except OSError as error:
        raise UserError(f"{file.path}: this file cannot be read: {error}.") from None
    _refuse_foreign(file, head)
    return head


def _refuse_foreign(file: DataFile, head: bytes) -> None:
    found = next(((kind, cure) for mark, kind, cure in _FOREIGN if head.startswith(mark)), None)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        found = _kind_of_zip(file)
    elif head[257:262] == b"ustar":
        found = ("a tar archive", _UNPACK)
    elif _BZIP2.match(head):
        found = ("a bzip2 archive", "Unpack it: bunzip2 FILE (of packed files only gzip is read).")
    elif _PICKLE.match(head):
        found = ("a Python pickle", _CODE)
    if found:
        raise _refusal(file.path, *found)


def _refusal(path: Path, kind: str, cure: str) -> UserError:
    return UserError(f"{path}: by its content this is {kind}, which is not read. {cure}")


def refuse_page(path: Path, text: str) -> None:
    """Refuse a web page: what a download gives where a login stands before the file."""
    if _PAGE.match(text):
        raise _refusal(
            path,
            "a web page (HTML)",
            f"Was the download refused? {_SAVE_TEXT} A web page a line is read with "
            "data.format=text.",
        )


def _kind_of_zip(file: DataFile) -> tuple[str, str]:
    """Tell office documents from other zip archives by the files in them."""
    try:
        with zipfile.ZipFile(file.begin()) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        names = []
    folders = {name.partition("/")[0] for name in names}
    if "xl" in folders:
        return "an Excel workbook (.xlsx)", _SHEET
    if "word" in folders:
        return "a Word document (.docx)", _SAVE_TEXT
    if "ppt" in folders:
        return "a PowerPoint file (.pptx)", _SAVE_TEXT
    if "content.xml" in names:
        return "an OpenDocument file (.ods, .odt)", "Save a sheet as CSV (UTF-8), a text as text."
    if any(name.endswith("data.pkl") for name in names):
        return "a PyTorch file", _CODE
    if any(name.endswith(".npy") for name in names):
        return "an archive of NumPy arrays (.npz)", _COLUMNS
    return "a zip archive", _UNPACK
