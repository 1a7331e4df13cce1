"""A name in, a repository on the Hub that may take a run out."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from nlp_transfer.errors import UserError

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import ModelInfo

log = logging.getLogger(__name__)

_REF = re.compile(r"(?!.*(?:\.\.|//|@\{|\.lock$))[A-Za-z0-9_][A-Za-z0-9_./-]{0,200}(?<![./])")
"""What git takes for the name of a branch or a tag, without what nobody calls one."""
_MOST_BYTES = 50_000_000
"""Of metrics.json, which may be anybody's."""


@dataclass(frozen=True)
class Destination:
    """Where a run goes."""

    repo: str
    """ "name" (in the account that is logged in) or "owner/name"."""
    private: bool | None = None
    """Whether a new repository is; one that is there and public is refused where True. None: a new
    one is private, and one that is there stays as it is."""
    revision: str | None = None
    """A branch, made where there is none; None: main."""
    create_pr: bool = False
    """Ask for the change (to that branch) in a pull request."""
    tag: str | None = None
    """Name of the commit."""
    replace: bool = False
    """Put it in the place of another model."""


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


def check_destination(to: Destination) -> None:
    """Refuse names that cannot be, and what does not go together, without asking the Hub."""
    check_repo(to.repo)
    for option, name in (("--revision", to.revision), ("--tag", to.tag)):
        if name is not None and not _REF.fullmatch(name):
            raise UserError(
                f"{option}: {name!r} is not a name that git takes. Write letters, digits, '-', "
                "'_', '.' and '/', such as v1.0."
            )
    if to.create_pr and to.tag is not None:
        raise UserError(
            "--tag names a commit of a branch, and --create-pr only asks for one. Leave one of "
            "them out, and tag after the pull request is merged."
        )


def as_recipe_says(to: Destination, recipe: Mapping[str, Any]) -> Destination:
    """Let a recipe say whether a new repository is private, where nobody else does."""
    section = recipe.get("publish") or {}
    return to if to.private is not None else replace(to, private=section.get("private"))


def with_owner(api: HfApi, to: Destination) -> Destination:
    """Write a bare name as one of the account that is logged in."""
    if "/" in to.repo:
        return to
    return replace(to, repo=f"{api.whoami()['name']}/{to.repo}")


def make_repo(api: HfApi, to: Destination) -> list[str]:
    """Make repository and branch where there are none; return the files of the branch.

    raises: UserError where it is public and must not be, or has the tag
    """
    api.create_repo(to.repo, private=to.private is not False, exist_ok=True)
    there = api.model_info(to.repo)
    if to.private and not there.private:
        raise UserError(
            f"{to.repo} exists and is public, but the run is to be private. Make it private on "
            f"{api.endpoint}/{to.repo}/settings, publish under another name, or add --no-private."
        )
    if to.tag is not None and to.tag in [tag.name for tag in api.list_repo_refs(to.repo).tags]:
        raise UserError(f"--tag: {to.repo} has a tag {to.tag!r} already. Choose another name.")
    if to.revision is not None:
        api.create_branch(to.repo, branch=to.revision, exist_ok=True)
        there = api.model_info(to.repo, revision=to.revision)
    return _files(there)


def check_replaces(api: HfApi, to: Destination, there: list[str], name: str) -> None:
    """Refuse to put a run in the place of another model.

    there: the files of the branch
    name:  of the run's recipe
    """
    if to.replace or not {"config.json", "adapter_config.json"} & {*there}:
        return
    other = _recipe_there(api, to) if "metrics.json" in there else None
    if other == name:
        return
    what = f"a run of the recipe {other!r}" if other else "a model that nlpt did not publish"
    raise UserError(
        f"{to.repo} holds {what}; this is one of {name!r}. Publish under another name, or add "
        "--replace to put it in the place of that model."
    )


def _recipe_there(api: HfApi, to: Destination) -> str | None:
    """Read which recipe the model in a repository is of; None: nothing says it."""
    from huggingface_hub import RepoFile

    (file,) = api.get_paths_info(to.repo, "metrics.json", revision=to.revision)
    if not isinstance(file, RepoFile) or file.size > _MOST_BYTES:
        return None
    with TemporaryDirectory() as folder:
        path = api.hf_hub_download(
            to.repo, "metrics.json", revision=to.revision, local_dir=Path(folder)
        )
        try:
            metrics = json.loads(Path(path).read_bytes())
        except (ValueError, RecursionError):
            return None
    found = metrics.get("recipe") if isinstance(metrics, dict) else None
    return found if isinstance(found, str) else None


def _files(there: ModelInfo) -> list[str]:
    return [file.rfilename for file in there.siblings or []]
