"""`nlpt publish`: a finished run to the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nlp_transfer.cli.console import start_logging


def publish(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Finished run folder.")],
    repo: Annotated[str, typer.Argument(metavar="REPO", help="On the Hub: owner/name.")],
    private: Annotated[
        bool | None, typer.Option(help="Create it private (as it is otherwise) or public.")
    ] = None,
    revision: Annotated[
        str | None, typer.Option(metavar="BRANCH", help="Branch; made where there is none.")
    ] = None,
    create_pr: Annotated[
        bool, typer.Option("--create-pr", help="Open a pull request instead of writing.")
    ] = False,
    tag: Annotated[str | None, typer.Option(help="Name the commit so.")] = None,
    message: Annotated[str | None, typer.Option(help="Message of the commit.")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of another model.")
    ] = False,
    merge: Annotated[
        bool, typer.Option("--merge", help="Upload an adapter merged into its base.")
    ] = False,
    with_onnx: Annotated[
        bool, typer.Option("--with-onnx", help="Upload its ONNX model too.")
    ] = False,
    with_report: Annotated[
        bool, typer.Option("--with-report", help="Upload the report, without quoted data.")
    ] = False,
    check: Annotated[
        bool,
        typer.Option(help="Measure transformers' pipeline; download and compare after uploading."),
    ] = True,
    dry_run: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write the files there; send nothing.")
    ] = None,
) -> None:
    """Upload model, tokenizer, recipe, metrics and model card in one commit, and check them there.

    Example: nlpt publish runs/quickstart-ner me/quickstart-ner
    """
    start_logging()
    from nlp_transfer.flows.publish import publish_model, write_publication

    what = {"merge": merge, "with_onnx": with_onnx, "with_report": with_report, "check": check}
    if dry_run is not None:
        write_publication(run, repo, dry_run, **what)
        return
    url = publish_model(
        run,
        repo,
        private=private,
        revision=revision,
        create_pr=create_pr,
        tag=tag,
        message=message,
        replace=replace,
        **what,
    )
    typer.echo(url)
