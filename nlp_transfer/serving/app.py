"""The HTTP side of a server: its paths, who may use them, what is answered when."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nlp_transfer import __version__
from nlp_transfer.serving import schema
from nlp_transfer.serving.access import Token
from nlp_transfer.serving.figures import ServerFigures
from nlp_transfer.serving.limits import Limits
from nlp_transfer.serving.reading import Incoming, Question, read_body, read_question
from nlp_transfer.serving.refusal import Refusal
from nlp_transfer.serving.worker import OverloadedError, Results, Worker

log = logging.getLogger(__name__)

PATHS = ("/predict", "/health", "/ready", "/metrics", "/docs", "/openapi.json")


def make_app(
    worker: Worker,
    figures: ServerFigures,
    limits: Limits,
    token: Token | None,
    example: Mapping[str, Any],
) -> FastAPI:
    """Make the application of a server.

    token:   that clients must send; None: none
    example: a result, for the page of the API
    """
    app = FastAPI(
        title="nlp_transfer",
        version=__version__,
        description="Texts in, entities or classes out.",
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        exception_handlers={
            Refusal: _refused, HTTPException: _refused_by_path, Exception: failed
        },
    )  # fmt: skip
    app.add_middleware(_Watching, figures=figures, limits=limits)
    guard = [Depends(_guard(token))] if token else []
    _add_predict(app, worker, limits, guard, example)
    _add_states(app, worker, figures, guard)
    return app


def _add_predict(
    app: FastAPI, worker: Worker, limits: Limits, guard: list[Any], example: Mapping[str, Any]
) -> None:
    refusals = schema.error_responses(*([401] if guard else []), 400, 404, 408, 413, 415, 422, 503)

    @app.post(
        "/predict",
        dependencies=guard,
        response_class=Response,
        responses={200: schema.answer(worker.models, example), **refusals},
        openapi_extra={"requestBody": schema.request_body(worker.models, limits)},
    )
    async def predict(request: Request) -> Response:
        """Predict texts, in their order, as `nlpt predict` does."""
        question = read_question(await read_body(request, limits), worker.models, limits)
        results = await _answered(question, request, worker, limits)
        return _json(200, {"model": question.model, "results": results})


def _add_states(app: FastAPI, worker: Worker, figures: ServerFigures, guard: list[Any]) -> None:
    @app.get("/health")
    async def health() -> dict[str, str]:
        """Say that the server runs."""
        return {"status": "runs"}

    @app.get("/ready", responses=schema.error_responses(503))
    async def ready() -> dict[str, list[str]]:
        """Say whether further texts are taken, and by which models."""
        if worker.is_full:
            raise Refusal(503, "Too much waits.", {"Retry-After": "1"})
        return {"models": [*worker.models]}

    metrics_page = {"description": "Figures.", "content": {"text/plain": {}}}

    @app.get(
        "/metrics",
        dependencies=guard,
        response_class=Response,
        responses={200: metrics_page, **schema.error_responses(*([401] if guard else []))},
    )
    async def metrics() -> Response:
        """Say what the server has done so far, as Prometheus reads it."""
        return Response(figures.page(), headers={"Content-Type": figures.content_type})


def _guard(token: Token) -> Any:
    """Refuse who does not send the token."""

    def check(
        given: Annotated[
            HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))
        ],
    ) -> None:
        if given is None or not token.fits(given.credentials):
            raise Refusal(
                401,
                "Send the server's token: Authorization: Bearer TOKEN.",
                {"WWW-Authenticate": "Bearer"},
            )

    return check


async def _answered(
    question: Question, request: Request, worker: Worker, limits: Limits
) -> Results:
    """Wait for results, as long as may be, and as there is somebody who waits for them."""
    try:
        answer = asyncio.wrap_future(worker.ask(question))
    except OverloadedError as error:
        raise Refusal(
            503, "Too much waits. Come again later.", {"Retry-After": str(error.retry_after)}
        ) from None
    gone = asyncio.ensure_future(_gone(request))
    either: set[asyncio.Future[Any]] = {answer, gone}
    await asyncio.wait(either, timeout=limits.answer_seconds, return_when=asyncio.FIRST_COMPLETED)
    gone.cancel()
    if answer.done():
        return answer.result()
    answer.cancel()
    raise Refusal(
        503,
        f"No answer within {limits.answer_seconds:g} s. Send fewer texts at a time, or come again "
        "later.",
        {"Retry-After": str(math.ceil(limits.answer_seconds))},
    )


async def _gone(request: Request) -> None:
    """Wait until the client has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _json(
    status: int, value: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Response:
    body = json.dumps(value, ensure_ascii=False).encode()
    return Response(body, status, headers, media_type="application/json")


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return _json(error.status, {"error": str(error)}, error.headers)


async def _refused_by_path(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = {
        404: f"There is no such path. There are: {', '.join(PATHS)}",
        405: f"{request.method[:20]} is not what this path is for.",
    }.get(error.status_code, error.detail)
    return _json(error.status_code, {"error": said}, error.headers)


async def failed(_: Request, error: Exception) -> Response:
    """Say in the log why a request failed, and to the client that it did."""
    log.error("a request failed", exc_info=error)
    return _json(500, {"error": "The server failed; its log says why."})


class _Watching:
    """Counts requests and their seconds, and answers none before it is read to its end.

    What a client sends too much is forgotten as it comes, for as long as clients may take.
    """

    def __init__(self, app: ASGIApp, figures: ServerFigures, limits: Limits) -> None:
        self._app = app
        self._figures = figures
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        now = asyncio.get_running_loop().time
        begun, status, incoming = now(), 500, Incoming(receive)

        async def answering(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await incoming.forget(until=begun + self._limits.client_seconds)
            await send(message)

        try:
            await self._app(scope, incoming, answering)
        finally:
            self._figures.request(scope["path"], status, now() - begun)
