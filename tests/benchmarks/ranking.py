"""Whether `nlpt rank` orders checkpoints as fine-tuning does, and what it costs beside that.

    make bench-rank                                   embedded data
    make bench-rank DATA=folder                       crossner, wnut17, banking77 in it
    make bench-rank DATA=folder ARGS="--sets politics --kept"

Eight checkpoints are made of MiniLM: cut to 1, 2, 3, 4 and 6 layers, pretrained further on texts
of the data, fine-tuned on names in news, and of random weights. Each is fine-tuned on every data
set by one recipe, and scored on validation; `nlpt rank` sees them all in one call. What has run is
kept in `--out` and not run again. Prints a table a data set, and writes OUT/table.md and
OUT/ranking.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scipy.stats import spearmanr

from nlp_transfer import finetune, load_recipe, pretrain, rank_checkpoints
from nlp_transfer.strategies.any_recipe import AnyRecipe
from tests.benchmarks.few_shot import write_few_shot

_LAYERS = (1, 2, 3, 4, 6)
_TRAINING = (
    "strategies=[{name: full}]", "training.learning_rate=3e-4", "training.head_learning_rate=3e-3",
    "training.tokens_per_batch=256", "evaluation.splits=[validation]",
    "training.arguments={eval_strategy: 'no', save_strategy: 'no'}",
)  # fmt: skip
_WNUT = "{train: wnut17train.conll, validation: emerging.dev.conll, test: emerging.test.annotated}"


@dataclass(frozen=True)
class DataSet:
    """Labelled data on which checkpoints are ranked and fine-tuned."""

    base: str
    """The recipe that reads it."""
    keys: tuple[str, ...]
    chosen_on: bool = False
    """What the score is was chosen on these sets; the others were looked at afterwards."""
    embedded: bool = False


@dataclass(frozen=True)
class Measured:
    """What is said of a checkpoint, and what it came to."""

    checkpoint: str
    score: float
    h_score: float
    alike: bool
    """Whether it cannot be told from the best."""
    seconds: float
    fine_tuned: float
    """Validation score, mean over seeds."""
    training_seconds: float


_SETS = {
    "intents": DataSet("quickstart-intents", ("training.epochs=5",), chosen_on=True, embedded=True),
    "politics": DataSet(
        "quickstart-ner",
        ("data.source={data}/crossner/politics", "model.max_pieces=256", "training.epochs=4"),
    ),
    "banking77": DataSet(
        "quickstart-intents",
        ("data.source={out}/banking77/data", "data.columns={text: text, label: category}",
         "training.epochs=5"),
    ),
    "wnut17": DataSet(
        "quickstart-ner",
        ("data.source={data}/wnut17", f"data.splits={_WNUT}", "data.train_examples=400",
         "training.epochs=3"),
    ),
}  # fmt: skip


def main() -> None:
    """Make and fine-tune what is missing, rank, and print the tables."""
    options = _options()
    options.out = options.out.resolve()
    options.out.mkdir(parents=True, exist_ok=True)
    chosen = [
        name
        for name, of in _SETS.items()
        if (of.embedded or options.data) and name in (options.sets or _SETS)
    ]
    if "banking77" in chosen:
        write_few_shot(
            options.data / "banking77", options.out / "banking77" / "data", seed=42, train=5
        )
    if not options.kept:
        _write_shared(options.out)
        for seed in options.seeds:
            for name in chosen:
                _fine_tune_all(name, seed, options)
    found = {name: _measure(name, options) for name in chosen}
    text = "\n".join(_tables(found))
    (options.out / "table.md").write_text(text, "utf-8")
    (options.out / "ranking.json").write_text(json.dumps(_plain(found), indent=1), "utf-8")
    print(text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with the data sets; else embedded data")
    parser.add_argument("--sets", nargs="+", choices=list(_SETS), help="only these data sets")
    parser.add_argument("--seeds", nargs="+", type=int, default=[42])
    parser.add_argument("--kept", action="store_true", help="train nothing, rank what has run")
    parser.add_argument("--out", type=Path, default=Path("runs/bench-rank"))
    return parser.parse_args()


def _read(name: str, options: argparse.Namespace, *own: str) -> AnyRecipe:
    """Read the recipe by which all checkpoints learn a data set, with keys of one's own."""
    keys = [*_SETS[name].keys, *_TRAINING, *own]
    return load_recipe(_SETS[name].base, [_filled(key, options) for key in keys])


def _filled(text: str, options: argparse.Namespace) -> str:
    return text.replace("{data}", str(options.data)).replace("{out}", str(options.out))


def _candidates(name: str, out: Path) -> dict[str, Path]:
    """Name the checkpoints for a data set, and where they lie."""
    shared = [*(f"minilm-{layers}" for layers in _LAYERS), "ner", "random"]
    return {**{one: out / "checkpoints" / one for one in shared}, "domain": out / name / "domain"}


