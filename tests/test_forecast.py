"""What a study will cost, before it starts."""

from __future__ import annotations

from collections import Counter

import pytest

from kdsweep.sweep import forecast
from kdsweep.sweep.launch import with_facts
from kdsweep.sweep.plan import Known
from tests.fakes import run, study


def test_the_whole_study_is_counted_as_it_turns_out():
    found = study()
    _, unfolded = run(found)
    assert forecast.expected(found) == Counter(forecast.part(role) for role in unfolded.roles)


def test_a_larger_study_costs_more():
    small, large = study(), study(confirm={"seeds": 5})
    assert sum(forecast.expected(large).values()) > sum(forecast.expected(small).values())


@pytest.mark.slow
def test_a_probe_times_every_arm_and_counts_what_is_left():
    found = with_facts(study(facts=False, arms={"student_only": {}, "kd": {}}, ablate=None, controls=[], report={}))
    asked = Counter(role.arm for role in forecast.whole(found).roles)
    lines = {line.arm: line for line in forecast.probe(found, Known())}
    assert lines.keys() == asked.keys() == {"", "student_only", "kd"}
    for arm, line in lines.items():
        assert line.trials == asked[arm]
        assert line.seconds > 0
