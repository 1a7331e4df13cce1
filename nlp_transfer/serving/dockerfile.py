"""Models in, a Dockerfile that serves them out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from nlp_transfer import __version__
from nlp_transfer.errors import UserError
from nlp_transfer.inference.onnx_model import find_model
from nlp_transfer.models.loading import ADAPTER_FILE

_PORT = 8000
_READY = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{_PORT}/ready')"


def dockerfile_of(
    models: Mapping[str, str], arguments: Sequence[str], *, engine: str, token_env: str | None
) -> str:
    """Write a Dockerfile, to be built in the current folder.

    models:    by their names
    arguments: further ones of `nlpt serve`
    engine:    torch, onnx or auto, as `find_model` has them
    token_env: environment variable that holds the token; None: there is none
    raises:    UserError for what is no model, or lies elsewhere
    """
    if engine == "compiled":
        raise UserError(
            "--dockerfile: the image has no compiler for the machine that it will run on. Leave "
            "--engine out."
        )
    copies, served, extras = [], [], ["serve"]
    for number, (name, model) in enumerate(models.items(), start=1):
        folder, computing = find_model(model, engine, "MODEL")
        copies.append(_copy(folder, f"/models/{number}"))
        served.append(f"{name}=/models/{number}")
        if computing == "onnx":
            extras = ["serve", "export"]
    package = f"nlp-transfer[{','.join(extras)}]=={__version__}"
    token = ["--token-env", token_env] if token_env else ["--no-token"]
    address = ["--host", "0.0.0.0", "--port", str(_PORT)]
    command = ["nlpt", "serve", *served, *address, *token, *arguments]
    lines = [
        "# docker build -t models .",
        f"# docker run -p {_PORT}:{_PORT}{f' -e {token_env}' if token_env else ''} models",
        "FROM python:3.11-slim",
        f'RUN pip install --no-cache-dir "{package}"',
        "RUN useradd --create-home nlpt",
        *copies,
        "USER nlpt",
        "ENV HF_HUB_OFFLINE=1",
        f"EXPOSE {_PORT}",
        f"HEALTHCHECK --start-period=60s CMD {json.dumps(['python', '-c', _READY])}",
        f"ENTRYPOINT {json.dumps(command)}",
    ]
    return "\n".join(lines)


def _copy(folder: Path, into: str) -> str:
    if (folder / ADAPTER_FILE).is_file():
        raise UserError(
            f"--dockerfile: {folder} holds an adapter, whose base lies elsewhere. Make one model "
            "of them: nlpt merge RUN -o FOLDER"
        )
    here = Path.cwd().resolve()
    if not folder.resolve().is_relative_to(here):
        raise UserError(
            f"--dockerfile: {folder} lies outside of {here}, where Docker does not see it. Run the "
            "same command in a folder that holds the models."
        )
    return f"COPY {json.dumps([folder.resolve().relative_to(here).as_posix(), into])}"
