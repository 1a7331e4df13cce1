"""What disks, copies and crashes make of files, and how a command may answer to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Damage = Callable[[bytes], bytes] | None


def _one_bit(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


DAMAGES: dict[str, Damage] = {
    "half of it": lambda content: content[: len(content) // 2],
    "nothing": lambda _: b"",
    "zeros": lambda content: bytes(len(content)),
    "one bit": _one_bit,
    "garbage": lambda content: b"\xff\x00}{" * (len(content) // 4 + 1),
    "gone": None,
}


def change(file: Path, damage: Damage) -> None:
    """Damage a file; None: it is gone."""
    if damage is None:
        file.unlink()
    else:
        file.write_bytes(damage(file.read_bytes()))


def made_by_hand(folder: Path) -> Path:
    """Take the manifests out of a copy that a test is to change: nothing can be verified then."""
    for manifest in folder.rglob("manifest.json"):
        manifest.unlink()
    return folder


def refused(code: int, out: str, err: str, *named: object) -> bool:
    """Tell whether a command has ended with nothing but one line that names what is wrong."""
    lines = [line for line in err.splitlines() if line.startswith(("error: ", "Traceback"))]
    return (
        (code, out) == (2, "")
        and len(lines) == 1
        and err.splitlines()[-1] == lines[0]
        and all(str(name) in lines[0] for name in named)
    )
