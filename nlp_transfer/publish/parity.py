"""What was pushed, downloaded again: it must answer as the model that was measured."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from nlp_transfer.data.items import ItemReader
from nlp_transfer.data.words import split_words
from nlp_transfer.errors import UserError, shortened
from nlp_transfer.inference.predictor import Predictor
from nlp_transfer.publish.push import Pushed
from nlp_transfer.tasks.optional import Line

if TYPE_CHECKING:
    from huggingface_hub import HfApi

log = logging.getLogger(__name__)

_EXAMPLES = 200
_READ = ("tokens", "text", "text_pair")


def check_parity(
    api: HfApi, pushed: Pushed, lines: Sequence[Line], models: Sequence[tuple[str, Path]]
) -> None:
    """Download what was pushed into an empty cache, and let it answer beside the models here.

    lines:  as predictions.jsonl has them
    models: engine and folder of each model that was pushed
    raises: UserError where any answer differs
    """
    from huggingface_hub import snapshot_download

    if not lines:
        log.warning("there are no examples to check what was pushed by")
        return
    with TemporaryDirectory(prefix="nlpt-parity-") as cache:
        fresh = snapshot_download(
            pushed.repo, revision=pushed.commit, cache_dir=cache, endpoint=api.endpoint
        )
        for engine, folder in models:
            own, theirs = (
                _answers(Predictor.from_run(model, engine=engine), lines[:_EXAMPLES])
                for model in (folder, fresh)
            )
            pairs = enumerate(zip(own, theirs, strict=True), start=1)
            wrong = [str(number) for number, (mine, other) in pairs if mine != other]
            if wrong:
                raise UserError(
                    f"{pushed.repo} at commit {pushed.commit} does not answer as {folder} does "
                    f"({engine}): {len(wrong)} of {len(own)} examples differ, in predictions.jsonl "
                    f"lines {shortened(wrong, 5)}. It is on the Hub as it is: do "
                    "not use it, and publish again."
                )
            log.info("downloaded again, it gives the same %d answers (%s)", len(own), engine)


def _answers(model: Predictor, lines: Sequence[Line]) -> list[Sequence[Any]]:
    """Predict examples; returns the tags or labels of each."""
    results = model.task.results
    reader = ItemReader({}, None, word_lists=results.word_lists)
    given = ({key: line[key] for key in _READ if key in line} for line in lines)
    items = (reader.item(one, number) for number, one in enumerate(given, 1))
    rows = [results.row(item, partial(split_words, rule="unicode")) for item in items]
    return [prediction.answers for prediction in model.predict(rows)]
