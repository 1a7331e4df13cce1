"""The Hub, asked once and quickly: is it there, and does it have this repository?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from nlp_transfer.errors import UserError, sentence
from nlp_transfer.recipe.paths import nearest_path

RepoType = Literal["model", "dataset"]


def repo_info(repo: str, kind: RepoType, revision: str | None, setting: str) -> Any | None:
    """Ask the Hub about a repository.

    setting: the recipe key that named it, for error messages
    returns: the Hub's answer, or None when the Hub cannot be reached; the libraries are then to be
             asked for what is in their cache, for their own retries take half a minute a file
    raises:  UserError when the repository or the revision does not exist, or is gated
    """
    import huggingface_hub
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        return huggingface_hub.HfApi().repo_info(
            repo, repo_type=kind, revision=revision, files_metadata=False, timeout=10
        )
    except GatedRepoError:
        problem = "is gated; ask for access on its page, then log in with `hf auth login`"
    except RevisionNotFoundError:
        problem = f"has no revision {revision!r}"
    except (RepositoryNotFoundError, HFValidationError):
        problem = (
            f"is neither a local path nor a public {kind} on the Hub. Check the spelling; a "
            f"private repository needs `hf auth login`.{nearest_path(repo)}"
        )
    except OfflineModeIsEnabled:
        return None
    except HfHubHTTPError as error:
        if error.response is None or error.response.status_code >= 500:
            return None
        problem = f"was refused by the Hub: {error}"
    except Exception as error:
        if not is_network_error(error):
            raise
        return None
    raise UserError(sentence(f"{setting}: {repo!r} {problem}"))


def is_network_error(error: BaseException) -> bool:
    """Tell a broken connection from a fault of ours, whatever HTTP library lies below."""
    names = {cls.__name__ for cls in type(error).__mro__}
    return bool(names & {"TransportError", "ConnectionError", "TimeoutError"})


def unreachable(repo: str, setting: str) -> UserError:
    """Say that the Hub is away and how to go on without it."""
    return UserError(
        f"{setting}: there is no file or folder {repo!r} here, the Hub cannot be reached "
        f"and {repo!r} is not in the local cache.{nearest_path(repo)} "
        "Connect to the network, or give local files: data.source=DIR model.checkpoint=DIR"
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
