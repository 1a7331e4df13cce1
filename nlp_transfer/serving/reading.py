"""The body of a request in, the items to predict out; anything else is refused, within bounds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive

from nlp_transfer.data.formats.jsonl import parse
from nlp_transfer.data.inputs import plain
from nlp_transfer.data.items import Item, ItemReader
from nlp_transfer.errors import UserError, nearest, shortened
from nlp_transfer.inference.predictor import Predictor
from nlp_transfer.serving.limits import Limits
from nlp_transfer.serving.refusal import Refusal

_KEYS = ("texts", "model")
_ADVICE = 'Give the text as "text", or words as "tokens".'
_requests = count()


@dataclass(frozen=True)
class Question:
    """The items of one request, and the name of the model that is to answer."""

    model: str
    items: list[Item]


class Incoming:
    """What comes of a request; it knows whether all has come."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.is_read = False

    async def __call__(self) -> Message:
        """Receive the next part."""
        message = await self._receive()
        self.is_read = self.is_read or not message.get("more_body", False)
        return message

    async def forget(self, *, until: float) -> None:
        """Let the rest come and go: a client that still sends would lose the answer.

        until: time of the event loop at which it has taken long enough
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                while not self.is_read:
                    await self()


async def read_body(request: Request, limits: Limits) -> bytes:
    """Read a body of JSON, no longer and for no longer than may be.

    raises: Refusal
    """
    _check_is_json(request)
    return await read_bytes(request, limits)


async def read_bytes(request: Request, limits: Limits) -> bytes:
    """Read a body of any kind, no longer and for no longer than may be.

    raises: Refusal
    """
    _check_headers(request, limits)
    body = bytearray()
    try:
        async with asyncio.timeout(limits.client_seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limits.body_bytes:
                    raise _too_large(limits)
    except TimeoutError:
        raise Refusal(
            408,
            f"The body did not arrive within {limits.client_seconds:g} s. Send fewer texts at a "
            "time.",
            {"Connection": "close"},
        ) from None
    except ClientDisconnect:
        raise Refusal(400, "The request ended before its body did.") from None
    return bytes(body)


def read_question(body: bytes, models: Mapping[str, Predictor], limits: Limits) -> Question:
    """Read what is asked.

    raises: Refusal
    """
    try:
        asked = plain(parse(body.decode(), "body", 1))
    except UnicodeDecodeError as error:
        raise Refusal(400, f"body: byte {error.start} is not UTF-8, which JSON is.") from None
    except RecursionError:
        raise Refusal(400, "body: this JSON is nested too deeply.") from None
    except UserError as error:
        raise Refusal(400, str(error)) from None
    if not isinstance(asked, dict):
        raise Refusal(422, 'body: expected an object: {"texts": ["..."]}')
    for key in asked.keys() - set(_KEYS):
        raise Refusal(422, f"body: {key[:60]!r} is unknown ({', '.join(_KEYS)}).")
    name = _model(asked.get("model"), models)
    texts = asked.get("texts")
    if not isinstance(texts, list) or not texts:
        raise Refusal(422, 'body: expected a list of texts: {"texts": ["..."]}')
    if len(texts) > limits.texts:
        raise Refusal(422, f"texts: {len(texts):,} are too many. At most {limits.texts:,} at once.")
    predictor = models[name]
    reader = ItemReader(
        predictor.columns, word_lists=predictor.task.results.word_lists, advice=_ADVICE
    )
    try:
        items = [reader.item(text, number) for number, text in enumerate(texts, start=1)]
        for number, item in enumerate(items, start=1):
            check_text(item, f"item {number}", limits)
    except UserError as error:
        raise Refusal(422, str(error)) from None
    return Question(name, _of_this_request(items))


def size_of(item: Item) -> int:
    """Count the characters that a model reads, words joined by blanks."""
    return sum(_lengths(item))


def _lengths(item: Item) -> tuple[int, int]:
    """Count the characters of the text, or of its words, and of the second text."""
    words = item.tokens or ()
    joined = sum(map(len, words)) + max(0, len(words) - 1)
    return max(joined, len(item.text or "")), len(item.text_pair or "")


def _check_is_json(request: Request) -> None:
    kind, _, options = request.headers.get("content-type", "").lower().partition(";")
    charset = options.strip().removeprefix("charset=").strip('"')
    if kind.strip() != "application/json" or charset not in ("", "utf-8", "utf8"):
        raise Refusal(415, "Content-Type: send application/json, in UTF-8.")


def _check_headers(request: Request, limits: Limits) -> None:
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Refusal(415, "Content-Encoding: send the body as it is, not compressed.")
    declared = request.headers.get("content-length", "0")
    if len(declared) > 18 or int(declared) > limits.body_bytes:
        raise _too_large(limits)


def _too_large(limits: Limits) -> Refusal:
    return Refusal(
        413,
        f"The body is too large. At most {limits.body_bytes:,} bytes; send fewer texts at a time.",
    )


def _model(name: object, models: Mapping[str, Predictor]) -> str:
    """Return the name of a model; the first is meant where none is named."""
    if name is None:
        return next(iter(models))
    if not isinstance(name, str):
        raise Refusal(422, "model: expected a name.")
    if name not in models:
        known = shortened([*models])
        raise Refusal(404, f"model: there is no {name[:60]!r} ({known}).{nearest(name, models)}")
    return name


def check_text(item: Item, where: str, limits: Limits) -> None:
    """Refuse a text that is too long to be computed, or holds what no model reads.

    where:  it stands, for messages
    raises: UserError
    """
    if (size := max(_lengths(item))) > limits.characters:
        raise UserError(
            f"{where}: {size:,} characters are too many. At most {limits.characters:,} a "
            "text; cut it at the ends of sentences."
        )
    if any("\0" in part for part in (item.text or "", item.text_pair or "", *(item.tokens or ()))):
        raise UserError(f"{where}: it holds a NUL character (U+0000). Remove it.")


def _of_this_request(items: list[Item]) -> list[Item]:
    """Tell the documents of this request from those of others, beside which they are computed."""
    number = next(_requests)
    return [
        item if item.document is None else replace(item, document=f"{number} {item.document}")
        for item in items
    ]
