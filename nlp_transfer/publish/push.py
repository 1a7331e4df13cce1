"""A finished run in, one commit in a Hub repository out.

The access token is never touched here: huggingface_hub finds it (`hf auth login`, HF_TOKEN) and
sends it in its own request headers.
"""

from __future__ import annotations

import json
import logging
import shlex
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from nlp_transfer.errors import UserError
from nlp_transfer.hub import forget_outage, is_network_error
from nlp_transfer.models.loading import ADAPTED_FILE, CONFIG_FILE, config_file
from nlp_transfer.processes import is_main_process
from nlp_transfer.publish.card import REPO_PLACEHOLDER, is_local, short_name
from nlp_transfer.recipe.yaml_reader import read_yaml, write_yaml
from nlp_transfer.runs.run_folder import RunFolder
from nlp_transfer.secrets import without_secrets

log = logging.getLogger(__name__)

Files = Mapping[str, Path | bytes]

# What an earlier model in the same repository may have left: an old adapter_config.json beside a
# new model.safetensors, say, would be loaded as an adapter.
_MODEL_FILES = (
    "adapter_config.json", "*.safetensors", "*.safetensors.index.json", "pytorch_model*.bin",
    "tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json", "added_tokens.json",
    "spiece.model", "sentencepiece*.model",
)  # fmt: skip
_SHORTENED = "# Local paths of the machine that trained the model are cut to their last part.\n"


def publish(run: Path, repo: str, *, private: bool | None = None) -> str:
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
    _check_finished(folder)
    forget_outage()
    api = HfApi(library_name="nlp_transfer")
    if not is_main_process():
        return f"{api.endpoint}/{repo}"
    recipe = _read_recipe(folder)
    if private is None and (recipe.get("publish") or {}).get("private"):
        private = True  # else None: an organisation may make its repositories private by default
    try:
        return _push(api, folder, repo, private)
    except Exception as error:
        problem = _explain(error, repo, folder.path)
        if problem is None:
            raise
        again = shlex.join(["nlpt", "publish", str(run), repo])
        raise UserError(f"{problem}\nThe run in {run} is safe. Try again with: {again}") from None


