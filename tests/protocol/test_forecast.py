"""What a study will cost, before it starts."""

from __future__ import annotations

import time
from collections import Counter

import pytest
import torch

from kdsweep.protocol import forecast
from kdsweep.protocol.plan import Known, Plan
from kdsweep.run import forecast as timing
from kdsweep.run.launch import with_facts
from tests.helpers.fakes import run, study


def by_part(unfolded: Plan) -> Counter[tuple[str, str, str, str]]:
    return Counter((role.stage, role.arm, role.row, role.control) for role in unfolded.roles)


def test_the_whole_study_is_counted_as_it_turns_out():
    found = study()
    _, unfolded = run(found)
    assert by_part(forecast.whole(found)) == by_part(unfolded)


def test_a_larger_study_costs_more():
    small, large = study(), study(confirm={"seeds": 5})
    assert len(forecast.whole(large).roles) > len(forecast.whole(small).roles)


def test_a_forecast_counts_what_this_process_works_and_not_how_long_it_waits():
    began = timing.clock(torch.device("cpu"))
    time.sleep(0.5)
    assert timing.clock(torch.device("cpu")) - began < 0.4


@pytest.mark.slow
def test_a_probe_times_every_arm_and_counts_what_is_left():
    found = with_facts(study(facts=False, arms={"student_only": {}, "kd": {}}, ablate=None, controls=[], report={}))
    everything = forecast.whole(found)
    asked = Counter(role.arm for role in everything.roles)
    lines = {line.arm: line for line in timing.probe(found, Known(), everything)}
    assert lines.keys() == asked.keys() == {"", "student_only", "kd"}
    for arm, line in lines.items():
        assert line.trials == asked[arm]
        assert line.seconds > 0
