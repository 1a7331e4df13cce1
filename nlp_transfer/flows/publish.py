"""A finished run, put on the Hub.

check -> collect the files -> say what leaves -> make the repository -> push
"""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

from nlp_transfer import files
from nlp_transfer.processes import is_main_process
from nlp_transfer.publish.destination import (
    Destination,
    check_destination,
    check_replaces,
    make_repo,
    with_owner,
)
from nlp_transfer.publish.portable import (
    Files,
    check_finished,
    files_to_publish,
    read_recipe,
    write_files,
)
from nlp_transfer.publish.push import push
from nlp_transfer.publish.refusals import explaining_refusals
from nlp_transfer.runs.run_folder import RunFolder

log = logging.getLogger(__name__)


def publish_model(
    run: str | Path,
    repo: str,
    *,
    private: bool | None = None,
    revision: str | None = None,
    create_pr: bool = False,
    tag: str | None = None,
    message: str | None = None,
    replace: bool = False,
) -> str:
    """Upload a finished run to the Hub in one commit.

    run:       its run folder; nothing is written there
    repo:      "name" (in the account that is logged in) or "owner/name"
    private:   whether a new repository is; None follows the recipe's publish.private
    revision:  a branch, made where there is none; None: main
    create_pr: open a pull request instead of writing to the branch
    tag:       name of the commit
    message:   of the commit; None: which recipe it is a run of
    replace:   put it in the place of another model
    returns:   the URL of the repository, of the branch, or of the pull request
    raises:    UserError when the run is unfinished, the repository holds another model, or the Hub
               is away or refuses
    """
    from huggingface_hub import HfApi

    to = Destination(repo, private, revision, create_pr, tag, replace)
    check_destination(to)
    folder = RunFolder(Path(run))
    api = HfApi(library_name="nlp_transfer")
    if not is_main_process():  # which may not even see the run
        return f"{api.endpoint}/{repo}"
    check_finished(folder)
    name = folder.read_json("metrics.json")["recipe"]
    with explaining_refusals(folder.path, to, message):
        own = with_owner(api, _as_recipe_says(to, folder))
        leaving = files_to_publish(folder, own.repo)
        _announce(leaving)
        there = make_repo(api, own)
        check_replaces(api, own, there, name)
        return push(api, own, leaving, there=there, message=message or f"Publish the run {name}")


def write_publication(run: str | Path, repo: str, folder: str | Path) -> None:
    """Write what `publish_model` would upload into a new folder, without asking the Hub.

    run:    its run folder; nothing is written there
    repo:   as it stands in the model card
    raises: UserError when the run is unfinished, or the folder holds something
    """
    check_destination(Destination(repo))
    source, target = RunFolder(Path(run)), Path(folder)
    check_finished(source)
    files.check_new_folder(target, "--dry-run")
    leaving = files_to_publish(source, repo)
    _announce(leaving)
    with files.whole_folder(target) as beside:
        write_files(leaving, beside)
    log.info("nothing was sent: these files are in %s", target)


def _as_recipe_says(to: Destination, folder: RunFolder) -> Destination:
    section = read_recipe(folder).get("publish") or {}
    return to if to.private is not None else dataclasses.replace(to, private=section.get("private"))


def _announce(leaving: Files) -> None:
    """Say what leaves this machine, before it does."""
    sizes = {
        name: len(content) if isinstance(content, bytes) else content.stat().st_size
        for name, content in leaving.items()
    }
    log.info("to the Hub go %d files, %.1f MB:", len(sizes), sum(sizes.values()) / 1e6)
    for name, size in sizes.items():
        log.info("  %-28s %10s bytes", name, f"{size:,}")
