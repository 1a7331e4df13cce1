"""What went wrong at the Hub in, what it means and what to do about it out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from nlp_transfer.errors import UserError
from nlp_transfer.recipe.paths import nearest_path

LONGEST_WAIT = 300
"""Seconds: a Hub that asks for a longer pause is not waited for, and none is asked for longer."""
PASSING = (408, 429, 500, 502, 503, 504)
GATED = "GatedRepo"
_LOCAL = "give local files: data.source=DIR model.checkpoint=DIR"


class HubError(UserError):
    """The Hub does not serve a repository: what is wrong, and what to do about it."""

    def __init__(
        self, repo: str, setting: str, what: str, to_do: str, *, away: bool, wait: float | None
    ) -> None:
        """Say it.

        away: the Hub is, for now: the local cache may do
        wait: seconds after which it may be tried again; None: it is of no use
        """
        super().__init__(f"{setting}: {repo!r} cannot be fetched: {what}. {to_do}")
        self.what, self.to_do = what, to_do
        self.away = away
        self.wait = wait


@contextmanager
def explaining_faults(repo: str, setting: str, refusals: Sequence[HubError] = ()) -> Iterator[None]:
    """Say what is wrong where a part of a repository is read, by what the libraries raise.

    refusals: those that are met meanwhile, where a library may make something else of them
    """
    try:
        yield
    except Exception as error:
        fault = explained(error, repo, setting, refusals)
        if fault is error:
            raise
        raise fault from None


def explained(
    error: Exception, repo: str, setting: str, refusals: Sequence[HubError] = ()
) -> Exception:
    """Say what a broken connection or a refusal is; any other error is returned as it is.

    refusals: those that were met, where a library may have made something else of them
    """
    import huggingface_hub
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    not_there = isinstance(error, RepositoryNotFoundError | RevisionNotFoundError)
    if not_there and not isinstance(error, GatedRepoError):
        return error
    if refusals and isinstance(error, OSError):
        return refusals[-1]
    if isinstance(error, HfHubHTTPError) and error.response is not None:
        return refusal(error.response.status_code, error.response.headers, repo, setting)
    names = {cls.__name__ for cls in type(error).__mro__}
    if names & {"ConnectError", "ConnectTimeout", "OfflineModeIsEnabled"}:
        what, to_do = "the Hub cannot be reached", f"Connect to the network, or {_LOCAL}"
        return HubError(repo, setting, what, to_do, away=True, wait=None)
    if not is_network_error(error):
        return error
    what = "the connection to the Hub breaks off"
    if names & {"TimeoutException", "TimeoutError"}:
        seconds = huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT
        what = f"the Hub does not answer within {seconds} s"
    return HubError(repo, setting, what, f"Try again, or {_LOCAL}", away=True, wait=1)


def refusal(status: int, headers: Any, repo: str, setting: str) -> HubError:
    """Say what an HTTP status of 400 or more means, with what the headers tell beside it."""
    to_do, wait = f"Try again later, or {_LOCAL}", None
    if headers.get("X-Error-Code") == GATED:
        what = "it is gated"
        to_do = "Ask for access on its page, then log in with `hf auth login`."
    elif status == 401:
        what = "the Hub does not accept the access token (HTTP 401)"
        to_do = "Log in with `hf auth login`, or unset HF_TOKEN for a public repository."
    elif status == 403:
        what = "the Hub does not let this access token read it (HTTP 403)"
        to_do = "Ask for access on its page, or log in with `hf auth login` as one who has it."
    elif status == 429:
        what, pause = "the Hub is asked too often (HTTP 429)", _pause(headers)
        wait = pause if pause <= LONGEST_WAIT else None
        to_do = f"Try again in {pause:.0f} s, or {_LOCAL}"
    elif status in PASSING:
        what, wait = f"the Hub cannot serve it just now (HTTP {status})", 1.0
    else:
        what = f"the Hub refuses the request (HTTP {status})"
        to_do = f"Check HF_ENDPOINT if it is set, try again later, or {_LOCAL}"
    return HubError(repo, setting, what, to_do, away=status in PASSING, wait=wait)


def _pause(headers: Any) -> float:
    """Read for how many seconds the Hub does not want to be asked."""
    from huggingface_hub import utils

    asked = headers.get("Retry-After", "")
    limit = utils.parse_ratelimit_headers(headers)  # type: ignore[attr-defined]
    if asked.isdigit():
        return float(asked)
    return limit.reset_in_seconds + 1.0 if limit else 1.0  # a second for what was rounded


def is_network_error(error: BaseException) -> bool:
    """Tell a broken connection from a fault of ours, whatever HTTP library lies below."""
    names = {cls.__name__ for cls in type(error).__mro__}
    return bool(names & {"TransportError", "ConnectionError", "TimeoutError"})


def not_cached(repo: str, setting: str, fault: HubError) -> UserError:
    """Say that the Hub is away, and how to go on without it."""
    return UserError(
        f"{setting}: there is no file or folder {repo!r} here, {fault.what} "
        f"and {repo!r} is not in the local cache.{nearest_path(repo)} {fault.to_do}"
    )
