"""What a search tries next: ranges kept, the same answer to the same question, and something learned from history."""

from __future__ import annotations

import math

import pytest

from kdsweep.protocol.proposals import Told, nearest, propose
from kdsweep.values.space import Choice, Float, Int

SPACE = {"kd.weight": Float(0.1, 10.0, log=True), "hidden": Int(2, 5), "form": Choice(("pair", "joint"))}


def told(points, state="complete"):
    """Higher weights are better."""
    return [Told(point, state, math.log(point["kd.weight"]), [0.1, 0.2]) for point in points]


def ask(history=(), *, size=8, sampler="tpe", seed=3, **more):
    return propose(SPACE, history, size=size, sampler=sampler, maximize=True, seed=seed, **more)


@pytest.mark.parametrize("sampler", ["tpe", "gp", "random"])
def test_every_point_lies_in_the_space(sampler):
    first = ask()
    for point in first + ask(told(first), sampler=sampler, size=3):
        assert point.keys() == SPACE.keys()
        assert all(SPACE[name].contains(value) for name, value in point.items())


def test_equal_questions_have_equal_answers_and_other_seeds_others():
    history = told(ask())
    assert ask(history) == ask(history)
    assert ask(history) != ask(history, seed=4)
    assert ask() != ask(seed=4)


def test_a_first_generation_cut_short_is_a_prefix():
    assert ask(size=8)[:5] == ask(size=5)


def test_defaults_come_first_and_are_moved_into_their_range():
    default = {"kd.weight": 40.0, "hidden": 3.6, "form": "gaussian"}
    points = ask(first=[default], size=4)
    assert points[0] == {"kd.weight": 10.0, "hidden": 4, "form": "pair"}
    assert len(points) == 4


def test_a_first_generation_covers_every_whole_number_and_choice():
    points = ask(size=16)
    assert {point["hidden"] for point in points} == {2, 3, 4, 5}
    assert {point["form"] for point in points} == {"pair", "joint"}


def test_history_moves_the_search_towards_what_was_better():
    better = ask(told(ask(size=32)), size=16)
    middle = math.sqrt(0.1 * 10.0)
    assert sum(point["kd.weight"] > middle for point in better) >= 12


def test_pruned_and_failed_points_are_told_too():
    # TPE draws at random until it has seen ten points.
    first = ask(size=32)
    for state in ("pruned", "failed"):
        mixed = told(first[:16]) + told(first[16:], state)
        assert len(ask(mixed)) == 8
        assert ask(mixed) != ask(told(first))


def test_a_space_without_numbers_gives_empty_points():
    assert propose({}, [], size=2, sampler="tpe", maximize=True, seed=0) == [{}, {}]


def test_an_unknown_sampler_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="tpe, gp or random, got 'grid'"):
        ask(told(ask()), sampler="grid")


def test_the_nearest_choice_is_the_member_itself():
    assert type(nearest(Choice((4, 8)), 4.0)) is int
