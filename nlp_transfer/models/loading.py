"""A model's folder in; its configuration, tokenizer, weights and adapters out.

The only place of the package that calls `from_pretrained` and `from_config`: no code that lies
beside the weights is run unless a recipe trusts it (`model.trust_remote_code`), nothing is asked on
standard input, and weights are safetensors or pickles of nothing but tensors.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_transfer.errors import UserError, shortened
from nlp_transfer.models.damage import explaining_damage, quiet_transformers
from nlp_transfer.models.hostile import check_files, check_size, weight_files
from nlp_transfer.models.readout import has_readout, hold_readout

if TYPE_CHECKING:
    from peft import PeftConfig, PeftModel
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
    from transformers.models.auto.auto_factory import _BaseAutoModelClass

    AutoClass = type[_BaseAutoModelClass]

ADAPTER_FILE = "adapter_config.json"
CONFIG_FILE = "config.json"
ADAPTED_FILE = "model_config.json"
"""What config.json is called beside an adapter: transformers takes a folder on disk with both for
a whole model, and misses its weights. Adapters of earlier versions have it as config.json."""
_IN_NO_VOCABULARY = "\U00013000"  # a hieroglyph
"""A damaged tokenizer may have no piece for what it does not know: it fails at some later text."""
_ADAPTERS = "adapter_model*.bin"


@dataclass(frozen=True)
class Weights:
    """How the weights in a model's files went with what its configuration asks for."""

    missing: frozenset[str]
    """Parameters that are not in the files; they start at random."""
    resized: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
    """Those of another size in the files: (size there, size wanted); they start at random too."""
    unused: frozenset[str]
    """Weights in the files that the model has no place for."""

    @property
    def random(self) -> frozenset[str]:
        """Every parameter that starts at random."""
        return self.missing | frozenset(self.resized)


def config_file(folder: Path) -> Path:
    """Name the file with the labels and settings of a model, or of the model an adapter makes."""
    adapted = folder / ADAPTED_FILE
    return adapted if adapted.is_file() else folder / CONFIG_FILE


def load_config(folder: Path, setting: str, *, trust_remote_code: bool = False) -> PreTrainedConfig:
    """Read a model's configuration.

    setting: the argument or recipe key that named the model, for error messages
    """
    from transformers import AutoConfig

    with quiet_transformers(), explaining_damage(folder, setting):
        config = AutoConfig.from_pretrained(
            config_file(folder), trust_remote_code=trust_remote_code, local_files_only=True
        )
    # It may name a kernel on the Hub to be fetched and run. Ours is set by `set_attention`.
    config._attn_implementation = None
    return config


def load_model(
    auto_class: AutoClass,
    folder: Path,
    config: PreTrainedConfig,
    setting: str,
    *,
    trust_remote_code: bool = False,
) -> tuple[PreTrainedModel, Weights]:
    """Build a model and read its weights, in fp32; what the files lack starts at random.

    auto_class: of transformers
    returns:    the model, and how its weights went with the files: the caller judges that
    """
    files = weight_files(folder, "pytorch_model*.bin")
    if (folder / ADAPTER_FILE).is_file() and files == weight_files(folder, _ADAPTERS):
        base = load_adapter_config(folder, setting).base_model_name_or_path
        raise UserError(
            f"{setting}: {folder} holds an adapter ({ADAPTER_FILE}), no whole model. Name its base "
            f"({base}), or the folder of a run whose model/ has the adapter in it."
        )
    if not files:
        raise UserError(f"{setting}: {folder} holds no weights, only {_listing(folder)}.")
    check_files(files, setting)
    check_size(config, files, f"{setting}: {folder}")
    with quiet_transformers(), explaining_damage(folder, setting):
        model, info = auto_class.from_pretrained(
            folder,
            config=config,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            trust_remote_code=trust_remote_code,
            local_files_only=True,
            dtype="float32",
        )
    resized = {
        name: (tuple(there), tuple(wanted)) for name, there, wanted in info["mismatched_keys"]
    }
    missing = frozenset(info["missing_keys"]) - resized.keys()
    if has_readout(config):
        missing -= hold_readout(model, missing, f"{setting}: {folder}")
    return model, Weights(missing, resized, frozenset(info["unexpected_keys"]))


