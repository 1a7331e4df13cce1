"""A process that waits for another in vain: what libraries raise then in, one clear line out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from nlp_transfer.errors import LostProcessError


@contextlib.contextmanager
def noticing_lost(minutes: float) -> Iterator[None]:
    """Say that another process has ended, or did not answer in time.

    minutes: that one waits for another
    raises:  LostProcessError
    """
    try:
        yield
    except RuntimeError as error:
        if not _is_of_exchange(error):
            raise
        raise LostProcessError(
            f"another process of this run has ended, or did not answer within {minutes:g} min "
            "(training.timeout_minutes), so all end; the same command goes on from the last "
            f"checkpoint. {str(error).splitlines()[0]:.200}"
        ) from error


def _is_of_exchange(error: RuntimeError) -> bool:
    """Tell what an exchange between processes raises; of gloo it has no type of its own."""
    from torch.distributed import DistError

    return isinstance(error, DistError) or "/gloo/" in str(error)
