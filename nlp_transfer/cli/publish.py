"""`nlpt publish`: a finished run to the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nlp_transfer.cli.console import start_logging


def publish(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Finished run folder.")],
    repo: Annotated[str, typer.Argument(metavar="REPO", help="On the Hub: owner/name.")],
    private: Annotated[bool | None, typer.Option(help="Create it private or public.")] = None,
) -> None:
    """Upload model, tokenizer, recipe, metrics and model card in one commit.

    Example: nlpt publish runs/quickstart-ner me/quickstart-ner
    """
    start_logging()
    from nlp_transfer.flows.publish import publish_model

    typer.echo(publish_model(run, repo, private=private))
