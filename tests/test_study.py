"""Studies: grids, seeds and searches in a folder that any number of workers share."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from interrupting import interrupted
from optuna.trial import create_trial

from nlp_transfer import UserError, files, load_recipe, resolve
from nlp_transfer.studies import budget, callback, liveness, opening, requirements, worker
from nlp_transfer.studies.budget import within_time
from nlp_transfer.studies.first_trial import chosen_for, with_auto
from nlp_transfer.studies.folder import StudyFolder
from nlp_transfer.studies.journal import Journal
from nlp_transfer.studies.plan import Row, Run
from nlp_transfer.studies.proposals import next_of
from nlp_transfer.studies.space import distributions
from nlp_transfer.studies.study import Study

Command = Callable[..., tuple[int, str, str]]
STUDY = Path("studies/tiny")
CREATE_TRIAL, COMPLETE = 4, 1  # as Optuna's journal has them
ONE_EPOCH = {"training": {"epochs": 1}, "evaluation": {"bootstrap": 100}}

pytestmark = pytest.mark.usefixtures("one_thread")


def _runs(folder: Path = STUDY) -> dict[str, int]:
    """Tell when each run of a study was finished."""
    return {p.parent.name: p.stat().st_mtime_ns for p in folder.glob("runs/*/metrics.json")}


def _study(folder: Path = STUDY) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "study.json").read_text("utf-8"))
    return found


def test_a_grid_is_trained_told_and_added_to(tiny_recipe: Callable[..., Path], nlpt: Command):
    recipe = tiny_recipe("classification", **ONE_EPOCH)
    vary = ("--vary", "training.learning_rate=1e-3,1e-2")
    code, out, err = nlpt("study", "--recipe", recipe, *vary, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found == _study()
    assert found["figure"] == "macro F1"
    names = ["learning_rate=0.001", "learning_rate=0.01"]
    assert [row["name"] for row in found["rows"]] == names
    assert found["best"] in names
    assert set(found["pareto"]) <= set(names)
    for row in found["rows"]:
        assert row["seeds"] == [42]
        assert row["validation"]["sd"] is None
        assert row["seconds"] > 0
        assert row["peak_mb"] > 100
        assert row["trainable_parameters"] > 10_000
        assert (row["test"] is not None) == (row["name"] == found["best"])  # the chosen row alone
    assert found["rows"][1]["settings"] == {"training.learning_rate": 0.01}
    first = _runs()

    # A second seed for both rows.
    code, out, err = nlpt("study", "--recipe", recipe, "--seeds", 2, "--test")
    assert code == 0, err
    assert "± " in out
    assert "2 rows were scored on the test split" in out
    second = _runs()
    assert len(second) == 4
    assert first.items() <= second.items()
    assert all(row["seeds"] == [42, 43] and row["test"] for row in _study()["rows"])
    page = (STUDY / "study.html").read_text("utf-8")
    assert "Score and cost" in page
    assert "Differences" in page

    # Asked for nothing more, it is shown again.
    code, out, _ = nlpt("study", "--recipe", recipe)
    assert code == 0
    assert "learning_rate=0.01" in out
    assert _runs() == second

    code, _, err = nlpt("study", "--recipe", recipe, "training.warmup=0.2")
    assert code == 2
    assert (
        "holds the study of a different recipe:\n  training.warmup: 0.1 in the folder, 0.2" in err
    )
    code, _, err = nlpt("study", "--recipe", recipe, "--search", 3)
    assert code == 2
    assert "holds a grid, not a search" in err


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["--vary", "training.learning_rte=1,2"], "training.learning_rte: unknown key. Did you"),
        (["--vary", "training.epochs=1,-1,x", "--vary", "model.dropout=2"], "3 faults"),
        (["--vary", "training.seed=1,2"], "training.seed: a study does not vary it: --seeds N"),
        (["--vary", "evaluation.splits=test"], "evaluation.splits: a study does not vary it"),
        (["--vary", "training.epochs"], "must be KEY=VALUE,VALUE"),
        (["--vary", "training.epochs=1,1"], "stands there twice"),
        (["--vary", "training.epochs=[1"], "not valid YAML"),
        (["--vary", "model.checkpoint=./nowhere"], "there is no"),
        (["--train-sizes", "10,x"], "'x' is neither a whole number nor all"),
        (["--train-sizes", "0"], "0 must be 1 or more"),
        (["--train-sizes", "10,5000000"], "5,000,000 are asked for"),
        (["--search", "3", "--train-sizes", "10"], "--search chooses its own configurations"),
        (["--seeds", "0"], "0 must be from 1"),
        (["--minutes", "0"], "must be above 0"),
        (["--search"], "goes on as long as --minutes say: --search --minutes 30"),
        (["--search", "training.epochs=1"], "goes on as long as --minutes say"),
        (["--search", "--minutes", "0"], "must be above 0"),
        (["--search", "0"], "0 must be from 1"),
        (["--search", "1.5"], "'1.5' is no whole number"),
        (["--search", "--minutes", "1", "--vary", "training.epochs=1"], "--search chooses its own"),
        (["--minutes", "nan"], "must be above 0"),
        (["--search", "3", "search.training.seed=[1,2]"], "training.seed: a study does not vary"),
        (["search.training.epochs=[1,-1]"], "training.epochs: must be a number above 0"),
        (["search.training.epohcs=[1,2]"], "unknown key. Did you mean 'epochs'"),
        (["search.training.epochs={low: 3, high: 2}"], "must be above low"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_runs(
    tiny_recipe: Callable[..., Path], nlpt: Command, asked: list[str], message: str
):
    code, _, err = nlpt("study", "--recipe", tiny_recipe(), *asked)
    assert code == 2
    assert message in err
    assert not STUDY.exists()


def test_no_run_is_begun_when_time_is_over(tiny_recipe: Callable[..., Path], nlpt: Command):
    code, out, err = nlpt("study", "--recipe", tiny_recipe(), "--seeds", 3, "--minutes", 1e-9)
    assert code == 0
    assert "--minutes are over" in err
    assert "0 of 3 runs are done: the same command goes on." in out
    assert "no row is finished" in out
    assert _study()["best"] is None


def test_what_a_study_needs_is_said(
    tiny_recipe: Callable[..., Path], nlpt: Command, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch:
        patch.setenv("WORLD_SIZE", "2")
        patch.setenv("RANK", "0")
        code, _, err = nlpt("study", "--recipe", tiny_recipe())
    assert code == 2
    assert "Start the same command several times instead" in err
    monkeypatch.setattr(requirements, "find_spec", lambda _: None)
    code, _, err = nlpt("study", "--recipe", tiny_recipe())
    assert code == 2
    assert "pip install 'nlp-transfer[tune]'" in err


def test_the_job_of_a_dead_worker_is_taken_on_and_that_of_a_living_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    runs = [Run(Row("recipe", {}), seed) for seed in (1, 2)]
    journal, other = (Journal(tmp_path / "journal.log", "runs") for _ in range(2))
    with journal.claim(next_of(runs)) as living:
        with other.claim(next_of(runs)) as second:
            assert [living.attributes["job"], second.attributes["job"]] == [r.name for r in runs]
            assert journal.claim(next_of(runs)) is None  # both are at work in this very process
            second.trial.set_user_attr("worker", {"machine": "far", "pid": 1, "started": ""})
            assert journal.claim(next_of(runs)) is None  # it may live: it is heard from now on
            monkeypatch.setattr(liveness, "SILENCE", 0)
            again = journal.claim(next_of(runs))
            assert again.attributes["job"] == second.attributes["job"]
            with again:
                again.complete(0.5)
            second.complete(0.6)  # it wakes too late
        living.complete(0.4)
    assert [trial.value for trial in journal.trials().values()] == [0.4, 0.5]
    (tmp_path / "journal.log").open("a").write('{"op_code": 4, "torn')
    assert len(Journal(tmp_path / "journal.log", "runs").trials()) == 2
    (tmp_path / "journal.log").open("a").write('{"op_code": 4, "torn\n')
    with pytest.raises(UserError, match=r"journal\.log: this file is damaged"):
        Journal(tmp_path / "journal.log", "runs")


def test_a_row_cannot_lead_out_of_the_folder():
    for name in ("../elsewhere", "..", "/etc", "a/b", ""):
        with pytest.raises(UserError, match="is no name of a row"):
            Row(name, {})


def test_a_folder_of_other_things_is_left_alone(tiny_recipe: Callable[..., Path], nlpt: Command):
    STUDY.mkdir(parents=True)
    (STUDY / "thesis.tex").write_text("mine")
    for options in ((), ("--fresh",)):
        code, _, err = nlpt("study", "--recipe", tiny_recipe(), *options)
        assert code == 2
        assert "holds other things (thesis.tex) and no study" in err
    assert [path.name for path in STUDY.iterdir()] == ["thesis.tex"]


@pytest.mark.slow
def test_what_is_damaged_or_gone_is_named_and_the_hint_leads_out(
    tiny_recipe: Callable[..., Path], nlpt: Command
):
    command = ("study", "--recipe", tiny_recipe("classification", **ONE_EPOCH))
    assert nlpt(*command)[0] == 0
    told = _study()
    run, test = STUDY / "runs" / "recipe-seed42", STUDY / "test" / "recipe-seed42.json"
    for file, delete in ((run / "metrics.json", run), (test, test)):
        whole = file.read_text()
        for text in ("{", '{"splits": {}}', whole.replace('"f1": ', '"f1": NaN, "x": ', 1)):
            file.write_text(text)
            code, _, err = nlpt(*command)
            assert (code, f"{file}: this file is damaged. Delete {delete}," in err) == (2, True), (
                err
            )
        files.remove(delete)
        code, _, err = nlpt(*command, "--retry")
        assert code == 0, err
        assert _study()["rows"][0]["test"] == told["rows"][0]["test"]
    files.remove(run)
    code, _, err = nlpt(*command)
    assert (code, "with seed 42 is gone from runs/; --retry does it again" in err) == (2, True), err
    assert nlpt(*command, "--retry")[0] == 0
    assert _study()["rows"][0]["validation"] == told["rows"][0]["validation"]

    (STUDY / "journal.log").write_text("no journal\n")
    code, _, err = nlpt(*command)
    assert (code, "Delete it, and the same command goes on" in err) == (2, True), err
    (STUDY / "journal.log").unlink()
    assert nlpt(*command)[0] == 0
    for plan in ("{", '{"seeds": [], "rows": [{"name": "../x", "settings": {}}], "trials": 0}'):
        (STUDY / "plan.json").write_text(plan)
        code, _, err = nlpt(*command)
        assert (code, "damaged. Start the study over with --fresh" in err) == (2, True), err
    assert nlpt(*command, "--fresh")[0] == 0


def test_a_study_is_no_run(tiny_recipe: Callable[..., Path], nlpt: Command):
    recipe = tiny_recipe("classification", **ONE_EPOCH)
    assert nlpt("study", "--recipe", recipe, "--minutes", 1e-9)[0] == 0
    for others in (("predict", STUDY, "-"), ("report", STUDY)):
        code, _, err = nlpt(*others)
        assert (code, f"Name one of its runs: {STUDY / 'runs'}/..." in err) == (2, True), err


def test_a_folder_where_a_file_is_meant_ends_in_one_message(
    tiny_recipe: Callable[..., Path], nlpt: Command
):
    (STUDY / "journal.log").mkdir(parents=True)
    code, _, err = nlpt("study", "--recipe", tiny_recipe(), "--minutes", 1e-9)
    assert (code, "journal.log cannot be used: Is a directory." in err) == (2, True), err


def test_a_value_may_hold_commas_in_brackets():
    from nlp_transfer.studies.asked import read_varied

    varied = read_varied(["strategies=[full],[{name: lora, rank: 4}]", "model.dropout=null, 0.1"])
    assert varied == {
        "strategies": (["full"], [{"name": "lora", "rank": 4}]),
        "model.dropout": (None, 0.1),
    }


def test_an_interrupted_study_goes_on_and_a_failed_run_stops_no_other(
    tiny_recipe: Callable[..., Path], nlpt: Command
):
    command = ("study", "--recipe", tiny_recipe("classification", **ONE_EPOCH))
    vary = ("--vary", "training.learning_rate=1e30,1e-3")
    with interrupted(at_step=1):
        code, _, err = nlpt(*command, *vary)
    assert code == 130
    assert "0 of 2 runs of the study are done; the same command goes on" in err
    assert "--fresh" not in err
    code, out, err = nlpt(*command)
    assert code == 2
    assert "learning_rate=1.0e+30 has failed: Training stopped" in err
    assert "best" in out
    rows = {row["name"]: row for row in _study()["rows"]}
    assert rows["learning_rate=0.001"]["state"] == "finished"
    assert rows["learning_rate=1.0e+30"]["validation"] is None


def test_a_search_begins_with_the_recipe_and_keeps_to_its_space(
    tiny_recipe: Callable[..., Path], nlpt: Command
):
    space = {
        "training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
        "strategies": [["full"], [{"name": "frozen", "layers": 1}]],
    }
    recipe = tiny_recipe("classification", search=space, **ONE_EPOCH)
    code, out, err = nlpt("study", "--recipe", recipe, "--search", 2)
    assert code == 0, err
    assert "What they change" in out
    rows = _study()["rows"]
    assert [row["name"] for row in rows] == ["recipe", "trial-1"]
    assert rows[0]["settings"] == {}
    for row in rows[1:]:
        assert row["settings"].keys() == space.keys()
        assert 1e-4 <= row["settings"]["training.learning_rate"] <= 1e-2
        assert row["settings"]["strategies"] in space["strategies"]
    assert "What each trial reached" in (STUDY / "study.html").read_text("utf-8")

    plan = json.loads((STUDY / "plan.json").read_text("utf-8"))
    del plan["auto"]  # as studies are that were begun before there was auto
    (STUDY / "plan.json").write_text(json.dumps(plan))
    before = _runs()
    code, _, err = nlpt("study", "--recipe", recipe, "--search", 2)
    assert code == 0, err
    assert _runs() == before


def test_a_search_that_would_vary_nothing_that_is_read_is_refused(
    tiny_recipe: Callable[..., Path], nlpt: Command
):
    recipe = tiny_recipe("classification", strategy="frozen")
    command = ("study", "--recipe", recipe, "--search", 2)
    for key in ((), ("search.training.epochs=[1, 2]",)):
        code, _, err = nlpt(*command, *key)
        assert (code, STUDY.exists()) == (2, False)
        assert "none of which is read: the head is fitted without gradient steps" in err
        assert "training.epochs" in err
    code, _, err = nlpt(*command, "search.training.class_weights=[null, balanced]")
    assert code == 0, err
    assert len(_study()["rows"]) == 2


def test_a_search_begins_with_what_auto_chooses_and_tries_what_is_around_it(
    tiny_recipe: Callable[..., Path], nlpt: Command
):
    recipe = tiny_recipe("classification", strategy="auto", **ONE_EPOCH)
    chosen = resolve(load_recipe(str(recipe)))
    command = ("study", "--recipe", recipe, "--search")
    code, _, err = nlpt(*command, 2)
    assert code == 0, err
    first, second = _study()["rows"]
    assert (first["name"], second["name"]) == ("auto", "trial-1")
    strategies = [one.model_dump(mode="json") for one in chosen.strategies]
    assert first["settings"]["strategies"] == strategies
    ran = load_recipe(str(STUDY / "runs" / "auto-seed42"))
    assert ran.strategies == chosen.strategies
    assert ran.training == chosen.training
    rate = chosen.training.learning_rate
    assert rate / 5 <= second["settings"]["training.learning_rate"] <= rate * 5
    place = [one["name"] for one in strategies].index("frozen")
    assert second["settings"][f"strategies.{place}"]["name"] in ("full", "frozen")
    code, _, err = nlpt(*command, 2)  # what was chosen is not chosen again
    assert code == 0, err
    assert "auto:" not in err


def test_a_search_is_evaluated_as_auto_chooses_where_the_recipe_gives_other_arguments(
    tiny_recipe: Callable[..., Path],
):
    training = {"epochs": 50, "arguments": {"max_grad_norm": 0.5}}
    path = tiny_recipe("classification", strategy="auto", training=training)
    swapped = "data.splits={train: validation.csv, validation: train.csv}"
    recipe = load_recipe(str(path), [swapped])
    first = with_auto(recipe, chosen_for(recipe))
    assert first.training.arguments["eval_strategy"] == "steps"
    assert first.training == resolve(recipe).training


def test_a_search_without_a_number_has_as_many_trials_as_fit_into_its_minutes(
    tiny_recipe: Callable[..., Path], nlpt: Command
):
    recipe = tiny_recipe("classification", **ONE_EPOCH)
    command = ("study", "--recipe", recipe, "--search")
    code, _, err = nlpt(*command, "--minutes", 0.06)
    assert code == 0, err
    assert "a study of as many trials as the minutes allow" in err
    assert "no further trial fits into them" in err
    found = _study()
    names = [row["name"] for row in found["rows"]]
    assert names[0] == "recipe"
    assert found["planned"] == len(names)
    assert [row["name"] for row in found["rows"] if row["test"]] == [found["best"]]

    for more in (command[:3], (*command, 1)):
        code, _, err = nlpt(*more)
        assert (code, "goes on as long as --minutes say" in err) == (2, True), err


@pytest.mark.parametrize(
    ("tried", "minutes", "fits"),
    [
        ({}, 10, {}),
        ({}, 1, None),  # a trial takes two minutes
        ({"training.epochs": {"low": 2, "high": 8}}, 10.01, {"training.epochs": (2, 8)}),
        ({"training.epochs": {"low": 2, "high": 8}}, 2.6, {"training.epochs": (2, 5)}),
        ({"training.epochs": {"low": 2, "high": 8}}, 0.9, None),
        ({"training.epochs": {"low": 0.5, "high": 8}}, 2.51, {"training.epochs": (0.5, 5)}),
        ({"training.epochs": [2, 4, 8]}, 4.1, {"training.epochs": [2, 4, 8]}),
        ({"training.epochs": [2, 4, 8]}, 3.9, None),
        ({"training.epochs": [2, 4, 8]}, None, {"training.epochs": [2, 4, 8]}),
    ],
)
def test_no_trial_is_begun_that_is_expected_to_end_too_late(
    tried: dict[str, Any],
    minutes: float | None,
    fits: dict[str, Any] | None,
    tiny_recipe: Callable[..., Path],
    tmp_path: Path,
):
    recipe = load_recipe(str(tiny_recipe(training={"epochs": 4}, search=tried)))
    until = time.monotonic() + 60 * minutes if minutes else math.inf
    study = Study.open(StudyFolder(tmp_path), recipe, until=until)
    began = datetime(2026, 1, 1)
    trial = create_trial(value=0.5, user_attrs={"settings": {}})
    trial.datetime_start, trial.datetime_complete = began, began + timedelta(minutes=2)
    space = distributions(recipe.search)
    found = within_time(space, study, {"recipe": trial})
    if not fits:
        assert found == fits
        return
    (epochs,) = found.values()
    if isinstance(fits["training.epochs"], list):
        assert found == space
    else:
        assert (epochs.low, pytest.approx(epochs.high, abs=0.1)) == fits["training.epochs"]


@pytest.fixture
def time_for_steps(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function after which time stands still for some steps, and then is over."""
    left = math.inf

    def now() -> float:
        return 0.0 if left > 0 else 1e9

    def now_after_a_step() -> float:
        nonlocal left
        left -= 1
        return now()

    def set_to(steps: float) -> None:
        nonlocal left
        left = steps

    for module in (budget, opening, worker):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=now, sleep=time.sleep))
    monkeypatch.setattr(callback, "time", SimpleNamespace(monotonic=now_after_a_step))
    return set_to


