"""What a study needs of its surroundings, said before Optuna is imported."""

from __future__ import annotations

from importlib.util import find_spec

from nlp_transfer.errors import UserError
from nlp_transfer.processes import world_size


def check_can_study() -> None:
    """Refuse surroundings in which no study can run.

    raises: UserError
    """
    if world_size() > 1:
        raise UserError(
            f"nlpt study runs in one process, not in {world_size()}: each of its workers trains "
            "models of its own. Start the same command several times instead, one a GPU: "
            "CUDA_VISIBLE_DEVICES=0 nlpt study ..., CUDA_VISIBLE_DEVICES=1 nlpt study ..."
        )
    if find_spec("optuna") is None:
        raise UserError(
            "nlpt study needs Optuna, which is not installed: pip install 'nlp-transfer[tune]'"
        )
