"""Models in, answers over HTTP until a signal comes; who has asked by then is answered."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import math
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from signal import Signals
from types import FrameType
from typing import Literal

import uvicorn
from starlette.types import ASGIApp

from nlp_transfer.errors import ENDING, Interrupted
from nlp_transfer.inference.predictor import Predictor
from nlp_transfer.serving.access import Token, url_of
from nlp_transfer.serving.app import PATHS, make_app
from nlp_transfer.serving.connections import bounded
from nlp_transfer.serving.figures import ServerFigures
from nlp_transfer.serving.limits import Limits
from nlp_transfer.serving.models import first_answer
from nlp_transfer.serving.worker import Worker

log = logging.getLogger(__name__)


def run(
    listener: socket.socket,
    models: Mapping[str, Predictor],
    limits: Limits,
    token: Token | None,
    cores: int,
) -> None:
    """Answer until a signal comes.

    models: loaded in `cores_for_worker`
    cores:  that PyTorch computes on
    raises: Interrupted, when all who had asked are answered
    """
    figures = ServerFigures(PATHS, models)
    example, *_ = [first_answer(model) for model in models.values()]
    waiting = limits.waiting_characters
    with Worker(models, figures, cores=cores, most_waiting=waiting) as worker:
        app = make_app(worker, figures, limits, token, example)
        gc.freeze()  # what is loaded stays: no need to look through it again and again
        log.info("%s is served on %s", ", ".join(models), url_of(listener))
        server = answer_until_signal(app, listener, limits, patience=limits.answer_seconds)
    asked = "who still waited got no answer" if server.force_exit else "who had asked was answered"
    raise Interrupted(
        f"stopped by {Signals(server.stopped_by).name}; {asked}",
        by=server.stopped_by,
    )


def answer_until_signal(
    app: ASGIApp,
    listener: socket.socket,
    limits: Limits,
    *,
    patience: float,
    lifespan: Literal["on", "off"] = "off",
) -> Server:
    """Let an application answer until a signal comes.

    patience: seconds that are left then to who has asked
    lifespan: whether the application is told when it begins and ends
    returns:  the server, which knows what has stopped it
    """
    server = Server(
        uvicorn.Config(
            app,
            http=bounded(limits),
            ws="none",
            lifespan=lifespan,
            log_config=None,
            log_level=logging.CRITICAL,  # what fails the application logs; the rest are clients
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=math.ceil(patience),
        )
    )
    asyncio.run(server.serve(sockets=[listener]))
    return server


class Server(uvicorn.Server):
    """Ends in order at the first signal that asks for it, at once at the second."""

    stopped_by: int = signal.SIGTERM

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals that end commands; uvicorn would raise them again at the end."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._stop) for number in ENDING}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, _: FrameType | None) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True
        self.stopped_by = number
