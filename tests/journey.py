"""docs/journey.ipynb in, with what its cells printed the last time; out with what they print now.

`make journey` runs it, with the extra `docs`. The cells are in the notebook itself: change them
there, and run it.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from nlp_transfer.files import write_text

NOTEBOOK = Path(__file__).parent.parent / "docs" / "journey.ipynb"
MINUTES = 20


def executed(notebook: NotebookNode) -> NotebookNode:
    """Run every cell in an empty folder, so that outputs name no folder of this machine.

    raises: nbclient.exceptions.CellExecutionError where a cell does
    """
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=60 * MINUTES,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
            coalesce_streams=True,  # a bar is what it came to, not each of its states
            record_timing=False,
        )
        # In notebooks tqdm warns that its bars could be nicer, and says where it is installed.
        client.execute(env={**os.environ, "PYTHONWARNINGS": "ignore:IProgress not found"})
    notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"]}  # whatever Python ran it
    return notebook


if __name__ == "__main__":
    notebook = executed(nbformat.read(NOTEBOOK, as_version=4))
    write_text(NOTEBOOK, nbformat.writes(notebook) + "\n")
    sys.stdout.write(f"{NOTEBOOK.name}: {NOTEBOOK.stat().st_size:,} bytes\n")
