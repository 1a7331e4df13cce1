"""Finished runs in, a folder out that is a Hugging Face Space which shows them."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from nlp_transfer import __version__
from nlp_transfer.errors import UserError
from nlp_transfer.models.checkpoint import EMBEDDED, EMBEDDED_HUB_ID
from nlp_transfer.models.loading import ADAPTER_FILE
from nlp_transfer.publish.contents import gather
from nlp_transfer.publish.destination import Destination, check_destination
from nlp_transfer.publish.names import is_local
from nlp_transfer.publish.parts import Parts
from nlp_transfer.publish.portable import check_finished, read_recipe
from nlp_transfer.recipe.yaml_reader import write_yaml
from nlp_transfer.runs.run_folder import RunFolder

_PORT = 7860
"""On which a Space is asked."""


def check_published(runs: Mapping[str, str], published: Sequence[str]) -> None:
    """Refuse names of published models that are none, or not one a run."""
    if published and len(published) != len(runs):
        raise UserError(
            f"--model: {len(published)} model(s) for {len(runs)} run(s). Name the model that each "
            "run was published as, in their order, or none."
        )
    for name in published:
        try:
            check_destination(Destination(name))
        except UserError as error:
            raise UserError(str(error).replace("REPO:", "--model:", 1)) from None
        if "/" not in name:
            raise UserError(f"--model: {name!r} has no owner. Name it as on the Hub: owner/{name}")


def write_space(runs: Mapping[str, str], published: Sequence[str], folder: Path) -> None:
    """Write the files of a Space into a folder that is there.

    runs:      run folders by their names
    published: the models that they were published as; none: a copy of each is written
    raises:    UserError for a run that is not finished, or whose model the Space would not have
    """
    sources = {name: RunFolder(Path(run)) for name, run in runs.items()}
    extras = {"demo"}
    for run in sources.values():
        check_finished(run)
        extras |= _extras(run)
    models = list(published)
    for number, run in enumerate(sources.values() if not published else (), start=1):
        model = f"models/{number}"
        (folder / model).mkdir(parents=True)
        gather(run, model, Parts(check=False), folder).write(folder / model)
        models.append(model)
    named = [f"{name}={model}" for name, model in zip(sources, models, strict=True)]
    first = next(iter(sources.values()))
    texts = {
        "README.md": _readme(" and ".join(sources), published, _license(first)),
        "app.py": _app(named),
        "requirements.txt": f"nlp-transfer[{','.join(sorted(extras))}]=={__version__}\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _extras(run: RunFolder) -> set[str]:
    """Return what the base of an adapter needs to be installed; a whole model needs nothing."""
    file = run.model / ADAPTER_FILE
    if not file.is_file():
        return set()
    base = str(json.loads(file.read_text("utf-8")).get("base_model_name_or_path") or "")
    if base in (EMBEDDED, EMBEDDED_HUB_ID):
        return {"samples"}
    if is_local(base):
        raise UserError(
            f"RUN: {run.path} holds an adapter, whose base lies in a folder of this machine. A "
            "Space would not have it. Train with merge: true under its strategy, so that the model "
            "stands alone."
        )
    return set()


def _license(run: RunFolder) -> str | None:
    return (read_recipe(run).get("publish") or {}).get("license")


def _readme(title: str, published: Sequence[str], license: str | None) -> str:
    told = {
        "title": title,
        "emoji": "🏷️",
        "colorFrom": "blue",
        "colorTo": "green",
        "sdk": "gradio",
        "sdk_version": importlib.metadata.version("gradio"),
        "python_version": "{}.{}".format(*sys.version_info),
        "app_file": "app.py",
        "pinned": False,
        **({"license": license} if license else {}),
        **({"models": list(published)} if published else {}),
    }
    return (
        f"---\n{write_yaml(told)}---\n\n"
        "Write a text, or send a file, and see what the model finds. The page is that of\n"
        "`nlpt demo`, of the package nlp-transfer; it runs no code that a model brings.\n"
    )


def _app(models: Sequence[str]) -> str:
    arguments = "".join(f"    {json.dumps(model, ensure_ascii=False)},\n" for model in models)
    return (
        '"""Shows the page of `nlpt demo`."""\n\n'
        "from nlp_transfer import demo\n\n"
        f"demo(\n{arguments}"
        '    host="0.0.0.0",\n'
        f"    port={_PORT},\n"
        "    no_token=True,\n"
        ")\n"
    )
