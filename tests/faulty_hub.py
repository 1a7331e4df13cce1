"""Run commands against a Hub that goes wrong: a fault a line in, what was said a line out.

The Hub and its client are one process, so that each command has a Hub with its own fault. Pauses
between two tries are left out.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from hub_server import Fault, Hub, Repo, running_hub

Answer = dict[str, Any]

_WITH_HEADERS = {
    "often": (429, {"Retry-After": "1"}),
    "limited": (429, {"RateLimit": '"api";r=0;t=7'}),
    "gated": (403, {"X-Error-Code": "GatedRepo"}),
}


def main(data: Path, model: Path, recipe: str) -> None:
    """Fetch a new copy of a data set or a model a line, while its fault lasts.

    data, model: folders with the files of the repositories
    """
    with running_hub(Path("home").resolve()) as hub:
        os.environ.pop("HF_HUB_OFFLINE", None)
        os.environ.update(hub.environment(), HF_HUB_DOWNLOAD_TIMEOUT="1")
        hub.repos["datasets/me/data"] = Repo(snapshots=[_files(data)])
        hub.repos["me/model"] = Repo(snapshots=[_files(model)])
        sleep = time.sleep
        time.sleep = lambda seconds: sleep(min(seconds, 0.01))
        print(json.dumps(_ask(hub, 0, "cached", recipe)), flush=True)
        for number, line in enumerate(sys.stdin):
            what, where, how, times, again = json.loads(line)
            status, headers = _WITH_HEADERS.get(how, (how, {}))
            fault = Fault(where, status, times, headers)
            hub.faults.append(fault)
            answer = _ask(hub, number, what, recipe)
            hub.faults.clear()
            after = _ask(hub, number, what, recipe) if again else None
            left = sorted(path.name for path in Path().iterdir())
            print(
                json.dumps({**answer, "met": fault.met, "again": after, "left": left}), flush=True
            )


def _ask(hub: Hub, number: int, what: str, recipe: str) -> Answer:
    """Look at the data with the tokenizer of the model; or predict with a model of the Hub."""
    data, model = "me/data", "me/model"
    if what == "data":
        data = f"{data}{number}"
        hub.repos[f"datasets/{data}"] = hub.repos["datasets/me/data"]
    elif what != "cached":
        model = f"{model}{number}"
        hub.repos[model] = hub.repos["me/model"]
    if what == "predicted":
        return _run("predict", model, recipe, "-o", "predicted.jsonl")
    sources = (f"data.source={data}", f"model.checkpoint={model}")
    return _run("inspect", "--recipe", recipe, *sources)


def _run(*argv: str) -> Answer:
    from nlp_transfer.cli.app import main as nlpt

    out, err = io.StringIO(), io.StringIO()
    sys.argv = ["nlpt", *argv]
    begun = time.monotonic()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            nlpt()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        except Exception:
            traceback.print_exc()
            code = 1
    return {"code": code, "err": err.getvalue(), "seconds": time.monotonic() - begun}


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
