"""The Hub, asked in a bounded time: is it there, does it have this repository, what went wrong?"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal, TypeVar

from nlp_transfer.errors import UserError, sentence
from nlp_transfer.recipe.paths import nearest_path

RepoType = Literal["model", "dataset"]
_Answer = TypeVar("_Answer")

log = logging.getLogger(__name__)

_TRIES = 3
_LONGEST_WAIT = 300
"""Seconds: a Hub that asks for a longer pause is not waited for, and none is asked for longer."""
_PASSING = (408, 429, 500, 502, 503, 504)
_GATED = "GatedRepo"
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


def repo_info(repo: str, kind: RepoType, revision: str | None, setting: str) -> Any:
    """Ask the Hub about a repository.

    setting: the recipe key that named it, for error messages
    returns: the Hub's answer
    raises:  HubError, which says by `away` whether the libraries are to be asked for what is in
             their cache; UserError when the repository or the revision does not exist, or is gated
    """
    import huggingface_hub
    from huggingface_hub.errors import (
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    ask = partial(huggingface_hub.HfApi().repo_info, repo, repo_type=kind, revision=revision)
    try:
        return asking(ask, repo, setting)
    except RevisionNotFoundError:
        problem = f"has no revision {revision!r}"
    except (RepositoryNotFoundError, HFValidationError):
        problem = (
            f"is neither a local path nor a public {kind} on the Hub. Check the spelling; a "
            f"private repository needs `hf auth login`.{nearest_path(repo)}"
        )
    raise UserError(sentence(f"{setting}: {repo!r} {problem}"))


def asking(call: Callable[[], _Answer], repo: str, setting: str) -> _Answer:
    """Call what asks the Hub for a repository, and again where a fault may pass.

    raises: HubError; and what `call` raises for other reasons
    """
    begun = time.monotonic()
    for left in reversed(range(_TRIES)):
        try:
            with _watched(repo, setting):
                return call()
        except HubError as fault:
            long = time.monotonic() - begun > _LONGEST_WAIT
            if not left or fault.wait is None or long:
                raise
            log.info("%s: %s; trying again in %d s", repo, fault.what, fault.wait)
            time.sleep(fault.wait)
    raise AssertionError("the last try returns or raises")


@contextmanager
def _watched(repo: str, setting: str) -> Iterator[None]:
    """Bound what requests for a repository take, and find out what went wrong with them.

    The libraries list files without any limit of time, try again for up to six minutes a file, and
    say of a refusal that the file cannot be found in the cache.
    """
    import huggingface_hub

    client = huggingface_hub.get_session()
    send, seconds = client.send, huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT
    refusals: list[HubError] = []

    def watched(request: Any, **options: Any) -> Any:
        if f"/{repo}" not in request.url.path or request.method not in ("GET", "HEAD", "POST"):
            return send(request, **options)
        request.extensions["timeout"] = time_limits(seconds)
        try:
            response = send(request, **options)
        except Exception as error:
            raise _explained(error, repo, setting) from error
        known = response.headers.get("X-Error-Code", _GATED) != _GATED
        if response.status_code >= 400 and not known:
            fault = _refusal(response.status_code, response.headers, repo, setting)
            if response.status_code in _PASSING:
                response.close()
                raise fault
            refusals.append(fault)  # the libraries may do without; if not, they do not say it
        return response

    client.send = watched  # type: ignore[method-assign]
    try:
        yield
    except Exception as error:
        fault = _explained(error, repo, setting, refusals)
        if fault is error:
            raise
        raise fault from None
    finally:
        client.send = send  # type: ignore[method-assign]


@contextmanager
def explaining_faults(repo: str, setting: str) -> Iterator[None]:
    """Say what is wrong where a part of a repository is read later, by what the libraries raise."""
    try:
        yield
    except Exception as error:
        fault = _explained(error, repo, setting)
        if fault is error:
            raise
        raise fault from None


def time_limits(seconds: float) -> dict[str, float]:
    """Say of each part of a request that it may take so long."""
    return dict.fromkeys(("connect", "read", "write", "pool"), seconds)


def _explained(
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
        return _refusal(error.response.status_code, error.response.headers, repo, setting)
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


def _refusal(status: int, headers: Any, repo: str, setting: str) -> HubError:
    to_do, wait = f"Try again later, or {_LOCAL}", None
    if headers.get("X-Error-Code") == _GATED:
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
        wait = pause if pause <= _LONGEST_WAIT else None
        to_do = f"Try again in {pause:.0f} s, or {_LOCAL}"
    elif status in _PASSING:
        what, wait = f"the Hub cannot serve it just now (HTTP {status})", 1.0
    else:
        what = f"the Hub refuses the request (HTTP {status})"
        to_do = f"Check HF_ENDPOINT if it is set, try again later, or {_LOCAL}"
    return HubError(repo, setting, what, to_do, away=status in _PASSING, wait=wait)


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


@contextmanager
def offline() -> Iterator[None]:
    """Let the libraries work from their cache, as if HF_HUB_OFFLINE had been set before them."""
    import datasets
    import huggingface_hub

    modules: list[Any] = [huggingface_hub.constants, datasets.config]
    before = [module.HF_HUB_OFFLINE for module in modules]
    try:
        for module in modules:
            module.HF_HUB_OFFLINE = True
        yield
    finally:
        for module, was in zip(modules, before, strict=True):
            module.HF_HUB_OFFLINE = was
