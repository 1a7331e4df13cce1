"""What a study has found, and why it may be less than it seems, in words."""

from __future__ import annotations

from collections.abc import Iterator

from nlp_transfer.doctor.finding import counted
from nlp_transfer.errors import shortened
from nlp_transfer.studies.contenders import Compared
from nlp_transfer.studies.findings import StudyResult


def summary(result: StudyResult) -> Iterator[str]:
    """Say in words what was found, and what it rests on."""
    looked = counted(len(result.rows), "configuration")
    best = result.chosen
    if best is None:
        yield f"{looked} of {result.recipe}; no row is finished."
        return
    seeds = counted(len(best.seeds), "seed")
    what = f"{looked} of {result.recipe}" + (" were looked at" if len(result.rows) > 1 else "")
    yield f"{what}, with {seeds} each."
    score = f"{result.figure} {best.validation} on validation"
    if best.test:
        score += f", {best.test} on test"
    if len(result.finished) == 1:
        yield f"{best.name} has {score}."
        return
    yield f"The best is {best.name}, with {score}."
    for name, curve in result.curves.items():
        yield ("" if len(result.curves) == 1 else f"{name}: ") + curve.sentence()
    if result.compared:
        yield from _told_apart(result.compared)
    if quicker := [name for name in result.pareto if name != best.name]:
        yield f"In less time, and beaten by none in both score and time: {shortened(quicker, 8)}."


def _told_apart(compared: Compared) -> Iterator[str]:
    alike, others = compared.alike, len(compared.by_row)
    if alike:
        yield f"The validation examples cannot tell it from: {shortened(alike, 12)}."
    if others > len(alike):
        than = "the others" if alike else "all others that are finished"
        yield (
            f"It is better than {than} by more than chance makes (95 % interval, and p < 0.05, "
            "Holm-corrected over the rows)."
        )


def cautions(result: StudyResult) -> Iterator[str]:
    """Say why figures may say less than they seem to."""
    if result.done < result.planned:
        noun = "trials" if result.is_search else "runs"
        yield f"{result.done} of {result.planned} {noun} are done: the same command goes on."
    if len(result.finished) > 1:
        yield (
            f"The best of {len(result.rows)} configurations was chosen by its validation score, "
            "which flatters it; its test score does not."
        )
    for row in result.rows:
        if row.stopped_at_epoch is not None:
            yield (
                f"{row.name} was stopped at epoch {row.stopped_at_epoch:g}, when --minutes were "
                "over: its figures are of what it had learned by then. With more minutes, --fresh "
                "does it whole."
            )
    tested = [row for row in result.rows if row.test]
    if len(tested) > 1:
        yield (
            f"{len(tested)} rows were scored on the test split: whoever chooses by these scores "
            "has no unseen test left."
        )
    if result.finished and all(len(row.seeds) == 1 for row in result.finished):
        yield "One run a row: what another seed changes is not known. --seeds 5 shows it."
    yield from filter(None, (curve.caution for curve in result.curves.values()))
    for row in result.failed:
        yield f"{row.name}: {row.state}"
    for name, problem in result.untested.items():
        yield f"{name} could not be scored on the test split: {problem}"
    for name, problem in (result.compared.problems if result.compared else {}).items():
        yield f"{name} could not be compared with the best: {problem}"
