"""The record of an export in, a table out: a model beside it."""

from __future__ import annotations

from nlp_transfer.onnx.record import ExportRecord
from nlp_transfer.shown import Table


def export_table(record: ExportRecord) -> Table:
    """Show how alike both predict, how fast and how large they are."""
    parity, sizes = record.parity, record.megabytes
    speed, f1 = parity.examples_per_second, parity.f1
    name = " ".join(filter(None, [record.format, record.quantize or "fp32"]))
    rows = (
        ("same predictions", "", f"{parity.agreement:.4f}"),
        ("F1", f"{f1.torch:.4f}", f"{f1.onnx:.4f}"),
        ("change of F1", "", f"{f1.change:+.4f} ± {f1.change95:.4f}"),
        ("examples a second", f"{speed.torch:.0f}", f"{speed.onnx:.0f}"),
        ("times as fast", "", f"{speed.ratio:.2f}"),
        ("MB", f"{sizes['torch']:.1f}", f"{sizes['onnx']:.1f}"),
    )
    note = (
        f"{parity.split} split, {parity.examples:,} examples; PyTorch in fp32, its speed in "
        f"{speed.torch_precision} on {speed.torch_device}."
    )
    return Table("Export", ("", "PyTorch", name), rows, note)
