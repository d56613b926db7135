"""Runs that collapse: what counts as one, what is said of them, and what is not said where none was seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from benchmarks.coverage import World, verdicts_of
from kdsweep.report.statistics import power
from kdsweep.report.statistics.collapses import Collapses
from kdsweep.report.statistics.compare import compare, confirmed
from tests.helpers import report_fakes

SEEDS = [0.71, 0.69, 0.70, 0.72, 0.68, 0.70, 0.71, 0.69, 0.70]


def counted(scores, *, maximize=True, chance=0.25):
    return Collapses.of("KD", scores, maximize=maximize, chance=chance)


def test_a_run_that_lost_most_of_what_the_others_learned_collapsed():
    found = counted([*SEEDS, 0.3])
    assert (found.seen, found.runs) == (1, 10)
    assert found.loss == pytest.approx(0.4)
    assert counted([1.0, 1.1, 0.9, 1.0, 2.0], maximize=False, chance=2.1).seen == 1


@pytest.mark.parametrize(
    "scores",
    [
        [*SEEDS, 0.6],  # a bad seed
        [0.27, 0.26, 0.28, 0.25, 0.24],  # nothing was learned
        [0.3, 0.5, 0.7, 0.9, 0.65, 0.4],  # seeds that differ by much
        [],
    ],
)
def test_seeds_that_differ_did_not_collapse(scores):
    assert counted(scores).seen == 0


def test_the_rate_has_the_interval_of_clopper_and_pearson():
    low, high = counted([*SEEDS, 0.3]).bounds()
    expected = stats.binomtest(1, 10).proportion_ci(0.95, method="exact")
    assert (low, high) == pytest.approx((expected.low, expected.high))


def test_runs_without_a_collapse_exclude_no_rate_below_three_over_n():
    found = counted(SEEDS)
    assert found.highest == pytest.approx(3 / 9)
    # Down to a constant answer, where none was seen.
    assert found.unseen == pytest.approx(3 / 9 * 0.45)
    assert found.finding == ""


def test_what_a_collapse_costs_is_without_bounds_where_nobody_knows_chance():
    assert np.isinf(counted(SEEDS, chance=None).unseen)


def said(world, studies, *, margin, seed=5):
    source = np.random.default_rng(seed)
    return [verdicts_of(world.units(source), equivalent=margin)[0] for _ in range(studies)]


def test_arms_of_which_one_collapses_in_a_tenth_of_its_runs_are_not_called_equivalent():
    world = World(samples=300, collapse=0.1, lone=True)
    verdicts = said(world, 150, margin=100 * abs(world.truth))
    assert sum(one.word == "equivalent" for one in verdicts) / 150 <= 0.05
    # So that the bound is not met by never coming near it: with the condition they are.
    assert sum(one.provided for one in verdicts) / 150 > 0.05


def test_ordinary_arms_are_equivalent_if_no_run_collapses_and_without_a_condition_with_enough_runs():
    few = said(World(samples=1000), 20, margin=4.0)
    assert sum(one.provided for one in few) >= 15
    one = next(one for one in few if one.provided)
    assert (one.word, str(one)) == ("undecided", "equivalent within ±4 points if no run collapses")
    assert "10 runs without a collapse do not exclude a rate of 30%" in one.detail
    assert one.advised is not None
    many = said(World(samples=1000, seeds=100), 8, margin=4.0)
    assert sum(verdict.word == "equivalent" for verdict in many) >= 7


def test_better_and_equivalent_say_what_runs_without_a_collapse_do_not_exclude():
    (better,) = said(World(samples=1000, shift=1.0), 1, margin=None)
    assert better.word == "better"
    assert "10 runs of a method without a collapse do not exclude that up to 30%" in better.proviso


def test_a_collapse_that_was_seen_is_a_finding_with_its_rate():
    runs = report_fakes.make(seeds=10, equivalent=30.0)
    trial = confirmed(runs, "kd").finished[(0, 0, 3)]
    fallen = (runs.curves["trial"] == trial) & runs.curves["metric"].str.startswith("test/")
    curves = runs.curves.assign(value=runs.curves["value"].mask(fallen, 0.26))
    found = compare(one := replace(runs, curves=curves), confirmed(one, "kd"), confirmed(one, "amid"))
    assert len(found.findings) == 1
    assert found.findings[0].startswith("1 of 10 runs of KD collapsed (10%, 95% interval 0% to 45%)")
    assert found.findings[0] in power.note(one, [found, found])
    whole = compare(runs, confirmed(runs, "kd"), confirmed(runs, "amid"))
    assert whole.findings == ()
    assert sum("without a collapse do not exclude" in said for said in power.note(runs, [whole, whole])) == 1
