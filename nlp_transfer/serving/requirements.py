"""What a server needs of its surroundings, said before anything is imported for it."""

from __future__ import annotations

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
    missing = [name for name in ("fastapi", "uvicorn", "prometheus_client") if not find_spec(name)]
    if missing:
        raise UserError(
            f"nlpt serve needs {', '.join(missing)}, which is not installed: "
            "pip install 'nlp-transfer[serve]'"
        )
