"""A small version of benchmarks/coverage.py: the report's own verdicts on studies whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.coverage import EQUAL_GROUPS, LARGE, SMALL, World, verdicts_of
from kdsweep.report.statistics.crossed import Crossed


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_the_truth_of_a_world_is_the_mean_of_its_studies():
    for world in (World(samples=2000, shift=0.25), World(groups=EQUAL_GROUPS, shift=0.25, seed_sd=LARGE)):
        draws, source = [], rng()
        for _ in range(60):
            a, b = world.units(source)
            draws.append((a - b).mean())
        assert np.mean(draws) == pytest.approx(world.truth, abs=4 * np.std(draws) / np.sqrt(60))


@pytest.mark.parametrize("world", [World(samples=200), World(seeds=5, groups=EQUAL_GROUPS, seed_sd=LARGE)], ids=str)
def test_an_interval_holds_the_truth_and_equal_arms_are_seldom_called_different(world):
    held, wrong, studies, source = 0, 0, 400, rng()
    for _ in range(studies):
        values = world.units(source, arms=3)
        low, high = Crossed.of(values[0] - values[1]).interval.bounds()
        held += low <= 0 <= high
        wrong += any(one.word == "better" for one in verdicts_of(values))
    # Three standard errors of 400 studies on either side.
    assert 0.915 <= held / studies <= 0.985
    assert wrong / studies <= 0.05


def test_arms_at_the_margin_are_seldom_called_equivalent():
    world, source = World(samples=500, shift=0.25, seed_sd=SMALL), rng()
    said = [verdicts_of(world.units(source), equivalent=100 * world.truth, counted=False)[0].word for _ in range(300)]
    assert said.count("equivalent") / 300 <= 0.08
    # So that the bound above is not met by never saying it: within a wide margin they are.
    assert verdicts_of(world.units(source), equivalent=15.0)[0].word in ("equivalent", "better")


def test_an_open_question_advises_the_seeds_that_its_words_name():
    source = rng()
    for _ in range(40):
        (one,) = verdicts_of(World(samples=300, shift=0.1, seed_sd=LARGE).units(source))
        if one.advised is not None:
            assert f"{one.advised - 10} more seed" in one.detail
            return
    raise AssertionError("no study in forty was open and could be decided by seeds")


def test_better_knows_the_margin():
    """A lead of 0.7 points where the study calls 2 points equal is real, and within what it calls equal."""
    source = rng()
    a, b = (source.random((10, 20_000)) < p for p in (0.01, 0.003))
    (wide,), (narrow,), (none,) = (
        verdicts_of(np.stack([a, b]).astype(float), equivalent=margin) for margin in (2.0, 0.3, None)
    )
    assert (wide.word, wide.within, str(wide)) == ("better", True, "better, within ±2 points")
    assert (narrow.word, narrow.within, none.within) == ("better", False, False)


def test_the_interval_at_a_verdict_s_level_agrees_with_it():
    source, seen = rng(), set()
    for _ in range(40):
        values = World(samples=150, shift=0.15).units(source, arms=4)
        for verdict, b in zip(verdicts_of(values, equivalent=9.0, counted=False), values[1:], strict=True):
            low, high = Crossed.of(values[0] - b).interval.bounds(verdict.level)
            seen.add(verdict.word)
            if verdict.word == "equivalent":
                assert -0.09 < low <= high < 0.09
            else:
                assert (low > 0 or high < 0) == (verdict.word in ("better", "worse"))
    assert {"better", "equivalent", "undecided"} <= seen


def test_an_open_question_without_a_margin_proposes_to_declare_one():
    source = rng()
    said = [verdicts_of(World(samples=300).units(source))[0] for _ in range(5)]
    opened = [one.detail for one in said if one.word == "undecided"]
    assert opened
    assert all("declared before the test part is read" in detail for detail in opened)