def without_weights(
    config: PreTrainedConfig, folder: Path, setting: str, *, trust_remote_code: bool = False
) -> PreTrainedModel:
    """Build the encoder that a configuration describes; its weights take no memory."""
    import torch
    from transformers import AutoModel

    with torch.device("meta"), quiet_transformers(), explaining_damage(folder, setting):
        model: PreTrainedModel = AutoModel.from_config(config, trust_remote_code=trust_remote_code)
    return model


def load_adapter_config(folder: Path, setting: str) -> PeftConfig:
    """Read what an adapter is, and which model it is for."""
    from peft import PeftConfig

    with explaining_damage(folder, setting):
        adapter = PeftConfig.from_pretrained(str(folder))
    if getattr(adapter, "megatron_config", None):  # names a module to be imported
        raise UserError(
            f"{setting}: the adapter in {folder} is for Megatron, which is not read here."
        )
    return adapter


def adapter_weights(folder: Path, setting: str) -> frozenset[str]:
    """Name the weights that an adapter's files hold, as peft does."""
    from peft.utils.save_and_load import load_peft_weights

    check_files(weight_files(folder, _ADAPTERS), setting)
    with explaining_damage(folder, setting):
        return frozenset(load_peft_weights(str(folder), device="cpu"))


def load_adapter(
    model: PreTrainedModel, folder: Path, adapter: PeftConfig, setting: str
) -> PeftModel:
    """Put an adapter on its base model.

    raises: UserError where its files lack some of its weights
    """
    from peft import PeftModel, get_peft_model_state_dict

    stored = adapter_weights(folder, setting)
    with quiet_transformers(), explaining_damage(folder, setting), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # we say ourselves what is missing
        adapted = PeftModel.from_pretrained(model, str(folder), config=adapter)
        absent = sorted(get_peft_model_state_dict(adapted).keys() - stored)
    if absent:
        raise UserError(
            f"{setting}: the adapter in {folder} lacks {len(absent)} of its weights ({absent[0]}). "
            "Copy it again, or train it anew."
        )
    return adapted


def load_tokenizer(
    folder: Path, setting: str = "model.checkpoint", *, trust_remote_code: bool = False
) -> PreTrainedTokenizerBase:
    """Load the fast tokenizer of a model, with a blank before words where it needs one.

    setting: the argument or recipe key that named the model, for error messages
    """
    from transformers import AutoTokenizer

    def load(**extra: bool) -> PreTrainedTokenizerBase:
        with quiet_transformers():
            return AutoTokenizer.from_pretrained(
                folder, trust_remote_code=trust_remote_code, local_files_only=True, **extra
            )

    with explaining_damage(folder, setting, what="the tokenizer"):
        tokenizer = load()
        # A byte-level BPE spells a word differently after a blank. Found from the tokenizer
        # itself: lists of model names go stale.
        if tokenizer.is_fast and '"ByteLevel"' in tokenizer.backend_tokenizer.to_str():
            tokenizer = load(add_prefix_space=True)
            _put_blank_before_words(tokenizer)
        tokenizer(_IN_NO_VOCABULARY)
    if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):
        # transformers builds one of nothing else, by which every word would be unknown.
        raise UserError(
            f"{setting}: {folder} holds no tokenizer, only {_listing(folder)}. Copy tokenizer.json "
            "and tokenizer_config.json of the model there."
        )
    if not tokenizer.is_fast:
        raise UserError(
            f"{setting}: {folder} has no fast tokenizer (tokenizer.json); it is needed to "
            "keep words and pieces together."
        )
    if tokenizer.pad_token_id is None:
        raise UserError(f"{setting}: the tokenizer of {folder} has no padding token.")
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


def _listing(folder: Path) -> str:
    return shortened(sorted(path.name for path in folder.iterdir()), 12) or "nothing"
