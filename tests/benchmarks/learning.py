"""Our training, measured: a recipe and a run folder, then recipe keys.

Prints one JSON object: seconds of learning (without evaluations, which the stock side leaves out),
sentences learned a second, entity F1.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from nlp_transfer import finetune, load_recipe


def main() -> None:
    """Train once and print the outcome."""
    recipe, folder, *overrides = sys.argv[1:]
    print(json.dumps(learn(recipe, folder, overrides)))


def learn(recipe: str, folder: str, overrides: Sequence[str]) -> dict[str, float]:
    """Train once; returns what was measured."""
    metrics = finetune(load_recipe(recipe, overrides), output=folder).metrics
    data = json.loads(Path(folder, "data.json").read_text("utf-8"))
    sentences = data["splits"]["train"]["examples"]
    training = metrics["training"]
    seconds = training["seconds"] - training["evaluation_seconds"]
    return {
        "train_seconds": round(seconds, 1),
        "sentences_per_second": round(sentences * training["epochs"] / seconds, 1),
        "entity_f1": round(metrics["splits"]["test"]["entity"]["overall"]["f1"], 4),
        **({"device_mb": training["peak_mb"]} if torch.cuda.is_available() else {}),
    }


if __name__ == "__main__":
    main()
