"""A finished run, put on the Hub.

check -> gather the files, and what the model reaches elsewhere -> say what leaves -> make the
repository -> push -> download it again, and compare
"""

from __future__ import annotations

import logging
from pathlib import Path
from tempfile import TemporaryDirectory

from nlp_transfer import files
from nlp_transfer.processes import is_main_process
from nlp_transfer.publish.contents import gather
from nlp_transfer.publish.destination import (
    Destination,
    as_recipe_says,
    check_destination,
    check_replaces,
    make_repo,
    with_owner,
)
from nlp_transfer.publish.parts import Parts
from nlp_transfer.publish.portable import check_finished, read_recipe
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
    merge: bool = False,
    with_onnx: bool = False,
    with_report: bool = False,
    check: bool = True,
) -> str:
    """Upload a finished run to the Hub in one commit, and check that it answers there as here.

    run:         its run folder; nothing is written there
    repo:        "name" (in the account that is logged in) or "owner/name"
    private:     whether a new repository is; None follows the recipe's publish.private
    revision:    a branch, made where there is none; None: main
    create_pr:   open a pull request instead of writing to the branch
    tag:         name of the commit
    message:     of the commit; None: which recipe it is a run of
    replace:     put it in the place of another model
    merge:       put an adapter into its base, and upload a whole model
    with_onnx:   upload its ONNX model too, as `export` made it
    with_report: upload the report too, without what quotes the data
    check:       measure what transformers' own pipeline reaches, for the card, and download what
                 was uploaded again
    returns:     the URL of the repository, of the branch, or of the pull request
    raises:      UserError when the run is unfinished, the repository holds another model, the Hub
                 is away or refuses, or what is on it answers otherwise
    """
    from huggingface_hub import HfApi

    from nlp_transfer.publish.parity import check_parity

    to = Destination(repo, private, revision, create_pr, tag, replace)
    what = Parts(merge, with_onnx, with_report, check)
    check_destination(to)
    folder = RunFolder(Path(run))
    api = HfApi(library_name="nlp_transfer")
    if not is_main_process():  # which may not even see the run
        return f"{api.endpoint}/{repo}"
    check_finished(folder)
    name = folder.read_json("metrics.json")["recipe"]
    with explaining_refusals(folder.path, to, what, message), TemporaryDirectory() as scratch:
        own = with_owner(api, as_recipe_says(to, read_recipe(folder)))
        leaving = gather(folder, own.repo, what, Path(scratch))
        leaving.announce()
        there = make_repo(api, own)
        check_replaces(api, own, there, name)
        said = message or f"Publish the run {name}"
        pushed = push(api, own, leaving.files, there=there, message=said)
        if what.check:
            check_parity(api, pushed, leaving.examples, leaving.models)
    return pushed.url


def write_publication(
    run: str | Path,
    repo: str,
    folder: str | Path,
    *,
    merge: bool = False,
    with_onnx: bool = False,
    with_report: bool = False,
    check: bool = True,
) -> None:
    """Write what `publish_model` would upload into a new folder, without asking the Hub.

    run:    its run folder; nothing is written there
    repo:   as it stands in the model card
    merge, with_onnx, with_report: as `publish_model` has them
    check:  measure what transformers' own pipeline reaches, for the card
    raises: UserError when the run is unfinished, or the folder holds something
    """
    check_destination(Destination(repo))
    source, target = RunFolder(Path(run)), Path(folder)
    check_finished(source)
    files.check_new_folder(target, "--dry-run")
    what = Parts(merge, with_onnx, with_report, check)
    with TemporaryDirectory() as scratch, files.whole_folder(target) as beside:
        leaving = gather(source, repo, what, Path(scratch))
        leaving.announce()
        leaving.write(beside)
    log.info("nothing was sent: these files are in %s", target)
