"""Whatever the libraries say while they read a model in; one UserError, or nothing, out."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from pickle import UnpicklingError

from nlp_transfer.errors import UserError

_LONGEST_REASON = 300  # characters


@contextlib.contextmanager
def explaining_damage(
    folder: Path,
    setting: str,
    *,
    what: str = "the model",
    advice: str = "Copy it again, or train it anew.",
) -> Iterator[None]:
    """Say what cannot be read and why, which setting names it, and what to do.

    Every error counts: what damaged or hostile files raise in the libraries has no common class.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if "trust_remote_code" in str(error):
            reason = (
                "it needs code of its own, which only finetune and prepare run, where a recipe "
                "trusts it (docs/security.md)."
            )
            advice = "Take another model."
        else:
            reason = _reason(error)
        raise UserError(
            f"{setting}: {what} in {folder} cannot be read: {reason} {advice}"
        ) from None


def _reason(error: Exception) -> str:
    """Say in one line what is wrong with a file."""
    text = " ".join(str(error).split())
    if isinstance(error, UnpicklingError):
        return (
            "it is a pickle that holds more than tensors, or is damaged; it is not loaded, for it "
            "could run code."
        )
    if isinstance(error, AttributeError | TypeError | KeyError | IndexError | EOFError):
        text = f"its files do not hold what they should ({type(error).__name__}: {text})"
    sentence = re.split(r"(?<=[.!?]) (?=[A-Z])", text[:_LONGEST_REASON] or type(error).__name__)[0]
    return f"{sentence.rstrip('.')}."


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence the load report and bars of transformers: we say ourselves what starts at random."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