def test_a_search_ends_in_the_middle_of_a_run_and_goes_on_with_it(
    tiny_recipe: Callable[..., Path], nlpt: Command, time_for_steps: Callable[[float], None]
):
    recipe = tiny_recipe("classification", training={"epochs": 3}, evaluation={"bootstrap": 100})
    command = ("study", "--recipe", recipe, "--search", 1, "--minutes", 9)
    time_for_steps(4)
    code, out, err = nlpt(*command, "--seeds", 2)  # a first trial of one seed would be kept
    assert code == 0, err
    assert "recipe: --minutes are over; the same command goes on with it" in err
    assert "0 of 1 trials are done: the same command goes on." in out
    assert [(row["name"], row["state"]) for row in _study()["rows"]] == [("recipe", "unfinished")]
    time_for_steps(math.inf)
    code, _, err = nlpt(*command)
    assert code == 0, err
    assert "resuming at step" in err
    assert [row["state"] for row in _study()["rows"]] == ["finished"]


@pytest.mark.parametrize("arguments", [{}, {"eval_strategy": "steps", "eval_steps": 50}])
def test_a_first_trial_that_takes_too_long_is_scored_as_far_as_it_came(
    arguments: dict[str, Any],
    tiny_recipe: Callable[..., Path],
    nlpt: Command,
    time_for_steps: Callable[[float], None],
):
    saved = {key.replace("eval", "save"): value for key, value in arguments.items()}
    training = {"epochs": 30, "arguments": {**arguments, **saved}}
    recipe = tiny_recipe("classification", training=training, evaluation={"bootstrap": 100})
    time_for_steps(10)
    code, out, err = nlpt("study", "--recipe", recipe, "--search", "--minutes", 9)
    assert code == 0, err
    (row,) = _study()["rows"]
    metrics = json.loads((STUDY / "runs" / "recipe-seed42" / "metrics.json").read_text("utf-8"))
    assert metrics["training"]["steps"] == 10
    if arguments:
        assert metrics["training"]["best_step"] == 10  # the only evaluation
    assert row["stopped_at_epoch"] == pytest.approx(metrics["training"]["epochs"], abs=0.01)
    assert row["test"]
    said = f"recipe was stopped at epoch {row['stopped_at_epoch']:g}, when --minutes were over"
    assert said in " ".join(out.split())


