"""What a server needs of its surroundings, said before anything is imported for it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from nlp_transfer.errors import UserError
from nlp_transfer.processes import world_size


def check_can_serve() -> None:
    """Refuse surroundings in which nothing can be served.

    raises: UserError
    """
    if world_size() > 1:
        raise UserError(
            f"nlpt serve runs in one process, not in {world_size()}. Start it once for each GPU: "
            "CUDA_VISIBLE_DEVICES=0 nlpt serve MODEL --port 8000"
        )
    _check_installed("serve", ("fastapi", "uvicorn", "prometheus_client"))


def check_can_demo() -> None:
    """Refuse surroundings in which nothing can be shown.

    raises: UserError
    """
    if world_size() > 1:
        raise UserError(
            f"nlpt demo runs in one process, not in {world_size()}. Start it without a launcher: "
            "nlpt demo RUN"
        )
    _check_installed("demo", ("gradio", "uvicorn"))


def _check_installed(command: str, needed: Sequence[str]) -> None:
    """Refuse a command whose extra, of the same name, is not there."""
    missing = [name for name in needed if not find_spec(name)]
    if missing:
        raise UserError(
            f"nlpt {command} needs {', '.join(missing)}, which is not installed: "
            f"pip install 'nlp-transfer[{command}]'"
        )
