"""Models in, a page on which visitors ask them until a signal comes."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from signal import Signals

from fastapi import FastAPI
from fastapi.responses import FileResponse, Response

from nlp_transfer.inference.adapters import run_of
from nlp_transfer.inference.predictor import Predictor
from nlp_transfer.processes.scratch import scratch_folder
from nlp_transfer.serving.access import Token, url_of
from nlp_transfer.serving.app import failed
from nlp_transfer.serving.demo.guard import Guard
from nlp_transfer.serving.demo.limits import FILE_BYTES, LIMITS
from nlp_transfer.serving.models import first_answer
from nlp_transfer.serving.server import answer_until_signal

log = logging.getLogger(__name__)

_REPORTS = {"report.html": "text/html", "report.md": "text/plain"}
"""What a run's folder may hold of it, the better first."""
_PATIENCE = 3
"""Seconds that are left to answers when a signal comes: open pages hold their connections."""


def find_report(model: str) -> Path | None:
    """Find the report of a run, of which the run folder or the model in it is named."""
    run = run_of(model)
    files = [run / name for name in _REPORTS]
    ours = (file for file in files if file.is_file() and file.resolve().parent == run)
    return next(ours, None)


def run(
    listener: socket.socket,
    models: Mapping[str, Predictor],
    reports: Sequence[Path | None],
    token: Token | None,
) -> None:
    """Show the page until a signal comes.

    reports: of each model, where there is one
    """
    for model in models.values():
        first_answer(model)
    with _own_surroundings() as folder:
        app = _make_app(listener, models, reports, token, folder)
        log.info("%s: try it on %s", ", ".join(models), url_of(listener))
        server = answer_until_signal(app, listener, LIMITS, patience=_PATIENCE, lifespan="on")
    log.info("stopped by %s", Signals(server.stopped_by).name)


def _make_app(
    listener: socket.socket,
    models: Mapping[str, Predictor],
    reports: Sequence[Path | None],
    token: Token | None,
    folder: Path,
) -> FastAPI:
    import gradio as gr

    from nlp_transfer.serving.demo.page import THEME, make_page

    app = FastAPI(openapi_url=None, exception_handlers={Exception: failed})
    app.add_middleware(Guard, limits=LIMITS, token=token, folder=folder)

    @app.get("/report/{number}")
    def report(number: int) -> Response:
        """Hand out the report of a model, by its number from 1 on."""
        file = reports[number - 1] if 1 <= number <= len(reports) else None
        if file is None or not file.is_file():
            return Response("There is no such report.", 404, media_type="text/plain")
        return FileResponse(file, media_type=f"{_REPORTS[file.name]}; charset=utf-8")

    links = [f"/report/{i}" if file else "" for i, file in enumerate(reports, start=1)]
    host, port = listener.getsockname()[:2]
    return gr.mount_gradio_app(  # type: ignore[no-any-return]
        app,
        make_page(models, links, folder),
        "/",
        server_name=host,
        server_port=port,
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=FILE_BYTES,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=THEME,
    )


@contextlib.contextmanager
def _own_surroundings() -> Iterator[Path]:
    """Let Gradio tell nobody anything, and keep files in a folder of ours, which is yielded."""
    folder = Path(scratch_folder(), "demo")
    folder.mkdir()
    ours = {
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_TEMP_DIR": str(folder),
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield folder
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        shutil.rmtree(folder, ignore_errors=True)
