"""Models, answering over HTTP, here or in a container.

check -> take the address -> load the models -> answer until a signal comes
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nlp_transfer.errors import UserError
from nlp_transfer.logs import lines_shown
from nlp_transfer.serving.access import Token, check_open, listen
from nlp_transfer.serving.limits import Limits
from nlp_transfer.serving.requirements import check_can_serve


@lines_shown()
def serve(
    *models: str | Path,
    adapters: Sequence[str | Path] = (),
    host: str = "127.0.0.1",
    port: int = 8000,
    token_env: str | None = None,
    no_token: bool = False,
    limits: Limits | None = None,
    engine: str = "auto",
    device: str = "auto",
    precision: str = "auto",
    scheme: str | None = None,
    words: str | None = None,
    min_precision: float | None = None,
    coverage: float | None = None,
) -> None:
    """Answer over HTTP what `predict` answers, until a signal comes.

    models:    run folders, model folders or Hub ids, or NAME=MODEL; each answers by its name
    adapters:  runs or folders of adapters, whose base is the one model; each answers by its name
    port:      0: any that is free
    token_env: environment variable that holds the token which clients must send; None: none
    no_token:  let other machines ask without one
    limits:    what clients may send; None: the defaults
    engine, device, precision, scheme, words, min_precision, coverage: as `Predictor.from_run` has
               them
    raises:    UserError for what cannot be served; Interrupted at the end
    """
    check_can_serve()
    token = None if token_env is None else Token.of_environment(token_env)
    check_open(host, token, no_token=no_token)
    from nlp_transfer.inference.opening import Opening
    from nlp_transfer.serving.models import load_models
    from nlp_transfer.serving.server import run
    from nlp_transfer.serving.worker import cores_for_worker

    opening = Opening(
        models=models,
        adapters=adapters,
        device=device,
        precision=precision,
        engine=engine,
        scheme=scheme,
        words=words,
        min_precision=min_precision,
        coverage=coverage,
    )
    with listen(host, port) as listener, cores_for_worker() as cores:
        run(listener, load_models(opening), limits or Limits(), token, cores)


def dockerfile(
    *models: str | Path,
    adapters: Sequence[str | Path] = (),
    engine: str = "auto",
    token_env: str | None = "NLPT_TOKEN",
    arguments: Sequence[str] = (),
) -> str:
    """Write a Dockerfile that serves models, to be built in the current folder.

    models:    run folders or model folders in it, or NAME=FOLDER
    adapters:  refused: one model is made of each first
    engine:    as `Predictor.from_run` has it
    token_env: environment variable that holds the token which clients must send; None: none
    arguments: further ones of `nlpt serve`
    raises:    UserError for what is no such folder
    """
    from nlp_transfer.serving.dockerfile import dockerfile_of
    from nlp_transfer.serving.models import names_of

    if adapters:
        raise UserError(
            "--dockerfile: adapters are not put into images. Make a model of each: nlpt merge RUN "
            "-o FOLDER"
        )
    named = names_of([str(model) for model in models])
    return dockerfile_of(named, arguments, engine=engine, token_env=token_env)
