"""Where a model computes, and in which precision: what is asked for in, what there is out."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

from nlp_transfer.errors import UserError

log = logging.getLogger(__name__)

_PRECISIONS = ("auto", "bf16", "fp16", "fp32")


def autocast(device_type: str, precision: str) -> contextlib.AbstractContextManager[Any]:
    """Return the context in which a model computes in the given precision."""
    import torch

    if precision == "fp32":
        return contextlib.nullcontext()
    dtype = torch.bfloat16 if precision == "bf16" else torch.float16
    return torch.autocast(device_type, dtype=dtype)


def resolve_device(wanted: str) -> str:
    """Choose the device of `auto`: an accelerator where there is one, else the CPU.

    raises: UserError when the wanted device is not there
    """
    import torch

    here = torch.accelerator.current_accelerator(check_available=True)
    if wanted == "auto":
        return here.type if here else "cpu"
    found = ["cpu"]
    if here:
        found += [here.type, *(f"{here.type}:{i}" for i in range(torch.accelerator.device_count()))]
    if wanted not in found:
        raise UserError(
            f"--device: {wanted!r} is not here; PyTorch {torch.__version__} sees "
            f"{', '.join(found)}. Choose one of these, or leave it to auto."
        )
    return wanted


def device_of(engine: str, wanted: str) -> str:
    """Choose the device that an engine computes on; all but PyTorch itself: the CPU.

    raises: UserError when the wanted device is not there, or not the engine's
    """
    if engine == "torch":
        return resolve_device(wanted)
    if wanted not in ("auto", "cpu"):
        what = "an ONNX model" if engine == "onnx" else "compiled PyTorch"
        raise UserError(f"--device: {what} computes on the CPU here, not on {wanted!r}.")
    return "cpu"


def resolve_precision(wanted: str, device: str | None = None) -> str:
    """Choose the precision of `auto`: bf16 where the device computes in it, else fp32.

    A processor without bf16 instructions emulates them some twenty times slower than fp32.

    device: from `resolve_device`; None: that of `auto`
    """
    import torch

    if wanted not in _PRECISIONS:
        raise UserError(f"--precision: {wanted!r} is unknown ({', '.join(_PRECISIONS)}).")
    if wanted != "auto":
        return wanted
    kind = (device or resolve_device("auto")).partition(":")[0]
    if kind == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    if kind != "cpu":
        return "fp32"
    has = torch.cpu.get_capabilities()
    return "bf16" if has.get("avx512_bf16") or has.get("amx_bf16") else "fp32"


def usable_precision(model: Any, wanted: str, *, fast_cpu: bool) -> str:
    """Return the wanted precision, or fp32 where the model cannot compute in it: it is tried.

    DeBERTa (the first) masks with the lowest number of fp32, which half precision does not have.

    wanted:   "bf16", "fp16" or "fp32"
    fast_cpu: as `predict_distributions` has it
    """
    import torch

    from nlp_transfer.models.fast_cpu import sped_up

    if wanted == "fp32":
        return wanted
    pieces = torch.zeros((1, 2), dtype=torch.int64, device=model.device)
    was_training = model.training
    model.eval()  # no random numbers are drawn
    try:
        on = sped_up(model, enabled=fast_cpu)
        with on, torch.no_grad(), autocast(model.device.type, wanted):
            model(input_ids=pieces, attention_mask=torch.ones_like(pieces))
    except RuntimeError as error:
        log.warning(
            "a %r model does not compute in %s (%s): it computes in fp32",
            model.config.model_type,
            wanted,
            str(error).splitlines()[0],
        )
        return "fp32"
    finally:
        model.train(was_training)
    return wanted
