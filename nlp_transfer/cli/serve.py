"""`nlpt serve`: models, answering over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nlp_transfer.cli.console import DeviceOption, EngineOption, SchemeOption, start_logging
from nlp_transfer.cli.predict import (
    CoverageOption,
    MinPrecisionOption,
    PrecisionOption,
    WordsOption,
)
from nlp_transfer.serving.limits import Limits

Models = Annotated[
    list[str],
    typer.Argument(
        metavar="[NAME=]MODEL...",
        help="Run folder, model folder or Hub id; several each answer by their names.",
    ),
]
AdapterOption = Annotated[
    list[Path] | None,
    typer.Option(
        help="Run or folder of an adapter of MODEL, which is its base. Several: each answers by "
        "the name of its run."
    ),
]
HostOption = Annotated[
    str, typer.Option(help="Address to listen on; 0.0.0.0: all of this machine's.")
]
PortOption = Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")]
TokenOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Environment variable that holds the token which clients must send.",
        show_default=False,
    ),
]
NoTokenOption = Annotated[
    bool, typer.Option("--no-token", help="Let other machines ask without a token.")
]
BodyOption = Annotated[int, typer.Option(min=1, help="Bytes of one request, at most.")]
TextsOption = Annotated[int, typer.Option(min=1, help="Texts of one request, at most.")]
CharactersOption = Annotated[int, typer.Option(min=1, help="Characters of one text, at most.")]
WaitingOption = Annotated[
    int, typer.Option(min=1, help="Characters that wait, at most; beyond: 503 with Retry-After.")
]
ConnectionsOption = Annotated[int, typer.Option(min=1, help="Connections at once, at most.")]
ClientOption = Annotated[
    float,
    typer.Option(
        min=0.1, help="Seconds in which a client has sent its request, and taken its answer."
    ),
]
AnswerOption = Annotated[float, typer.Option(min=0.1, help="Seconds for an answer; beyond: 503.")]
DockerOption = Annotated[
    bool, typer.Option("--dockerfile", help="Print a Dockerfile for this command, and end.")
]


def serve(
    models: Models,
    adapter: AdapterOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8000,
    token_env: TokenOption = None,
    no_token: NoTokenOption = False,
    engine: EngineOption = "auto",
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    scheme: SchemeOption = None,
    words: WordsOption = None,
    min_precision: MinPrecisionOption = None,
    coverage: CoverageOption = None,
    max_body: BodyOption = Limits.body_bytes,
    max_texts: TextsOption = Limits.texts,
    max_characters: CharactersOption = Limits.characters,
    max_waiting: WaitingOption = Limits.waiting_characters,
    max_connections: ConnectionsOption = Limits.connections,
    client_timeout: ClientOption = Limits.client_seconds,
    timeout: AnswerOption = Limits.answer_seconds,
    dockerfile: DockerOption = False,
) -> None:
    """Answer over HTTP what nlpt predict answers, until Ctrl-C or SIGTERM.

    Example: nlpt serve runs/quickstart-ner --port 8000
    """
    start_logging()
    from nlp_transfer.flows.serve import serve as serve_models

    limits = Limits(
        body_bytes=max_body,
        texts=max_texts,
        characters=max_characters,
        waiting_characters=max_waiting,
        connections=max_connections,
        client_seconds=client_timeout,
        answer_seconds=timeout,
    )
    serve_models(
        *models,
        adapters=adapter or (),
        host=host,
        port=port,
        token_env=token_env,
        no_token=no_token,
        limits=limits,
        engine=engine,
        device=device,
        precision=precision,
        scheme=scheme,
        words=words,
        min_precision=min_precision,
        coverage=coverage,
    )