def test_a_search_leaves_a_model_also_where_opening_it_takes_all_its_minutes(
    tiny_recipe: Callable[..., Path], nlpt: Command
):
    recipe = tiny_recipe("classification", **ONE_EPOCH)
    command = ("study", "--recipe", recipe, "--search", "--minutes", 1e-9)
    for _ in range(2):  # a second time nothing is left to begin
        code, _, err = nlpt(*command)
        assert code == 0, err
        (row,) = _study()["rows"]
        assert (row["name"], row["state"], _study()["best"]) == ("recipe", "finished", "recipe")
        assert row["test"]
    metrics = json.loads((STUDY / "runs" / "recipe-seed42" / "metrics.json").read_text("utf-8"))
    assert metrics["training"]["steps"] == 1


GRID = ("--seeds", "3", "--vary", "training.learning_rate=1e-3,5e-3")


def _worker(recipe: Path, folder: Path, *asked: object) -> subprocess.Popen[str]:
    """Start a process that takes part in a study: of two rows with three seeds each, or another."""
    command = [
        sys.executable,
        "-m",
        "nlp_transfer",
        "study",
        "--recipe",
        recipe,
        "--output",
        folder,
    ]
    command += asked or GRID
    return subprocess.Popen(
        [*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _killed_in_the_middle(worker: subprocess.Popen[str], folder: Path, rng: random.Random) -> None:
    """Let a worker begin a run of its own, and kill it at some moment after."""
    before = len([*folder.glob("runs/*/log.jsonl")])
    while len([*folder.glob("runs/*/log.jsonl")]) == before:
        assert worker.poll() is None, worker.communicate()[0]
        time.sleep(0.02)
    time.sleep(rng.uniform(0, 2))
    worker.kill()
    worker.communicate()


def _without_costs(found: dict[str, Any]) -> dict[str, Any]:
    costs = ("seconds", "peak_mb")
    rows = [{k: v for k, v in row.items() if k not in costs} for row in found["rows"]]
    return {**{k: v for k, v in found.items() if k != "pareto"}, "rows": rows}


@pytest.mark.slow
def test_sizes_of_training_data_give_a_forecast(tiny_recipe: Callable[..., Path], nlpt: Command):
    recipe = tiny_recipe(training={"epochs": 20, "learning_rate": 5e-3})
    code, out, err = nlpt("study", "--recipe", recipe, "--train-sizes", "all,10,20,30")
    assert code == 0, err
    found = _study()
    names = [row["name"].rpartition("=")[2] for row in found["rows"]]
    assert names == ["10", "20", "30", "all"]
    curve = found["learning_curve"]
    assert [point["size"] for point in curve["overall"]["points"]] == [10, 20, 30, 48]
    assert {"PER", "LOC", "ORG"} == curve["per_label"].keys()
    assert curve["overall"]["sentence"] in out
    assert "PER: F1" in out
    assert "Learning curve" in (STUDY / "study.html").read_text("utf-8")


@pytest.mark.slow
def test_workers_of_a_search_share_its_trials_and_what_auto_chose(
    tiny_recipe: Callable[..., Path], tmp_path: Path
):
    recipe, folder = tiny_recipe("classification", strategy="auto", **ONE_EPOCH), tmp_path / "s"
    workers = [_worker(recipe, folder, "--search", "3", "--minutes", "9") for _ in range(2)]
    said = [worker.communicate()[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said
    found = _study(folder)
    rows = [row for row in found["rows"] if row["state"] == "finished"]
    assert found["rows"][0]["name"] == "auto"
    assert len(_runs(folder)) == len(rows)
    assert found["done"] == len(found["rows"]) == 3
    assert [row["name"] for row in rows if row["test"]] == [found["best"]]
    assert len([*folder.glob("test/*.json")]) == 1


@pytest.mark.slow
def test_a_killed_study_ends_as_an_undisturbed_one_and_does_each_run_once(
    tiny_recipe: Callable[..., Path], tmp_path: Path
):
    recipe = tiny_recipe(training={"epochs": 12}, evaluation={"bootstrap": 100})
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    alone = _worker(recipe, undisturbed)
    assert alone.wait() == 0, alone.communicate()[0]
    rng = random.Random(11)
    for _ in range(3):
        _killed_in_the_middle(_worker(recipe, killed), killed, rng)
    done = _runs(killed)
    assert len(done) < 6
    workers = [_worker(recipe, killed) for _ in range(2)]
    said = [worker.communicate()[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said
    assert _without_costs(_study(killed)) == _without_costs(_study(undisturbed))
    assert done.items() <= _runs(killed).items()
    assert len(_runs(killed)) == 6
    lines = [json.loads(line) for line in (killed / "journal.log").open(encoding="utf-8")]
    jobs = [line["user_attrs"]["job"] for line in lines if line["op_code"] == CREATE_TRIAL]
    ended = [line["trial_id"] for line in lines if line.get("state") == COMPLETE]
    names = sorted([*_runs(killed), *(path.stem for path in killed.glob("test/*.json"))])
    assert sorted(jobs[trial] for trial in ended) == names
    for run in (killed / "runs").iterdir():
        steps = [json.loads(line)["step"] for line in (run / "log.jsonl").open(encoding="utf-8")]
        assert steps == sorted(steps)
        assert not (run / "checkpoints").exists()
