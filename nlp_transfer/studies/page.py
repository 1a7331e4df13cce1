"""What a study has found in, its page out, and its files."""

from __future__ import annotations

from collections.abc import Iterator

from nlp_transfer import files
from nlp_transfer.errors import shortened
from nlp_transfer.recipe.search_section import Settings
from nlp_transfer.recipe.yaml_reader import write_flow
from nlp_transfer.report.page import Page, Section
from nlp_transfer.report.pages import html_page, markdown_page
from nlp_transfer.report.terminal import print_table, stdout_console
from nlp_transfer.shown import LineChart, Series, Table
from nlp_transfer.studies.findings import StudyResult
from nlp_transfer.studies.folder import StudyFolder
from nlp_transfer.studies.results import RowResult


def write_study(folder: StudyFolder, result: StudyResult) -> None:
    """Write study.json and its pages, each whole: other workers write them too."""
    page = study_page(result)
    files.write_json(folder.path / "study.json", result.as_dict())
    files.write_text(folder.path / "study.md", markdown_page(page))
    files.write_text(folder.path / "study.html", html_page(page))


def print_study(result: StudyResult) -> None:
    """Print the rows, what to know of them, and what was found."""
    console = stdout_console()
    for table in tables(result):
        print_table(table, console)
    for caution in cautions(result):
        console.print(caution, style="yellow", highlight=False, markup=False)
    for line in summary(result):
        console.print(line, style="bold", highlight=False, markup=False)


def study_page(result: StudyResult) -> Page:
    """Lay out a study: its rows, what they cost, and the way of its search."""
    sections = [Section("Rows", tables(result))]
    if len(result.finished) > 1:
        sections.append(Section("What it costs", (_cost_chart(result),)))
    if result.is_search and result.finished:
        sections.append(Section("Search", (_history(result),)))
    return Page(
        title=f"{result.recipe}: study of {_counted(len(result.rows), 'configuration')}",
        headlines=tuple(_headlines(result)),
        summary=" ".join(summary(result)),
        cautions=tuple(cautions(result)),
        sections=tuple(sections),
    )


def tables(result: StudyResult) -> tuple[Table, ...]:
    """Set the rows beside each other; names of trials do not say what they change."""
    return (rows_table(result), *([settings_table(result)] if result.is_search else []))


def rows_table(result: StudyResult) -> Table:
    """Set the rows beside each other, the best first."""
    columns = (
        "row", "seeds", "validation", "test", "seconds", "peak MB", "trainable parameters", "",
    )  # fmt: skip
    ranked = sorted(result.rows, key=_rank)
    cells = tuple(_cells(row, result) for row in ranked)
    note = (
        f"{result.figure}, mean ± standard deviation over seeds; seconds of training, mean of the "
        "runs; peak memory, most of the runs."
    )
    return Table("Configurations", columns, cells, note)


def _rank(row: RowResult) -> tuple[bool, float]:
    return (not row.is_finished, -(row.validation.mean if row.validation else 0.0))


def _cells(row: RowResult, result: StudyResult) -> tuple[str, ...]:
    return (
        row.name,
        str(len(row.seeds)),
        str(row.validation or ""),
        str(row.test or ""),
        "" if row.seconds is None else f"{row.seconds:,.1f}",
        "" if row.peak_mb is None else f"{row.peak_mb:,.0f}",
        "" if row.trainable_parameters is None else f"{row.trainable_parameters:,}",
        _standing(row, result),
    )


def settings_table(result: StudyResult) -> Table:
    """Say what each row changes in the recipe."""
    keys = [*dict.fromkeys(key for row in result.rows for key in row.row.settings)]
    rows = tuple(
        (row.name, *(_written(row.row.settings, key) for key in keys)) for row in result.rows
    )
    return Table("What they change", ("row", *keys), rows, figures=False)


def _written(settings: Settings, key: str) -> str:
    """Write a value, of a number three digits."""
    value = settings.get(key)
    if isinstance(value, float):
        return f"{value:.3g}"
    return write_flow(value) if key in settings else ""


