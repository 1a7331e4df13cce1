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

Done = tuple[int, str, str]
"""Exit code, stdout and stderr."""


def run_commands(
    commands: Sequence[Sequence[object]], folder: Path, environment: Mapping[str, str]
) -> list[Done]:
    """Run nlpt with each of these arguments, in a folder."""
    done = subprocess.run(
        [sys.executable, __file__],
        input="\n".join(json.dumps([str(one) for one in command]) for command in commands),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(commands), done.stderr
    return [(code, out, err) for code, out, err in answers]


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
