"""Models, tried on a page; here, or as a Hugging Face Space.

check -> take the address -> load the models -> show the page until a signal comes
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from nlp_transfer import files
from nlp_transfer.errors import UserError
from nlp_transfer.logs import lines_shown
from nlp_transfer.serving.access import Token, check_open, listen
from nlp_transfer.serving.requirements import check_can_demo

log = logging.getLogger(__name__)

_MOST_MODELS = 2


@lines_shown()
def demo(
    *models: str | Path,
    host: str = "127.0.0.1",
    port: int = 7860,
    token_env: str | None = None,
    no_token: bool = False,
    engine: str = "auto",
    device: str = "auto",
) -> None:
    """Show a page on which models are tried, until a signal comes.

    models:    one or two run folders, model folders or Hub ids, or NAME=MODEL; two answer side by
               side
    port:      0: any that is free
    token_env: environment variable that holds the token which visitors must know; None: none
    no_token:  let other machines ask without one; reports, which quote the test split, then stay
               out
    engine, device: as `Predictor.from_run` has them
    raises:    UserError for what cannot be shown
    """
    check_can_demo()
    token = None if token_env is None else Token.of_environment(token_env)
    check_open(host, token, no_token=no_token)
    from nlp_transfer.inference.opening import Opening
    from nlp_transfer.serving.demo.server import find_report, run
    from nlp_transfer.serving.models import load_models

    named = _named(models)
    opening = Opening(
        models=models,
        adapters=(),
        device=device,
        precision="auto",
        engine=engine,
        scheme=None,
        words=None,
        min_precision=None,
        coverage=None,
    )
    reports = [None if no_token else find_report(model) for model in named.values()]
    with listen(host, port) as listener:
        run(listener, load_models(opening), reports, token)


@lines_shown()
def write_space(*runs: str | Path, folder: str | Path, published: Sequence[str] = ()) -> None:
    """Write a Hugging Face Space that shows the page of `demo`; nothing is sent.

    runs:      one or two finished run folders, or NAME=RUN
    folder:    a new one, or an empty one
    published: the models on the Hub, owner/name, that the runs were published as, in their order;
               none: the Space holds a copy of what publishing would send
    raises:    UserError for a run that is not finished, or a folder that holds something
    """
    check_can_demo()
    from nlp_transfer.serving.demo.space import check_published
    from nlp_transfer.serving.demo.space import write_space as write

    named, target = _named(runs), Path(folder)
    check_published(named, published)
    files.check_new_folder(target, "--space")
    with files.whole_folder(target) as beside:
        write(named, published, beside)
    log.info(
        "the Space is in %s; `hf upload OWNER/NAME FOLDER . --repo-type space` sends it", target
    )


def _named(models: Sequence[str | Path]) -> dict[str, str]:
    from nlp_transfer.serving.models import names_of

    named = names_of([str(model) for model in models])
    if not 1 <= len(named) <= _MOST_MODELS:
        raise UserError(f"MODEL: {len(named)} models. The page shows one, or two side by side.")
    return named