def check_repo(repo: str) -> None:
    """Refuse what cannot be the name of a repository, without asking the Hub."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(repo)
    except HFValidationError:
        raise UserError(
            f"REPO: {repo!r} is not the name of a repository. Write NAME or OWNER/NAME, at most "
            "96 letters, digits, '-', '_' and '.' (no '--' or '..', none of '-' and '.' at an end)."
        ) from None


def files_to_publish(folder: RunFolder, repo: str) -> Files:
    """Choose and prepare the files: the model, recipe.yaml, metrics.json and the card.

    repo:    "owner/name", for the card
    returns: content or source of each file, by its path in the repository
    """
    files: dict[str, Path | bytes] = {
        path.name: path
        for path in sorted(folder.model.iterdir())
        if path.is_file() and not path.name.startswith(".")
    }
    if ADAPTED_FILE in files:  # on the Hub transformers reads an adapter beside config.json
        files[CONFIG_FILE] = files.pop(ADAPTED_FILE)
    if "adapter_config.json" in files:
        files["adapter_config.json"] = _portable_adapter(folder.model / "adapter_config.json")
    files["recipe.yaml"] = _portable_recipe(folder)
    files["metrics.json"] = folder.path / "metrics.json"
    card = (folder.path / "README.md").read_text("utf-8")
    files["README.md"] = card.replace(REPO_PLACEHOLDER, f'"{repo}"').encode()
    return files


def _push(api: Any, folder: RunFolder, repo: str, private: bool | None) -> str:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    if "/" not in repo:
        repo = f"{api.whoami()['name']}/{repo}"
    api.create_repo(repo, private=private, exist_ok=True)
    there = api.model_info(repo)
    if private and not there.private:
        raise UserError(
            f"{repo} exists and is public, but the recipe says publish.private. Make it private on "
            f"{api.endpoint}/{repo}/settings, publish under another name, or add --no-private."
        )
    files = files_to_publish(folder, repo)
    stale = [
        file.rfilename
        for file in there.siblings or []
        if file.rfilename not in files and any(fnmatch(file.rfilename, p) for p in _MODEL_FILES)
    ]
    api.create_commit(
        repo,
        [
            *(CommitOperationAdd(name, source) for name, source in files.items()),
            *(CommitOperationDelete(name) for name in stale if "/" not in name),
        ],
        commit_message=f"Publish the run {folder.read_json('metrics.json')['recipe']}",
    )
    url = f"{api.endpoint}/{repo}"
    log.info("published %d files: %s", len(files), url)
    return url


def _check_finished(folder: RunFolder) -> None:
    config = config_file(folder.model).relative_to(folder.path)
    needed = ("recipe.yaml", "metrics.json", "README.md", str(config))
    missing = [name for name in needed if not (folder.path / name).is_file()]
    if not missing:
        return
    if folder.state() == "new":
        raise UserError(f"{folder.path} holds no run: there is no recipe.yaml in it.")
    recipe = shlex.quote(str(folder.path / "recipe.yaml"))
    again = f"nlpt finetune --recipe {recipe} --output {shlex.quote(str(folder.path))}"
    if folder.state() == "finished":
        raise UserError(
            f"The run in {folder.path} is finished, but {', '.join(missing)} is missing. Copy it "
            f"back, or train anew with: {again} --fresh"
        )
    raise UserError(
        f"The run in {folder.path} is not finished: {', '.join(missing)} is missing. Finish it "
        f"with: {again}"
    )


def _read_recipe(folder: RunFolder) -> dict[str, Any]:
    where = folder.path / "recipe.yaml"
    recipe, _ = read_yaml(where.read_text("utf-8"), str(where))
    if not isinstance(recipe, dict):
        raise UserError(f"{where}: a recipe is a mapping of sections (name, task, data, model...).")
    return recipe


def _portable_recipe(folder: RunFolder) -> bytes:
    """Return recipe.yaml without the paths of this machine."""
    recipe = _read_recipe(folder)
    # Not under `task`: an entity type may be called /person/artist.
    places = ("data.source", "data.splits", "model", "strategies", "training")
    portable = without_secrets(_without_paths(recipe, places))
    if portable == recipe:
        return (folder.path / "recipe.yaml").read_bytes()
    return (_SHORTENED + write_yaml(portable)).encode()


def _without_paths(value: Any, places: tuple[str, ...], at: str = "") -> Any:
    if isinstance(value, dict):
        return {k: _without_paths(v, places, f"{at}.{k}".lstrip(".")) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_paths(item, places, at) for item in value]
    here = any(at == place or at.startswith(f"{place}.") for place in places)
    if here and isinstance(value, str) and (Path(value).is_absolute() or value.startswith("~")):
        return f"./{short_name(value)}"
    return value


def _portable_adapter(path: Path) -> bytes:
    """Return adapter_config.json without the path of a local base model.

    The leading ./ keeps a reader's machine from taking the folder's name for a Hub id, which could
    load some other model without a word.
    """
    config = json.loads(path.read_text("utf-8"))
    base = config.get("base_model_name_or_path") or ""
    if not is_local(base):
        return path.read_bytes()
    log.warning(
        "the base model of the adapter is the local folder %s: only who has it can load this. "
        "With merge: true under strategies lora the model stands alone.",
        short_name(base),
    )
    config["base_model_name_or_path"] = f"./{short_name(base)}"
    return (json.dumps(config, indent=2) + "\n").encode()


def _explain(error: BaseException, repo: str, run: Path) -> str | None:
    """Say what a failure of the upload means to the user; None: it is no such failure."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    for cause in _chain(error):
        if isinstance(cause, UserError):
            return None
        if isinstance(cause, OfflineModeIsEnabled):
            return "HF_HUB_OFFLINE is set, so the Hub was not asked. Unset it to publish."
        if isinstance(cause, HfHubHTTPError) and cause.response is not None:
            return _explain_status(cause.response.status_code, cause.server_message, repo, run)
        if type(cause).__name__ == "XetAuthenticationError":
            return _explain_status(403, None, repo, run)
        if is_network_error(cause):
            return "The Hub cannot be reached. Check the network connection."
    if isinstance(error, ValueError) and "README.md" in str(error):
        return _explain_status(400, str(error), repo, run)
    if isinstance(error, RuntimeError | OSError):  # hf_xet and the upload threads raise these
        return f"The upload broke off: {error}"
    return None


def _explain_status(status: int, message: str | None, repo: str, run: Path) -> str:
    login = (
        "`hf auth login` (a token with write access, from https://huggingface.co/settings/tokens)"
    )
    if status == 401:
        return f"The Hub did not accept the access token, or there is none. Log in with {login}."
    if status in (402, 403):
        return (
            f"This access token may not write to {repo!r}. Log in with {login}, or publish under "
            "your own name."
        )
    if status == 404:
        return (
            f"The Hub finds no {repo!r} that this token may write to. Check the owner's name, or "
            f"log in with {login}."
        )
    if status == 429 or status >= 500:
        return f"The Hub cannot serve the upload just now (HTTP {status}). Wait a little."
    if message and "README.md" in message:
        return f"The Hub does not accept {run / 'README.md'}; correct it.\n{message}"
    return f"The Hub refused the upload (HTTP {status}): {message or 'it gave no reason'}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__
