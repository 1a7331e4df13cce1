"""The folder of a run in, what it was made of and with out, for its card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nlp_transfer.runs.run_folder import RunFolder

_PACKAGES = ("torch", "transformers", "datasets", "accelerate", "peft")


@dataclass(frozen=True)
class Provenance:
    """Data, versions and hardware of a run."""

    splits: tuple[tuple[str, int, str], ...]
    """Name, examples and SHA-256 of each split that was read."""
    versions: str
    hardware: str

    @classmethod
    def read(cls, folder: RunFolder) -> Provenance | None:
        """Read what a run wrote when it began; None in a process that does not see the folder."""
        if not (folder.path / "environment.json").is_file():
            return None
        environment, data = folder.read_json("environment.json"), folder.read_json("data.json")
        splits = (
            (name, split["examples"], split["sha256"]) for name, split in data["splits"].items()
        )
        return cls(tuple(splits), _versions(environment), _hardware(environment))


def _versions(environment: Mapping[str, Any]) -> str:
    packages = environment["packages"]
    own = [f"nlp_transfer {environment['nlp_transfer']}", f"Python {environment['python']}"]
    return ", ".join([*own, *(f"{name} {packages[name]}" for name in _PACKAGES)])


def _hardware(environment: Mapping[str, Any]) -> str:
    cores = f"{environment['cores']} cores ({environment['processor_capability']})"
    gpus = environment["gpus"]
    return f"{len(gpus)} GPU ({', '.join(dict.fromkeys(gpus))}), {cores}" if gpus else cores
