"""What a dry run or `nlpt prepare` found, for the terminal."""

from __future__ import annotations

from nlp_transfer.doctor.finding import counted
from nlp_transfer.report.tables import ledger_lines
from nlp_transfer.report.terminal import print_table, stdout_console
from nlp_transfer.runs.estimate import Estimate
from nlp_transfer.runs.gpu_model import GpuEstimate
from nlp_transfer.shown import Table
from nlp_transfer.tasks.faces import Rows
from nlp_transfer.training.sizes import DataSizes, SplitSizes


def print_estimate(found: Estimate) -> None:
    """Print what a run would do and cost."""
    print_sizes(found.data)
    rows = (
        ("checkpoint", found.checkpoint),
        ("strategies", ", ".join(found.strategies)),
        ("learns", f"{found.trainable_parameters:,} of {found.total_parameters:,} parameters"),
        ("new at random", f"{found.new_parameters:,} parameters"),
        ("steps", _steps(found)),
        ("precision", found.precision),
        ("processes", str(found.world_size)),
        ("estimated training time", f"{_duration(found.times.training)}: {_parts(found)}"),
        ("estimated time in all", f"{_duration(found.seconds)}: {_other_parts(found)}"),
        ("estimated memory", _gigabytes(found.peak_memory_bytes)),
        ("disk needed while training", _gigabytes(found.disk_bytes)),
        ("run folder", found.output),
    )
    print_table(Table("", ("", ""), rows, figures=False), stdout_console())
    if found.gpus:
        _print_gpus(found.gpus)
    tried = f"{found.steps_tried} steps were tried; " if found.steps else ""
    stdout_console().print(f"Dry run: {tried}nothing was written.", highlight=False)


def _print_gpus(found: GpuEstimate) -> None:
    """Print what a run would take on GPUs, and by what."""
    gpus, console = found.gpus, stdout_console()
    step = found.computing_seconds + found.exchanging_seconds
    rows = (
        ("training", _duration(found.training_seconds)),
        ("in all", _duration(found.total_seconds)),
        ("a step", f"{1000 * step:.0f} ms, {1000 * found.exchanging_seconds:.0f} of exchange"),
        ("memory of each", _gigabytes(found.memory_bytes)),
    )
    print_table(Table(f"{gpus.count:.0f} GPUs, by a model", ("", ""), rows, figures=False), console)
    console.print(
        "a step = max(FLOPs / (N * tflops * utilisation), least_step) + 2 (N - 1) / N * 4 bytes * "
        f"learned parameters / bandwidth. Assumed: tflops={gpus.tflops:g} (peak), "
        f"utilisation={gpus.utilisation:g}, bandwidth={gpus.bandwidth:g} (GB/s), "
        f"least_step={gpus.least_step:g} (s). Your own: --gpus {gpus.count:.0f},tflops=989",
        highlight=False,
    )


def print_sizes(sizes: DataSizes) -> None:
    """Print counts, window lengths and the loss ledger of every split."""
    columns = [_split_lines(split, sizes.task.rows) for split in sizes.splits.values()]
    rows = tuple(
        (name, *(f"{column.get(name, 0):,}" for column in columns))
        for name in dict.fromkeys(name for column in columns for name in column)
    )
    console = stdout_console()
    print_table(Table(f"{sizes.recipe}: data", ("", *sizes.splits), rows), console)
    console.print(f"labels: {', '.join(sizes.labels)}", highlight=False)
    for side in sizes.tasks.values():
        print_sizes(side)


def _split_lines(split: SplitSizes, rows: Rows) -> dict[str, int]:
    return {
        **ledger_lines(split.ledger, rows),
        "pieces": split.pieces,
        "pieces of the median window": split.median_window,
        "pieces of the longest window": split.longest_window,
    }


def _parts(found: Estimate) -> str:
    """Say what training consists of."""
    times = found.times
    a_step = times.steps / max(found.steps, 1)
    learned = [f"{counted(found.steps, 'step')} of {a_step:.3g} s"] if found.steps else []
    return ", ".join(
        [
            *([f"heads {_duration(times.heads)}"] if times.heads else []),
            *learned,
            f"{counted(times.evaluations, 'evaluation')} of {times.evaluation:.3g} s",
            *(
                [f"{counted(times.saves, 'checkpoint')} of {times.save:.3g} s"]
                if times.saves
                else []
            ),
            *(["ended by training.max_minutes"] if times.is_cut_short else []),
        ]
    )


def _other_parts(found: Estimate) -> str:
    """Say what comes beside training."""
    times = found.times
    rounds = [f"rounds before {_duration(sum(found.rounds_before))}"] if found.rounds_before else []
    named = {
        "data and model": times.prepare,
        "last steps": times.finish,
        "predictions": times.predict,
        "report": times.report,
    }
    return ", ".join([*rounds, *(f"{name} {_duration(named[name])}" for name in named)])


def _steps(found: Estimate) -> str:
    if not found.steps:
        return "none: the head is fitted at once"
    return f"{found.steps:,} of {found.tokens_per_batch:,} pieces at most"


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:.2f} GB"


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.2g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
