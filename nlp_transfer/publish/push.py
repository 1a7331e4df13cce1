"""Files in, one commit in a Hub repository out.

The access token is never touched here: huggingface_hub finds it (`hf auth login`, HF_TOKEN) and
sends it in its own request headers.
"""

from __future__ import annotations

import logging
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from nlp_transfer.errors import UserError
from nlp_transfer.publish.portable import Files

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import ModelInfo

log = logging.getLogger(__name__)

# What an earlier model in the same repository may have left: an old adapter_config.json beside a
# new model.safetensors, say, would be loaded as an adapter.
_MODEL_FILES = (
    "adapter_config.json", "*.safetensors", "*.safetensors.index.json", "pytorch_model*.bin",
    "tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json", "added_tokens.json",
    "spiece.model", "sentencepiece*.model",
)  # fmt: skip


def check_repo(repo: str | None) -> None:
    """Refuse what cannot be the name of a repository, without asking the Hub.

    repo: None: nothing is to be published
    """
    if repo is None:
        return
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(repo)
    except HFValidationError:
        raise UserError(
            f"REPO: {repo!r} is not the name of a repository. Write NAME or OWNER/NAME, at most "
            "96 letters, digits, '-', '_' and '.' (no '--' or '..', none of '-' and '.' at an end)."
        ) from None


def make_repo(api: HfApi, repo: str, *, private: bool | None) -> ModelInfo:
    """Make a repository where there is none, and say what is in it.

    repo: "name" (in the account that is logged in) or "owner/name"
    """
    if "/" not in repo:
        repo = f"{api.whoami()['name']}/{repo}"
    api.create_repo(repo, private=private, exist_ok=True)
    there = api.model_info(repo)
    if private and not there.private:
        raise UserError(
            f"{repo} exists and is public, but the recipe says publish.private. Make it private on "
            f"{api.endpoint}/{repo}/settings, publish under another name, or add --no-private."
        )
    return there


def push(api: HfApi, there: ModelInfo, files: Files, message: str) -> str:
    """Put files into a repository, and take an earlier model out, in one commit.

    returns: the URL of the repository
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    stale = [
        file.rfilename
        for file in there.siblings or []
        if file.rfilename not in files and any(fnmatch(file.rfilename, p) for p in _MODEL_FILES)
    ]
    api.create_commit(
        there.id,
        [
            *(CommitOperationAdd(name, source) for name, source in files.items()),
            *(CommitOperationDelete(name) for name in stale if "/" not in name),
        ],
        commit_message=message,
    )
    url = f"{api.endpoint}/{there.id}"
    log.info("published %d files: %s", len(files), url)
    return url
