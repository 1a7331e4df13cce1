"""`nlpt demo`: models, tried on a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nlp_transfer.cli.console import DeviceOption, EngineOption, start_logging
from nlp_transfer.cli.serve import HostOption, NoTokenOption, PortOption
from nlp_transfer.errors import UserError

Models = Annotated[
    list[str],
    typer.Argument(
        metavar="[NAME=]MODEL...",
        help="Run folder, model folder or Hub id; two answer side by side.",
    ),
]
TokenOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Environment variable that holds the token which visitors must know: their password.",
        show_default=False,
    ),
]
SpaceOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Write a Hugging Face Space that shows the page, and end.",
        show_default=False,
    ),
]
ModelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="OWNER/NAME",
        help="With --space: what the run was published as; by default the Space holds a copy.",
        show_default=False,
    ),
]


def demo(
    models: Models,
    host: HostOption = "127.0.0.1",
    port: PortOption = 7860,
    token_env: TokenOption = None,
    no_token: NoTokenOption = False,
    engine: EngineOption = "auto",
    device: DeviceOption = "auto",
    space: SpaceOption = None,
    model: ModelOption = None,
) -> None:
    """Try models on a page, until Ctrl-C or SIGTERM.

    Example: nlpt demo runs/quickstart-ner
    """
    start_logging()
    from nlp_transfer.flows.demo import demo as show
    from nlp_transfer.flows.demo import write_space

    if space is not None:
        write_space(*models, folder=space, published=model or ())
        return
    if model:
        raise UserError("--model: it names what a Space shows. Say --space FOLDER too.")
    show(
        *models,
        host=host,
        port=port,
        token_env=token_env,
        no_token=no_token,
        engine=engine,
        device=device,
    )
