"""A finished run, put on the Hub.

check -> make the repository -> collect the files -> push
"""

from __future__ import annotations

from pathlib import Path

from nlp_transfer.processes import is_main_process
from nlp_transfer.publish.portable import check_finished, files_to_publish, read_recipe
from nlp_transfer.publish.push import check_repo, make_repo, push
from nlp_transfer.publish.refusals import explaining_refusals
from nlp_transfer.runs.run_folder import RunFolder


def publish_model(run: str | Path, repo: str, *, private: bool | None = None) -> str:
    """Upload a finished run to the Hub in one commit.

    run:     its run folder; nothing is written there
    repo:    "name" (in the account that is logged in) or "owner/name"
    private: None follows the recipe's publish.private
    returns: the URL of the repository
    raises:  UserError when the run is unfinished, or the Hub is away or refuses
    """
    from huggingface_hub import HfApi

    check_repo(repo)
    folder = RunFolder(Path(run))
    api = HfApi(library_name="nlp_transfer")
    if not is_main_process():  # which may not even see the run
        return f"{api.endpoint}/{repo}"
    check_finished(folder)
    section = read_recipe(folder).get("publish") or {}
    if private is None and section.get("private"):
        private = True  # else None: an organisation may make its repositories private by default
    with explaining_refusals(folder.path, repo):
        there = make_repo(api, repo, private=private)
        files = files_to_publish(folder, there.id)
        name = folder.read_json("metrics.json")["recipe"]
        return push(api, there, files, f"Publish the run {name}")
