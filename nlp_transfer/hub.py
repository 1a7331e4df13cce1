"""The Hub, asked once and quickly: is it there, and does it have this repository?"""

from __future__ import annotations

import os
from typing import Any, Literal

from nlp_transfer.errors import UserError, sentence
from nlp_transfer.recipe.paths import nearest_path

RepoType = Literal["model", "dataset"]


def repo_info(repo: str, kind: RepoType, revision: str | None, setting: str) -> Any | None:
    """Ask the Hub about a repository.

    setting: the recipe key that named it, for error messages
    returns: the Hub's answer, or None when the Hub cannot be reached; the libraries are then told
             to work from their cache, for their own retries would take half a minute a file
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
            _go_offline()
            return None
        problem = f"was refused by the Hub: {error}"
    except Exception as error:
        if not is_network_error(error):
            raise
        _go_offline()
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


def forget_outage() -> None:
    """Ask the Hub again after `repo_info` found it away; a user's own HF_HUB_OFFLINE stays."""
    import datasets
    import huggingface_hub

    asked = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    if asked.upper() not in {"1", "ON", "YES", "TRUE"}:
        huggingface_hub.constants.HF_HUB_OFFLINE = False
        datasets.config.HF_HUB_OFFLINE = False


def _go_offline() -> None:
    import datasets
    import huggingface_hub

    huggingface_hub.constants.HF_HUB_OFFLINE = True
    datasets.config.HF_HUB_OFFLINE = True
