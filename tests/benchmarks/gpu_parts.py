"""The parts of gpu.py: each prints a row of its table a line, as JSON."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import AutoModelForTokenClassification, TrainerCallback

from nlp_transfer import finetune, load_recipe
from nlp_transfer.inference.precision import autocast
from nlp_transfer.models.packing import FAMILIES as PACKED
from nlp_transfer.models.packing import packed_layers
from nlp_transfer.training.seen_rows import seen_rows
from tests.benchmarks.gpu_speed import Row, prediction, speed
from tests.tiny import FAMILIES, build_checkpoint, write_data, write_recipe


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", choices=[*PARTS])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=120, help="that the part may take")
    options = parser.parse_args()
    options.folder = options.folder / options.part
    rows = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):  # the stock Trainer prints, too
        for row in PARTS[options.part](options):
            print(json.dumps(row), file=rows, flush=True)


def _families(options: argparse.Namespace) -> Iterator[Row]:
    """Compare logits of ten families with those of the CPU in fp32."""
    for family in FAMILIES:
        folder = build_checkpoint(family, options.folder / family)
        model = _model(folder)
        batch = _batch(model.config.vocab_size)
        wanted = model(**batch).logits
        model.to(options.device)
        moved = {name: tensor.to(options.device) for name, tensor in batch.items()}
        off = {}
        for precision in ("fp32", "bf16"):
            with autocast(options.device, precision):
                logits = model(**moved).logits.float().cpu()
            off[precision] = float((logits - wanted).abs().max() / wanted.abs().max())
        yield {
            "what": f"{family}: furthest logit from the CPU's, of the largest",
            "found": f"fp32 {off['fp32']:.1e}, bf16 {off['bf16']:.1e}",
            "ok": off["fp32"] < 1e-4 and off["bf16"] < 0.1,
        }
        if family in PACKED:
            yield _unpadded(family, options)


class _Operators(TorchDispatchMode):
    """Notes what PyTorch computes by."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Note an operator, and compute."""
        self.names.add(func.__name__)
        return func(*args, **(kwargs or {}))


def _unpadded(family: str, options: argparse.Namespace) -> Row:
    """Compare logits and gradients without padding with those with it, and with the CPU's.

    Weights are so large that a piece does not look at all others alike.
    """
    folder = options.folder / f"{family}-spread"
    model = _model(build_checkpoint(family, folder, initializer_range=0.3))
    on_cpu = _batch(model.config.vocab_size)
    pieces = on_cpu["attention_mask"].bool()
    wanted = model(**on_cpu).logits[pieces]
    model.to(options.device)
    batch = {name: tensor.to(options.device) for name, tensor in on_cpu.items()}
    found = {}
    for precision, packed in (("fp32", True), ("bf16", False), ("bf16", True)):
        model.zero_grad()
        with (
            torch.enable_grad(),
            packed_layers(model, enabled=packed),
            autocast(options.device, precision),
            _Operators() as by,
        ):
            logits = model(**batch).logits.float().cpu()[pieces]
            logits.square().mean().backward()
        gradients = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
        found[precision, packed] = (logits.detach(), torch.cat(gradients).cpu())
    (half, gradient), (padded, own) = found["bf16", True], found["bf16", False]
    off = {
        "fp32 from the CPU": _relative(found["fp32", True][0], wanted),
        "bf16 from the CPU": _relative(half, wanted),
        "from padded bf16": _relative(half, padded),
        "its gradient": float((gradient - own).norm() / own.norm()),
    }
    by_kernel = any("flash_attention_forward" in name for name in by.names)
    return {
        "what": f"{family}, no padding: furthest logit, of the largest",
        "found": ", ".join(f"{name} {value:.1e}" for name, value in off.items())
        + (", by Flash Attention" if by_kernel else ", attention padded"),
        "ok": off.pop("fp32 from the CPU") < 1e-4 and max(off.values()) < 0.1,
    }


def _relative(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max() / other.abs().max())


@torch.no_grad()
def _model(folder: Path, **settings: Any) -> Any:
    torch.manual_seed(0)
    model = AutoModelForTokenClassification.from_pretrained(folder, num_labels=7, **settings)
    torch.set_grad_enabled(False)
    return model.eval()


