"""export.json in, a table out: a model beside its export."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nlp_transfer.records import Table


def export_table(figures: Mapping[str, Any]) -> Table:
    """Show how alike both predict, how fast and how large they are.

    figures: what export.json holds
    """
    parity, sizes = figures["parity"], figures["megabytes"]
    speed, f1 = parity["examples_per_second"], parity["f1"]
    name = " ".join(filter(None, [figures["format"], figures["quantize"] or "fp32"]))
    rows = (
        ("same predictions", "", f"{parity['agreement']:.4f}"),
        ("F1", f"{f1['torch']:.4f}", f"{f1['onnx']:.4f}"),
        ("change of F1", "", f"{f1['change']:+.4f} ± {f1['change95']:.4f}"),
        ("examples a second", f"{speed['torch']:.0f}", f"{speed['onnx']:.0f}"),
        ("times as fast", "", f"{speed['ratio']:.2f}"),
        ("MB", f"{sizes['torch']:.1f}", f"{sizes['onnx']:.1f}"),
    )
    note = (
        f"{parity['split']} split, {parity['examples']:,} examples; PyTorch in fp32, its speed in "
        f"{speed['torch_precision']} on {speed['torch_device']}."
    )
    return Table("Export", ("", "PyTorch", name), rows, note)
