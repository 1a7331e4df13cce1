"""Many commands, run by a process that imports the package once.

As a script: reads the arguments of a command a line, as JSON; writes [exit code, stdout, stderr].
"""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Done = tuple[int, str, str]
"""Exit code, stdout and stderr."""


def run_commands(
    commands: Sequence[Sequence[object]], folder: Path, environment: Mapping[str, str]
) -> list[Done]:
    """Run nlpt with each of these arguments, in a folder."""
    asked = [[str(one) for one in command] for command in commands]
    answers = answers_of([__file__], asked, folder, environment, timeout=1500)
    return [(code, out, err) for code, out, err in answers]


def answers_of(
    python: Sequence[str],
    questions: Sequence[object],
    folder: Path,
    environment: Mapping[str, str],
    *,
    timeout: float,
) -> list[Any]:
    """Put all questions to one Python process, which answers each with a line of JSON.

    python:  its arguments
    timeout: seconds for all of them
    """
    done = subprocess.run(
        [sys.executable, *python],
        input="\n".join(map(json.dumps, questions)),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(questions), done.stderr
    return answers


def _run(arguments: Sequence[str]) -> Done:
    from nlp_transfer.cli.app import main

    out, err = io.StringIO(), io.StringIO()
    sys.argv, code = ["nlpt", *arguments], 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        except Exception:
            traceback.print_exc()
            code = 1
    return code, out.getvalue(), err.getvalue()


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(_run(json.loads(line))), flush=True)