def _batch(vocabulary: int) -> dict[str, torch.Tensor]:
    """Make 16 windows of 8 to 48 pieces."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(5, vocabulary, (16, 48), generator=generator)
    lengths = torch.linspace(8, 48, 16).round()
    mask = (torch.arange(48) < lengths[:, None]).long()
    return {"input_ids": ids, "attention_mask": mask}


def _options(options: argparse.Namespace) -> Iterator[Row]:
    """Compare what should be the same model by other means."""
    yield _attention(options, "eager")
    if importlib.util.find_spec("flash_attn"):
        yield _attention(options, "flash_attention_2")
    else:
        yield {"what": "Flash Attention 2", "found": "its library is not installed", "ok": True}
    with torch.enable_grad():
        yield _seen_rows(options)
    plain = _trained(options, "plain")
    saving = _trained(options, "checkpointing", arguments={"gradient_checkpointing": True})
    off = _furthest(plain, saving)
    yield {
        "what": "gradient checkpointing: furthest weight from training without",
        "found": f"{off:.1e}",
        "ok": off < 1e-4,
    }
    lora = _trained(options, "lora", strategy="lora", epochs=6)
    yield _learning("LoRA", lora, ok=(lora / "adapter").is_dir())
    packed = _trained(options, "no-padding", padding=False, precision="bf16", epochs=6)
    yield _learning("no padding, bf16, with dropout", packed)


def _learning(what: str, run: Path, *, ok: bool = True) -> Row:
    """Say whether the loss of a run falls."""
    losses = [line["loss"] for line in _log(run) if "loss" in line]
    return {
        "what": f"{what}: loss of the first and the last steps",
        "found": f"{losses[0]:.3f}, {losses[-1]:.3f}",
        "ok": losses[-1] < losses[0] and ok,
    }


def _attention(options: argparse.Namespace, kind: str) -> Row:
    """Compare PyTorch's fused attention with another, in the precision that this one knows."""
    folder = options.folder / "attention"
    if not folder.is_dir():
        build_checkpoint("bert", folder)
    precision = "fp32" if kind == "eager" else "bf16"
    logits = []
    for one in ("sdpa", kind):
        model = _model(folder, attn_implementation=one).to(options.device)
        batch = {name: t.to(options.device) for name, t in _batch(model.config.vocab_size).items()}
        with autocast(options.device, precision):
            found = model(**batch).logits.float().cpu()
        logits.append(found[_batch(model.config.vocab_size)["attention_mask"].bool()])
    off = float((logits[0] - logits[1]).abs().max() / logits[0].abs().max())
    return {
        "what": f"SDPA against {kind}, {precision}: furthest logit, of the largest",
        "found": f"{off:.1e}",
        "ok": off < (1e-4 if precision == "fp32" else 0.1),
    }


def _seen_rows(options: argparse.Namespace) -> Row:
    """Learn with word embeddings of the shown pieces alone, and with all."""
    folder = build_checkpoint("bert", options.folder / "rows")
    shown = torch.arange(0, 100)
    weights = []
    for only_shown in (True, False):
        model = _model(folder).to(options.device)
        torch.set_grad_enabled(True)
        if only_shown:
            with seen_rows(model, shown) as rows:
                _learn(model, options.device, rows)
        else:
            _learn(model, options.device, None)
        weights.append({name: value.detach().cpu() for name, value in model.state_dict().items()})
    off = max(float((weights[0][name] - weights[1][name]).abs().max()) for name in weights[0])
    return {
        "what": "rows of shown pieces alone: furthest weight from learning all",
        "found": f"{off:.1e}",
        "ok": off < 1e-5,
    }


def _learn(model: Any, device: str, rows: Any) -> None:
    """Take four steps of AdamW with decay."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)
    if rows is not None:
        optimizer.register_step_post_hook(rows.decay_others)
    batch = {name: tensor.to(device) for name, tensor in _batch(100).items()}
    for _ in range(4):
        if rows is not None:
            rows.train()  # the others have no dropout
        model(**batch).logits.square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()


def _trained(options: argparse.Namespace, name: str, **changes: Any) -> Path:
    """Train a tiny model in fp32, as the command does."""
    torch.set_grad_enabled(True)
    recipe, run = _tiny_recipe(options, name, **changes), options.folder / name / "run"
    finetune(load_recipe(str(recipe)), output=run)
    return run


def _tiny_recipe(
    options: argparse.Namespace, name: str, *, strategy: str = "full", **training: Any
) -> Path:
    data, checkpoint = options.folder / "data", options.folder / "checkpoint"
    if not data.is_dir():  # the same for all: no two tokenizers are trained to the same order
        write_data(data, "ner")
        build_checkpoint("bert", checkpoint)
    return write_recipe(
        options.folder / name / "recipe.yaml",
        task="ner",
        data=data,
        checkpoint=checkpoint,
        strategy=strategy,
        training={"tokens_per_batch": 96, "save_minutes": 1e-6, **training},
    )


def _log(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]


def _furthest(one: Path, other: Path) -> float:
    from safetensors.torch import load_file

    left, right = (load_file(run / "model" / "model.safetensors") for run in (one, other))
    return max(float((left[name] - right[name]).abs().max()) for name in left)


class _Stop(TrainerCallback):
    """Breaks a run off after its fifth step, before that is saved."""

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == 5:
            raise KeyboardInterrupt


def _resume(options: argparse.Namespace) -> Iterator[Row]:
    """Compare a run that was broken off with one that was not."""
    whole = _trained(options, "whole")
    recipe, run = _tiny_recipe(options, "broken"), options.folder / "broken" / "run"
    try:
        finetune(load_recipe(str(recipe)), output=run, callbacks=[_Stop()])
    except KeyboardInterrupt:
        finetune(load_recipe(str(recipe)), output=run)
    same = all(
        (run / "model" / name).read_bytes() == (whole / "model" / name).read_bytes()
        for name in ("model.safetensors",)
    )
    found = "bitwise equal" if same else f"furthest weight {_furthest(run, whole):.1e}"
    yield {"what": "a resumed run against one in one go", "found": found, "ok": same}


PARTS = {
    "families": _families,
    "options": _options,
    "resume": _resume,
    "speed-conll": partial(speed, "conll"),
    "speed-imdb": partial(speed, "imdb"),
    "prediction": prediction,
}

if __name__ == "__main__":
    main()
