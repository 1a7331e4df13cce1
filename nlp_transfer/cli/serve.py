"""`nlpt serve`: models, answering over HTTP."""

from __future__ import annotations

from dataclasses import fields
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
BodyOption = Annotated[
    int, typer.Option("--max-body", min=1, help="Bytes of one request, at most.")
]
TextsOption = Annotated[
    int, typer.Option("--max-texts", min=1, help="Texts of one request, at most.")
]
CharactersOption = Annotated[
    int, typer.Option("--max-characters", min=1, help="Characters of one text, at most.")
]
WaitingOption = Annotated[
    int,
    typer.Option(
        "--max-waiting", min=1, help="Characters that wait, at most; beyond: 503 with Retry-After."
    ),
]
ConnectionsOption = Annotated[
    int, typer.Option("--max-connections", min=1, help="Connections at once, at most.")
]
ClientOption = Annotated[
    float,
    typer.Option(
        "--client-timeout",
        min=0.1,
        help="Seconds in which a client has sent its request, and taken its answer.",
    ),
]
AnswerOption = Annotated[
    float, typer.Option("--timeout", min=0.1, help="Seconds for an answer; beyond: 503.")
]
DockerOption = Annotated[
    bool,
    typer.Option("--dockerfile", help="Print a Dockerfile that does so on port 8000, and end."),
]


_HANDED_ON = (
    "host", "port", "token_env", "no_token", "engine", "device", "precision", "scheme", "words",
    "min_precision", "coverage",
)  # fmt: skip
_OF_A_CONTAINER = ("models", "host", "port", "token_env", "no_token", "adapter", "dockerfile")
"""What a Dockerfile says by itself."""


def _repeated(context: typer.Context) -> list[str]:
    """Write the options that were given as a command line has them, for a container."""
    given = []
    for option in context.command.params:
        name = str(option.name)
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE" and name not in _OF_A_CONTAINER:
            given += [option.opts[0], str(context.params[name])]
    return given


def serve(
    context: typer.Context,
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
    body_bytes: BodyOption = Limits.body_bytes,
    texts: TextsOption = Limits.texts,
    characters: CharactersOption = Limits.characters,
    waiting_characters: WaitingOption = Limits.waiting_characters,
    connections: ConnectionsOption = Limits.connections,
    client_seconds: ClientOption = Limits.client_seconds,
    answer_seconds: AnswerOption = Limits.answer_seconds,
    dockerfile: DockerOption = False,
) -> None:
    """Answer over HTTP what nlpt predict answers, until Ctrl-C or SIGTERM.

    Example: nlpt serve runs/quickstart-ner --port 8000
    """
    start_logging()
    from nlp_transfer.flows.serve import dockerfile as write_dockerfile
    from nlp_transfer.flows.serve import serve as serve_models

    asked, chosen = context.params, adapter or ()
    if dockerfile:
        token = None if no_token else token_env or "NLPT_TOKEN"
        options = _repeated(context)
        typer.echo(
            write_dockerfile(
                *models, adapters=chosen, engine=engine, token_env=token, arguments=options
            )
        )
        return
    limits = Limits(**{field.name: asked[field.name] for field in fields(Limits)})
    handed_on = {name: asked[name] for name in _HANDED_ON}
    serve_models(*models, adapters=chosen, limits=limits, **handed_on)
