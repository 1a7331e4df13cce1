"""Runs that are killed go on to the same end: a short form of `make test-faults`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.kills import drawn, kinds, run_all, tally


def test_kills_are_of_every_kind_before_one_comes_again() -> None:
    every = list(kinds())
    found = [(k.processes, k.target, k.signal, k.moment) for k in drawn(len(every), seed=3)]
    assert sorted(found) == sorted(every)
    assert {kind[1] for kind in every} == {"process", "launcher", "worker", "group"}


@pytest.mark.slow
def test_a_killed_run_ends_as_the_undisturbed_one(tmp_path: Path) -> None:
    outcomes = list(run_all(drawn(16, seed=1), tmp_path / "runs"))
    assert not [line for outcome in outcomes for line in outcome.wrong], tally(outcomes)