def _write_shared(out: Path) -> None:
    """Write the checkpoints that are the same for all data sets."""
    folder = out / "checkpoints"
    if not (folder / "random").is_dir():
        _write_cuts(folder)
    if not (folder / "ner" / "metrics.json").is_file():
        finetune(load_recipe("quickstart-ner"), output=folder / "ner")


def _write_cuts(folder: Path) -> None:
    """Cut MiniLM, and write one of random weights; plain checkpoints all."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    from nlp_transfer.models.carry_over import keep_layers
    from nlp_transfer.models.checkpoint import embedded_checkpoint

    whole = AutoModel.from_pretrained(embedded_checkpoint())
    tokenizer = AutoTokenizer.from_pretrained(embedded_checkpoint())
    torch.manual_seed(0)
    models = {f"minilm-{layers}": keep_layers(whole, layers) for layers in _LAYERS}
    for name, model in {**models, "random": AutoModel.from_config(whole.config)}.items():
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)


def _fine_tune_all(name: str, seed: int, options: argparse.Namespace) -> None:
    """Fine-tune every checkpoint on a data set; one of them is pretrained on its texts first."""
    out = options.out
    domain = out / name / "domain"
    if not (domain / "metrics.json").is_file():
        start = f"model.checkpoint={out / 'checkpoints' / 'minilm-6'}"
        own = (start, "pretraining.epochs=1", "training.arguments={}")
        pretrain(_read(name, options, *own), output=domain)
    for candidate, folder in _candidates(name, out).items():
        run = _run(out, name, candidate, seed)
        if not _is_done(out, name, candidate, seed):
            own = _read(name, options, f"model.checkpoint={folder}", f"training.seed={seed}")
            finetune(own, output=run)
            shutil.rmtree(run / "model", ignore_errors=True)


def _run(out: Path, name: str, candidate: str, seed: int) -> Path:
    return out / name / f"{candidate}-{seed}"


def _is_done(out: Path, name: str, candidate: str, seed: int) -> bool:
    return (_run(out, name, candidate, seed) / "metrics.json").is_file()


def _measure(name: str, options: argparse.Namespace) -> list[Measured]:
    """Rank the checkpoints of a data set, and set beside it what fine-tuning has come to."""
    folders = {
        candidate: folder
        for candidate, folder in _candidates(name, options.out).items()
        if all(_is_done(options.out, name, candidate, seed) for seed in options.seeds)
    }
    recipe = _read(name, options)
    ranked = rank_checkpoints(recipe, list(folders.values()))
    names = {str(folder): candidate for candidate, folder in folders.items()}
    found = []
    for row in ranked.rows:
        candidate = names[row.checkpoint]
        runs = [
            json.loads((_run(options.out, name, candidate, seed) / "metrics.json").read_text())
            for seed in options.seeds
        ]
        found.append(
            Measured(
                candidate,
                row.score,
                row.found.h_score,
                row.checkpoint in ranked.not_distinguishable,
                row.found.seconds,
                statistics.mean(_figure(run["splits"]["validation"]) for run in runs),
                statistics.mean(run["training"]["seconds"] for run in runs),
            )
        )
    return found


def _figure(split: Mapping[str, Any]) -> float:
    """Return entity F1 or accuracy."""
    found = split["entity"]["overall"]["f1"] if "entity" in split else split["class"]["accuracy"]
    return float(found)


def _tables(found: Mapping[str, Sequence[Measured]]) -> Iterator[str]:
    """Write a table a data set, and what came of all."""
    for name, rows in found.items():
        role = "LogME was chosen on it" if _SETS[name].chosen_on else "looked at afterwards"
        agreement = [
            _spearman(rows, figure) for figure in (lambda row: row.score, lambda row: row.h_score)
        ]
        share = sum(row.seconds for row in rows) / sum(row.training_seconds for row in rows)
        yield f"### {name} ({role})"
        yield ""
        yield (
            f"Spearman of fine-tuned score and LogME {agreement[0]:.2f}, shrunk H-score "
            f"{agreement[1]:.2f}; seconds of ranking: {share:.1%} of those of training."
        )
        yield ""
        yield "| checkpoint | LogME | H-score | fine-tuned | seconds | of training |"
        yield "|---|---|---|---|---|---|"
        for row in rows:
            mark = " (cannot tell)" if row.alike else ""
            yield (
                f"| {row.checkpoint}{mark} | {row.score:.4f} | {row.h_score:.3f} "
                f"| {100 * row.fine_tuned:.1f} | {row.seconds:.1f} | {row.training_seconds:.0f} |"
            )
        yield ""


def _plain(found: Mapping[str, Sequence[Measured]]) -> dict[str, list[dict[str, Any]]]:
    return {name: [asdict(row) for row in rows] for name, rows in found.items()}


def _spearman(rows: Sequence[Measured], figure: Callable[[Measured], float]) -> float:
    return float(spearmanr([figure(row) for row in rows], [row.fine_tuned for row in rows])[0])


if __name__ == "__main__":
    main()
