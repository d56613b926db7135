"""What a search tries next: every sampler keeps its contract, and every search begins in the same way."""

from __future__ import annotations

import math

import pytest

from kdsweep.protocol.samplers import registry
from kdsweep.protocol.start import nearest, start
from kdsweep.testing import check_sampler
from kdsweep.values.result import Tried
from kdsweep.values.space import Choice, Float, Int
from tests.helpers.fakes import run, study

SPACE = {"kd.weight": Float(0.1, 10.0, log=True), "hidden": Int(2, 5), "form": Choice(("pair", "joint"))}


@pytest.mark.parametrize("name", registry.names())
def test_every_sampler_keeps_its_contract(name):
    check_sampler(name)


def tried(points, state="complete"):
    """Higher weights are better."""
    return [Tried(point, state, math.log(point["kd.weight"]), [0.1, 0.2]) for point in points]


def ask(history, *, size=8, sampler="tpe", seed=3):
    return registry.propose(sampler, SPACE, history, size=size, maximize=True, seed=seed)


def test_other_seeds_have_other_answers():
    history = tried(start(SPACE, size=8, seed=3))
    assert ask(history) != ask(history, seed=4)
    assert start(SPACE, size=8, seed=3) != start(SPACE, size=8, seed=4)


def test_history_moves_the_search_towards_what_was_better():
    better = ask(tried(start(SPACE, size=32, seed=3)), size=16)
    middle = math.sqrt(0.1 * 10.0)
    assert sum(point["kd.weight"] > middle for point in better) >= 12


def test_pruned_and_failed_points_are_told_too():
    first = start(SPACE, size=32, seed=3)
    for state in ("pruned", "failed"):
        mixed = tried(first[:16]) + tried(first[16:], state)
        assert ask(mixed) != ask(tried(first))


def test_an_unknown_sampler_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"no sampler 'grid' .*: found gp, random, tpe"):
        registry.load("grid")


OWN = """
def propose(space, history, *, size, maximize, seed):
    return [dict(history[0].numbers) for _ in range(size)]
def outside(space, history, *, size, maximize, seed):
    return [dict.fromkeys(space, -1.0) for _ in range(size)]
def forgetful(space, history, *, size, maximize, seed, calls=[]):
    calls.append(0)
    return [dict(history[len(calls) % len(history)].numbers) for _ in range(size)]
def few(space, history, *, size, maximize, seed):
    return []
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module with samplers of a user's own: its file."""
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "samplers_of_a_user.py"
    file.write_text(OWN)
    return file


def test_a_sampler_of_a_users_own_is_called_and_its_source_names_its_searches(own):
    small = {"arms": {"student_only": {}}, "ablate": None, "controls": [], "report": {}}
    asked = study(**small, search={"trials": 6, "generation": 2, "sampler": "samplers_of_a_user:propose"})
    store, unfolded = run(asked)
    searched = [role for role in unfolded.roles if role.stage == "search"]
    assert {unfolded.trials[r.trial].numbers["train.lr"] for r in searched if r.generation} == {0.001}
    check_sampler("samplers_of_a_user:propose")

    own.write_text(OWN + "# Edited.\n")
    registry.identity.cache_clear()
    edited, _ = run(asked)
    assert not store.proposals.keys() & edited.proposals.keys()


@pytest.mark.parametrize(
    ("name", "rule"),
    [("outside", "a point lies inside its ranges"), ("few", "as many points as it is asked for, 3: got 0")],
)
def test_points_that_are_none_are_refused_in_a_search_and_by_the_check(own, name, rule):
    named = f"samplers_of_a_user:{name}"
    with pytest.raises(ValueError, match=rule):
        registry.propose(named, SPACE, tried(start(SPACE, size=2, seed=0)), size=3, maximize=True, seed=0)
    with pytest.raises(ValueError, match=rule):
        check_sampler(named)


def test_the_check_finds_a_sampler_that_remembers(own):
    with pytest.raises(AssertionError, match="equal questions have equal answers"):
        check_sampler("samplers_of_a_user:forgetful")


def test_every_starting_point_lies_in_the_space():
    for point in start(SPACE, size=8, seed=3):
        assert point.keys() == SPACE.keys()
        assert all(SPACE[name].contains(value) for name, value in point.items())


def test_a_first_generation_cut_short_is_a_prefix():
    assert start(SPACE, size=8, seed=3)[:5] == start(SPACE, size=5, seed=3)


def test_defaults_come_first_and_are_moved_into_their_range():
    default = {"kd.weight": 40.0, "hidden": 3.6, "form": "gaussian"}
    points = start(SPACE, size=4, seed=3, first=[default])
    assert points[0] == {"kd.weight": 10.0, "hidden": 4, "form": "pair"}
    assert len(points) == 4


def test_a_first_generation_covers_every_whole_number_and_choice():
    points = start(SPACE, size=16, seed=3)
    assert {point["hidden"] for point in points} == {2, 3, 4, 5}
    assert {point["form"] for point in points} == {"pair", "joint"}


def test_the_nearest_choice_is_the_member_itself():
    assert type(nearest(Choice((4, 8)), 4.0)) is int
