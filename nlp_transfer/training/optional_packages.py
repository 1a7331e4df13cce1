"""Arguments of the Trainer in; a refusal, before data is read, where a package is missing."""

from __future__ import annotations

from transformers import TrainerCallback, TrainingArguments
from transformers.integrations import get_reporting_integration_callbacks
from transformers.utils import is_liger_kernel_available

from nlp_transfer.errors import UserError


def check_packages(args: TrainingArguments) -> None:
    """Raise UserError where arguments need a package that is not installed, before data is read."""
    try:
        for tracker in get_reporting_integration_callbacks(args.report_to):
            _without_end(tracker)()  # as the Trainer does, after minutes perhaps
    except (ImportError, RuntimeError, ValueError) as error:
        raise UserError(
            f"training.arguments.report_to: {error} Install it, or leave report_to out: log.jsonl "
            "in the run folder has every logged figure."
        ) from None
    if args.use_liger_kernel and not is_liger_kernel_available():
        raise UserError(
            "training.arguments.use_liger_kernel: Liger is not installed. Run `pip install "
            "liger-kernel`, or leave it out."
        )


def _without_end(tracker: type[TrainerCallback]) -> type[TrainerCallback]:
    """Make a tracker that does nothing when it goes: half made, MLflow's would fail there too."""
    return type(tracker.__name__, (tracker,), {"__del__": lambda _: None})
