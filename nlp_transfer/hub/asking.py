"""Questions to the Hub, asked again where a fault may pass."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal, TypeVar

from nlp_transfer.errors import UserError, sentence
from nlp_transfer.hub.faults import (
    GATED,
    LONGEST_WAIT,
    PASSING,
    HubError,
    explained,
    explaining_faults,
    refusal,
)
from nlp_transfer.hub.requests import Send, limit_time, sending_by
from nlp_transfer.recipe.paths import nearest_path

RepoType = Literal["model", "dataset"]
_Answer = TypeVar("_Answer")
_TRIES = 3

log = logging.getLogger(__name__)


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
            long = time.monotonic() - begun > LONGEST_WAIT
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
    refusals: list[HubError] = []
    watching = partial(_watching, repo, setting, refusals)
    with explaining_faults(repo, setting, refusals), sending_by(watching):
        yield


def _watching(repo: str, setting: str, refusals: list[HubError], send: Send) -> Send:
    """Return what sends a request within bounds, and raises what went wrong with it.

    refusals: take those that the libraries may do without; if not, they do not say it
    """
    import huggingface_hub

    seconds = huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT

    def watched(request: Any, **options: Any) -> Any:
        if f"/{repo}" not in request.url.path or request.method not in ("GET", "HEAD", "POST"):
            return send(request, **options)
        limit_time(request, seconds)
        try:
            response = send(request, **options)
        except Exception as error:
            raise explained(error, repo, setting) from error
        known = response.headers.get("X-Error-Code", GATED) != GATED
        if response.status_code >= 400 and not known:
            fault = refusal(response.status_code, response.headers, repo, setting)
            if response.status_code in PASSING:
                response.close()
                raise fault
            refusals.append(fault)
        return response

    return watched
