"""Files in, one commit in a Hub repository out.

The access token is never touched here: huggingface_hub finds it (`hf auth login`, HF_TOKEN) and
sends it in its own request headers.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import TYPE_CHECKING, TypeVar

from nlp_transfer.publish.destination import Destination
from nlp_transfer.publish.portable import Files

if TYPE_CHECKING:
    from huggingface_hub import HfApi

log = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")

# What an earlier model in the same repository may have left: an old adapter_config.json beside a
# new model.safetensors, say, would be loaded as an adapter.
_MODEL_FILES = (
    "config.json", "model_config.json", "adapter_config.json", "*.safetensors",
    "*.safetensors.index.json", "pytorch_model*.bin", "tokenizer*", "vocab*", "merges.txt",
    "special_tokens_map.json", "added_tokens.json", "spiece.model", "sentencepiece*.model",
    "onnx/*", "report.md", "report.html",
)  # fmt: skip
_PATIENCE = (3, 300)
"""How often a Hub that asks for it is waited for, and for how many seconds at most each time."""


@dataclass(frozen=True)
class Pushed:
    """What is in a repository now."""

    repo: str
    commit: str
    url: str
    """Of the repository, of the branch, or of the pull request."""


def push(api: HfApi, to: Destination, files: Files, *, there: list[str], message: str) -> Pushed:
    """Put files into a repository, and take an earlier model out, in one commit.

    there: the files that the branch has
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    stale = [name for name in there if name not in files and _is_of_a_model(name)]
    done = _patiently(
        lambda: api.create_commit(
            to.repo,
            [
                *(CommitOperationAdd(name, source) for name, source in files.items()),
                *map(CommitOperationDelete, stale),
            ],
            commit_message=message,
            revision=to.revision,
            create_pr=to.create_pr,
        )
    )
    branch = f"/tree/{to.revision}" if to.revision else ""
    url = done.pr_url or f"{api.endpoint}/{to.repo}{branch}"
    log.info("published %d files: %s", len(files), url)
    if to.tag is not None:
        api.create_tag(to.repo, tag=to.tag, revision=done.oid)
    return Pushed(to.repo, done.oid, url)


def _is_of_a_model(name: str) -> bool:
    """Tell what publishing wrote, not what lies in other folders of the repository."""
    return any(
        fnmatch(name, pattern) and name.count("/") == pattern.count("/") for pattern in _MODEL_FILES
    )


def _patiently(call: Callable[[], _Answer]) -> _Answer:
    """Ask the Hub, and again where it says that it is asked too often, after the time it names."""
    from huggingface_hub.errors import HfHubHTTPError

    times, longest = _PATIENCE
    for _ in range(times):
        try:
            return call()
        except HfHubHTTPError as error:
            asked = error.response.headers.get("Retry-After", "")
            wait = int(asked) if error.response.status_code == 429 and asked.isdigit() else None
            if wait is None or wait > longest:
                raise
            log.info("the Hub is asked too often; trying again in %d s, as it says", wait)
            time.sleep(wait)
    return call()
