"""What a study has found in, its page out, and its files."""

from __future__ import annotations

from collections.abc import Iterator

from nlp_transfer import files
from nlp_transfer.doctor.finding import counted
from nlp_transfer.recipe.search_section import Settings
from nlp_transfer.recipe.yaml_reader import write_flow
from nlp_transfer.report.page import Page, Section
from nlp_transfer.report.pages import html_page, markdown_page
from nlp_transfer.report.terminal import print_table, stdout_console
from nlp_transfer.shown import LineChart, Series, Table
from nlp_transfer.studies.contenders import Compared
from nlp_transfer.studies.findings import StudyResult
from nlp_transfer.studies.folder import StudyFolder
from nlp_transfer.studies.plan import short_keys
from nlp_transfer.studies.results import RowResult
from nlp_transfer.studies.words import cautions, summary


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
    for line in (line for curve in result.curves.values() for line in curve.sentences()):
        console.print(line, highlight=False, markup=False)
    for caution in cautions(result):
        console.print(caution, style="yellow", highlight=False, markup=False)
    for line in summary(result):
        console.print(line, style="bold", highlight=False, markup=False)


def study_page(result: StudyResult) -> Page:
    """Lay out a study: its rows, what they cost, and the way of its search."""
    sections = [Section("Rows", tables(result))]
    if len(result.finished) > 1:
        told = (_comparisons(result.compared),) if result.compared else ()
        sections.append(Section("Against the best", told))
        sections.append(Section("What it costs", (_cost_chart(result),)))
    if result.is_search and result.finished:
        sections.append(Section("Search", (_history(result),)))
    for name, curve in result.curves.items():
        title = "Learning curve" if len(result.curves) == 1 else f"Learning curve: {name}"
        sections.append(Section(title, curve.blocks()))
    return Page(
        title=f"{result.recipe}: study of {counted(len(result.rows), 'configuration')}",
        headlines=tuple(_headlines(result)),
        summary=" ".join(summary(result)),
        cautions=tuple(cautions(result)),
        sections=tuple(sections),
    )


def tables(result: StudyResult) -> tuple[Table, ...]:
    """Set the rows beside each other; names of trials do not say what they change."""
    changes = result.is_search and any(row.row.settings for row in result.rows)
    return (rows_table(result), *([settings_table(result)] if changes else []))


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
    return Table("What they change", ("row", *short_keys(keys)), rows, figures=False)


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
    return "not told from the best" if result.compared and row.name in result.compared.alike else ""


def _headlines(result: StudyResult) -> Iterator[str]:
    """Write the best row's figures as those of runs are written, with what surrounds them last."""
    best = result.chosen
    for split, spread in (("validation", best and best.validation), ("test", best and best.test)):
        if best and spread:
            sd = "" if spread.sd is None else f"± {spread.sd:.4f} over {len(best.seeds)} seeds, "
            yield f"{split} {result.figure} {spread.mean:.4f} ({sd}{best.name})"


def _comparisons(compared: Compared) -> Table:
    """Say how far each row is from the best."""
    rows = tuple(
        (
            name,
            *one.headline.cells(),
            "worse" if one.verdict == "a" else "cannot tell",
        )
        for name, one in compared.by_row.items()
    )
    note = "Differences to the best row on validation; p is Holm-corrected over the rows."
    return Table("Differences", ("row", "difference", "95 %", "p", ""), rows, note)


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
