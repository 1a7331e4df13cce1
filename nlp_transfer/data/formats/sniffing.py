"""The first bytes of a file in, what it is out: whatever its name says."""

from __future__ import annotations

import csv
import gzip
import re
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path

from nlp_transfer.data.grouping import known_column
from nlp_transfer.data.spelling import TAG, are_tags
from nlp_transfer.data.text_file import open_binary
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
_FASTTEXT = re.compile(r"__label__\S")


def read_head(path: Path) -> bytes:
    """Read the first bytes of a file, unpacked.

    raises: UserError where it cannot be read, or is of a kind that is not read at all
    """
    try:
        with open_binary(path) as stream:
            head = stream.read(HEAD_BYTES)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"{path}: this is not a whole gzip file: {error}.") from None
    except OSError as error:
        raise UserError(f"{path}: this file cannot be read: {error}.") from None
    _refuse_foreign(path, head)
    return head


def _refuse_foreign(path: Path, head: bytes) -> None:
    found = next(((kind, cure) for mark, kind, cure in _FOREIGN if head.startswith(mark)), None)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        found = _kind_of_zip(path)
    elif head[257:262] == b"ustar":
        found = ("a tar archive", _UNPACK)
    elif _BZIP2.match(head):
        found = ("a bzip2 archive", "Unpack it: bunzip2 FILE (of packed files only gzip is read).")
    elif _PICKLE.match(head):
        found = ("a Python pickle", _CODE)
    if found:
        raise _refusal(path, *found)


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


def _kind_of_zip(path: Path) -> tuple[str, str]:
    """Tell office documents from other zip archives by the files in them."""
    try:
        with zipfile.ZipFile(path) as archive:
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


def sample_lines(text: str, *, cut: bool) -> list[str]:
    """Return the lines of the beginning of a file without their ends; of a cut one whole lines."""
    lines = re.split(r"\r\n|\r|\n", text)
    return lines[:-1] if cut and len(lines) > 1 else lines


def is_fasttext(lines: list[str]) -> bool:
    """Tell fastText's lines: `__label__x` before each text."""
    filled = [line for line in lines if line.strip()]
    return bool(filled) and all(_FASTTEXT.match(line) for line in filled)


def is_tagged(lines: list[str]) -> bool:
    """Tell CoNLL columns named .tsv from a table, by a column of tags that has no header."""
    rows = [line.split("\t") for line in lines if line.strip() and not line.startswith("#")]
    if not rows or (known_column(rows[0], "tokens") and not any(map(TAG.fullmatch, rows[0]))):
        return False
    columns = zip(*(row for row in rows if len(row) == len(rows[0])), strict=True)
    return any(are_tags(column) for column in columns)


def is_conll(lines: list[str]) -> bool:
    """Tell CoNLL columns from plain text: every line has a tag, in the same column."""
    if any(re.match(r"-DOCSTART-(\s|$)", line) for line in lines):
        return True
    rows = [
        line.split("\t") if "\t" in line else line.split()
        for line in lines
        if line.strip() and not re.match(r"#\s", line)
    ]
    if len(rows) < 2 or len({len(row) for row in rows}) > 1 or len(rows[0]) < 2:
        return False
    return any(
        all(TAG.fullmatch(value.strip()) for value in column) and any("-" in v for v in column)
        for column in zip(*rows, strict=True)
    )


def table_format(
    lines: list[str], known: Collection[str], separator: str | None = None
) -> str | None:
    """Tell CSV or TSV by a header: names of which one is known, and as many fields below it.

    separator: the one that is told; else the comma, the tab, or what stands for the comma
    """
    if not lines or not all(line.strip() for line in lines[:-1]):
        return None  # sentences of CoNLL columns
    for delimiter in [separator] if separator else [",", "\t", ";", "|"]:
        if len(delimiter) == 1 and _is_header(lines, delimiter, known):
            return "tsv" if delimiter == "\t" else "csv"
    # One column alone: a comma in it is a comma.
    return "tsv" if len(lines) > 1 and lines[0].strip().casefold() in known else None


def _is_header(lines: list[str], delimiter: str, known: Collection[str]) -> bool:
    try:
        if delimiter == "\t":
            rows = [line.split(delimiter) for line in lines if line]
        else:
            rows = [row for row in csv.reader(lines, delimiter=delimiter) if row]
    except csv.Error:
        return False
    names = [field.strip().casefold() for field in rows[0]] if rows else []
    # The last record may go on behind the sample.
    whole = all(len(row) == len(names) for row in rows[:-1])
    return len(names) > 1 and len({*names, ""}) > len(names) and whole and bool({*names} & {*known})
