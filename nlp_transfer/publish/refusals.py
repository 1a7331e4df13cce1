"""Failures of an upload in, what they mean to the user out."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nlp_transfer.errors import UserError
from nlp_transfer.hub.faults import is_network_error
from nlp_transfer.hub.requests import Send, limit_time, sending_by
from nlp_transfer.publish.destination import Destination
from nlp_transfer.publish.parts import Parts


@contextlib.contextmanager
def explaining_refusals(
    run: Path, to: Destination, what: Parts, message: str | None
) -> Iterator[None]:
    """Say what went wrong, and how to try again, where the upload of a run fails."""
    try:
        with _bounded_requests():
            yield
    except Exception as error:
        problem = _explain(error, to.repo, run)
        if problem is None:
            raise
        again = shlex.join(
            ["nlpt", "publish", str(run), to.repo, *_options(to, message), *what.options]
        )
        raise UserError(f"{problem}\nThe run in {run} is safe. Try again with: {again}") from None


class _SilenceError(Exception):
    """The Hub says nothing: the client would ask five times more, each time as long."""


@contextlib.contextmanager
def _bounded_requests() -> Iterator[None]:
    """Let no request wait for ever for an answer, as those that write to the Hub do by themselves.

    A commit takes longer than a file: six times what the Hub is given to answer at all.
    """
    import huggingface_hub

    seconds = 6 * huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT

    def around(send: Send) -> Send:
        def bounded(request: Any, **options: Any) -> Any:
            limit_time(request, seconds)
            try:
                return send(request, **options)
            except Exception as error:
                if "Timeout" not in type(error).__name__:
                    raise
                raise _SilenceError(f"The Hub did not answer within {seconds} s.") from None

        return bounded

    with sending_by(around):
        yield


def _options(to: Destination, message: str | None) -> list[str]:
    """Write the options of the command as they were given."""
    named = (("--revision", to.revision), ("--tag", to.tag), ("--message", message))
    flags = {
        "--private": to.private is True,
        "--no-private": to.private is False,
        "--create-pr": to.create_pr,
        "--replace": to.replace,
    }
    values = [text for name, value in named if value is not None for text in (name, value)]
    return [*values, *(flag for flag, given in flags.items() if given)]


def _explain(error: BaseException, repo: str, run: Path) -> str | None:
    """Say what a failure of the upload means to the user; None: it is no such failure."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    for cause in _chain(error):
        if isinstance(cause, UserError):
            return None
        if isinstance(cause, _SilenceError):
            return f"{cause} Check the network connection."
        if isinstance(cause, OfflineModeIsEnabled):
            return "HF_HUB_OFFLINE is set, so the Hub was not asked. Unset it to publish."
        if isinstance(cause, HfHubHTTPError) and cause.response is not None:
            return _explain_status(cause.response.status_code, cause.server_message, repo, run)
        if type(cause).__name__ == "XetAuthenticationError":
            return _explain_status(403, None, repo, run)
        if is_network_error(cause):
            return "The Hub cannot be reached. Check the network connection."
    if isinstance(error, ValueError) and "README.md" in str(error):
        return _explain_status(400, str(error), repo, run)
    if isinstance(error, RuntimeError | OSError):  # hf_xet and the upload threads raise these
        return f"The upload broke off: {error}"
    return None


def _explain_status(status: int, message: str | None, repo: str, run: Path) -> str:
    login = (
        "`hf auth login` (a token with write access, from https://huggingface.co/settings/tokens)"
    )
    if status == 401:
        return f"The Hub did not accept the access token, or there is none. Log in with {login}."
    if status in (402, 403):
        return (
            f"This access token may not write to {repo!r}. Log in with {login}, or publish under "
            "your own name."
        )
    if status == 404:
        return (
            f"The Hub finds no {repo!r} that this token may write to. Check the owner's name, or "
            f"log in with {login}."
        )
    if status == 429 or status >= 500:
        return f"The Hub cannot serve the upload just now (HTTP {status}). Wait a little."
    if message and "README.md" in message:
        return f"The Hub does not accept {run / 'README.md'}; correct it.\n{message}"
    return f"The Hub refused the upload (HTTP {status}): {message or 'it gave no reason'}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__
