"""The tokenized data of a recipe, kept on disk under a key of all that it depends on."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from nlp_transfer import __version__
from nlp_transfer.data.arrow_tables import cache_folder
from nlp_transfer.files import write_json
from nlp_transfer.manifest import is_kept, verifiable_folder
from nlp_transfer.models.build import LoadedModel
from nlp_transfer.processes import is_main_process
from nlp_transfer.records import EncodedSplit, LossLedger, Splits
from nlp_transfer.strategies.context import TransferRecipe
from nlp_transfer.training.encoding import encode

_LEDGER = "ledger.json"
_LAYOUT = 4  # of the folder; another one is another key


def prepared_folder(
    recipe: TransferRecipe, splits: Splits, split: str, loaded: LoadedModel
) -> Path:
    """Name the folder of one tokenized split by the content of data, tokenizer and options."""
    tokenizer = json.loads(loaded.tokenizer.backend_tokenizer.to_str())
    # What the last call asked for, not what the tokenizer is.
    del tokenizer["truncation"], tokenizer["padding"]
    parts = {
        "version": __version__,
        "layout": _LAYOUT,
        "rows": splits.fingerprints[split],
        "labels": loaded.model.config.label2id,
        "tokenizer": tokenizer,
        "task": recipe.task.model_dump(mode="json"),
        "max_pieces": recipe.model.max_pieces,
        "overlap": recipe.model.overlap,
    }
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return cache_folder() / "prepared" / hashlib.sha256(text.encode()).hexdigest()[:32]


def encode_or_load(
    recipe: TransferRecipe, splits: Splits, split: str, loaded: LoadedModel, *, processes: int
) -> EncodedSplit:
    """Load what `nlpt prepare` has built for exactly this data, or encode it now.

    processes: encode with so many and keep the result for the next time; 0: now, and not kept,
               but where what was kept is damaged
    """
    from datasets import Dataset, concatenate_datasets

    folder = prepared_folder(recipe, splits, split, loaded)
    if is_kept(folder):
        ledger = LossLedger(**json.loads((folder / _LEDGER).read_text("utf-8")))
        files = sorted(folder.glob("windows-*.arrow"))
        windows = concatenate_datasets([Dataset.from_file(str(file)) for file in files])
        return EncodedSplit(windows, ledger)
    encoded = encode(recipe.task, splits[split], loaded, recipe.model, processes=processes)
    is_damaged = folder.is_dir()
    if processes or (is_damaged and is_main_process()):
        _save(folder, encoded)
    return encoded


def _save(folder: Path, encoded: EncodedSplit) -> None:
    """Keep a tokenized split; a folder is either whole or not there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with verifiable_folder(folder, replace=True) as temporary:
        # Files are copied, not saved from memory: a million sentences would be mapped for it.
        for number, file in enumerate(encoded.windows.cache_files):
            shutil.copyfile(file["filename"], temporary / f"windows-{number:05}.arrow")
        write_json(temporary / _LEDGER, encoded.ledger.as_dict())
