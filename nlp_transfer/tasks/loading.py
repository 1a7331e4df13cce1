"""A checkpoint's folder in, its tokenizer out; and what can go wrong with its files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_transfer.errors import UserError
from nlp_transfer.recipe import ModelSection

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def load_tokenizer(folder: Path, options: ModelSection) -> PreTrainedTokenizerBase:
    """Load the fast tokenizer of a checkpoint, with a blank before words where it needs one."""
    from transformers import AutoTokenizer

    def load(**extra: Any) -> PreTrainedTokenizerBase:
        with quiet_transformers():
            return AutoTokenizer.from_pretrained(
                folder, trust_remote_code=options.trust_remote_code, **extra
            )

    try:
        tokenizer = load()
        # A byte-level BPE spells a word differently after a blank. Found from the tokenizer
        # itself: lists of model names go stale.
        if tokenizer.is_fast and '"ByteLevel"' in tokenizer.backend_tokenizer.to_str():
            tokenizer = load(add_prefix_space=True)
            _put_blank_before_words(tokenizer)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise UserError(f"model.checkpoint: {folder} has no usable tokenizer: {error}") from None
    if not tokenizer.is_fast:
        raise UserError(
            f"model.checkpoint: {folder} has no fast tokenizer (tokenizer.json); it is needed to "
            "keep words and pieces together."
        )
    if tokenizer.pad_token_id is None:
        raise UserError(f"model.checkpoint: the tokenizer of {folder} has no padding token.")
    return tokenizer


def set_attention(model: PreTrainedModel, wanted: str) -> None:
    """Let a model compute attention as `model.attention` of a recipe says.

    raises: UserError where the model cannot, or a library or device is missing for it
    """
    if wanted == "auto":
        return
    try:
        model.set_attn_implementation(wanted)
    except (ImportError, ValueError) as error:
        raise UserError(f"model.attention: {wanted} cannot be used: {error}") from None
    if model.config._attn_implementation != wanted:
        raise UserError(
            f"model.attention: a {model.config.model_type!r} model computes attention in its own "
            f"way only, not as {wanted}. Leave model.attention out."
        )


def _put_blank_before_words(tokenizer: PreTrainedTokenizerBase) -> None:
    """Set what the generic tokenizer class, ModernBERT's for one, leaves of add_prefix_space."""
    from tokenizers import normalizers, pre_tokenizers

    if tokenizer.tokenize("a")[0].startswith("\u0120"):  # how a byte-level BPE spells a blank
        return
    backend = tokenizer.backend_tokenizer
    if isinstance(backend.pre_tokenizer, pre_tokenizers.ByteLevel):
        backend.pre_tokenizer.add_prefix_space = True
        return
    # Behind another splitter ByteLevel would put a blank before every part of a word.
    blank = normalizers.Prepend(" ")
    known = backend.normalizer
    backend.normalizer = normalizers.Sequence([known, blank]) if known else blank


@contextlib.contextmanager
def explaining_damage(folder: Path, setting: str) -> Iterator[None]:
    """Say which model cannot be read, and which setting names it."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{setting}: the model in {folder} cannot be read: {reason} "
            "Copy it again, or train it anew."
        ) from None


class quiet_transformers:  # noqa: N801 - reads as a verb at its place of use
    """Silence the load report and bars of transformers: we say ourselves what starts at random."""

    def __enter__(self) -> None:
        from transformers.utils import logging as hf_logging

        self._verbosity = hf_logging.get_verbosity()
        hf_logging.set_verbosity_error()
        hf_logging.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        from transformers.utils import logging as hf_logging

        hf_logging.set_verbosity(self._verbosity)