def _standing(row: RowResult, result: StudyResult) -> str:
    if not row.is_finished:
        return row.state.partition(":")[0]
    if row.name == result.best:
        return "best"
    return "not told from the best" if row.name in result.not_distinguishable else ""


def _headlines(result: StudyResult) -> Iterator[str]:
    best = result.chosen
    if best is None:
        return
    yield f"validation {result.figure} {best.validation} ({best.name})"
    if best.test:
        yield f"test {result.figure} {best.test} ({best.name})"


def summary(result: StudyResult) -> Iterator[str]:
    """Say in words what was found, and what it rests on."""
    looked = _counted(len(result.rows), "configuration")
    best = result.chosen
    if best is None:
        yield f"{looked} of {result.recipe}; no row is finished."
        return
    seeds = _counted(len(best.seeds), "seed")
    what = f"{looked} of {result.recipe}" + (" were looked at" if len(result.rows) > 1 else "")
    yield f"{what}, with {seeds} each."
    score = f"{result.figure} {best.validation} on validation"
    if best.test:
        score += f", {best.test} on test"
    if len(result.finished) == 1:
        yield f"{best.name} has {score}."
        return
    yield f"The best is {best.name}, with {score}."
    others = len(result.finished) - 1 - len(result.not_compared)
    if result.not_distinguishable:
        names = ", ".join(result.not_distinguishable)
        yield f"The validation examples cannot tell from it: {names}."
    elif result.is_compared and others:
        yield (
            f"It is better than {_counted(others, 'other row')} by more than chance makes "
            "(95 % interval and p < 0.05, Holm-corrected over the rows)."
        )
    if quicker := [name for name in result.pareto if name != best.name]:
        yield f"Of less time than any that scores as much: {shortened(quicker, 8)}."


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
    tested = [row for row in result.rows if row.test]
    if len(tested) > 1:
        yield (
            f"{len(tested)} rows were scored on the test split: whoever chooses by these scores "
            "has no unseen test left."
        )
    if result.finished and all(len(row.seeds) == 1 for row in result.finished):
        yield "One run a row: what another seed changes is not known. --seeds 5 shows it."
    for row in result.failed:
        yield f"{row.name}: {row.state}"
    for name, problem in result.untested.items():
        yield f"{name} could not be scored on the test split: {problem}"
    for name, problem in result.not_compared.items():
        yield f"{name} could not be compared with the best: {problem}"


def _cost_chart(result: StudyResult) -> LineChart:
    front = [row for row in result.finished if row.name in result.pareto]
    others = [row for row in result.finished if row.name not in result.pareto]
    series = [_points("no row beats these in both", front, joined=True)]
    if others:
        series.append(_points("beaten in both", others, joined=False))
    seconds = [row.seconds or 0 for row in result.finished]
    return LineChart(
        "Score and cost",
        "seconds of training, mean of the runs",
        f"validation {result.figure}",
        tuple(series),
        log_x=min(seconds) > 0 and max(seconds) > 10 * min(seconds),
    )


def _points(name: str, rows: list[RowResult], *, joined: bool) -> Series:
    ordered = sorted(rows, key=lambda row: row.seconds or 0)
    points = [(row.seconds or 0, row.validation.mean) for row in ordered if row.validation]
    return Series(name, tuple(points), names=tuple(row.name for row in ordered), joined=joined)


def _history(result: StudyResult) -> LineChart:
    """Show what each trial reached, and the best until then."""
    trials = list(enumerate(result.rows, 1))
    reached = [(n, row.validation.mean, row.name) for n, row in trials if row.validation]
    best = [(n, max(value for m, value, _ in reached if m <= n)) for n, _, _ in reached]
    single = tuple((float(n), value) for n, value, _ in reached)
    return LineChart(
        "What each trial reached",
        "trial",
        f"validation {result.figure}",
        (
            Series("best so far", tuple((float(n), value) for n, value in best)),
            Series("trial", single, names=tuple(name for *_, name in reached), joined=False),
        ),
        note="Of a pruned trial, the score at the epoch at which it was given up.",
    )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number > 1 else ''}"
