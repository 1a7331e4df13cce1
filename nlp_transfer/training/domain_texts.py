"""A recipe in, the texts that its checkpoint is to read before it is fine-tuned out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from nlp_transfer.data.unlabelled import unlabelled_items
from nlp_transfer.errors import UserError
from nlp_transfer.strategies.context import TransferRecipe
from nlp_transfer.training.fingerprints import Read, checkpoint_read


def read_texts_again(recipe: TransferRecipe) -> dict[str, Read]:
    """Fingerprint what a run of the recipe would read now, as data.json has it."""
    return {"read": texts_read(recipe, shuffled_texts(recipe))}


def texts_read(recipe: TransferRecipe, texts: Sequence[str], *, start: Path | None = None) -> Read:
    """Fingerprint the texts, and the checkpoint that reads them.

    start: its folder, where it is known
    """
    content = "\n".join(texts).encode("utf-8", "surrogatepass")
    own = {"sha256": hashlib.sha256(content).hexdigest(), "examples": len(texts)}
    return {"texts": own, **checkpoint_read(recipe, start=start)}


def shuffled_texts(recipe: TransferRecipe) -> list[str]:
    """Read all texts; the seed decides which of them are held out."""
    texts = list(_texts(recipe))
    if len(texts) < 2:
        raise UserError(
            f"{_origin(recipe)}: {len(texts)} text is too little: some are read, some are to "
            "measure on."
            if texts
            else f"{_origin(recipe)}: there is no text."
        )
    Random(recipe.training.seed).shuffle(texts)
    return texts


def _texts(recipe: TransferRecipe) -> Iterator[str]:
    """Read the texts of a file, or those of the training split; never those that are scored."""
    if (file := _file_of(recipe)) is not None:
        setting = "data.unlabelled" if recipe.pretraining.texts is None else "pretraining.texts"
        for _, item in unlabelled_items(file, setting=setting, data=recipe.data):
            yield " ".join(filter(None, (item.as_text(), item.text_pair)))
        return
    splits = recipe.task.rows.load(recipe.data)
    recipe.task.rows.check(splits, ("train",))
    yield from map(" ".join, recipe.task.rows.texts(splits["train"]))


def _file_of(recipe: TransferRecipe) -> str | None:
    """Name the file of texts, where there is one."""
    return recipe.pretraining.texts or recipe.data.unlabelled


def _origin(recipe: TransferRecipe) -> str:
    return _file_of(recipe) or recipe.data.source
