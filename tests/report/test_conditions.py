"""What a report says of students under the conditions of deployment."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from kdsweep.report.facts.runs import Said
from kdsweep.report.sections import conditions
from kdsweep.values.condition import Condition
from tests.helpers import report_fakes

ASKED = (Condition("missing", ("top",)), Condition("noise", ("top",), 0.5), Condition("noise", ("top",), 1.0))


@pytest.fixture(scope="module")
def runs():
    """A study whose students lose ten points under every condition, and whose second one has not been read."""
    made = report_fakes.make(search=2, seeds=4, samples=60)
    worse = made.curves.assign(value=made.curves["value"] - 0.1)
    said = {one.id: Said(worse, made.predictions) for one in ASKED if one.strength != 0.5}
    nothing = Said(pd.DataFrame(columns=["trial", "epoch", "metric", "value"]), lambda trial: None)
    study = replace(made.study, conditions=ASKED)
    return replace(made, study=study, readings=lambda condition: said.get(condition, nothing))


def test_each_kind_has_a_table_of_every_arm_under_every_condition(runs):
    missing, noise = conditions.table(runs)
    assert [row["arm"] for row in missing.rows] == [runs.label(arm) for arm in runs.arms]
    assert len(noise.rows) == 2 * len(runs.arms)
    assert {row["condition"] for row in noise.rows} == {"top: 50 % noise", "top: 100 % noise"}
    assert [row["change"] for row in missing.rows] == pytest.approx([-10.0] * len(runs.arms))


def test_arms_are_compared_with_the_baseline_under_the_same_condition(runs):
    missing, _ = conditions.table(runs)
    baseline = runs.label(runs.baselines[0])
    scores = {row["arm"]: row[runs.metric.label] for row in missing.rows}
    for row in missing.rows:
        if row["arm"] == baseline:
            assert row["verdict"] == "baseline"
        else:
            assert row["difference"].value == pytest.approx(scores[row["arm"]] - scores[baseline])


def test_what_has_not_been_read_has_no_numbers(runs):
    _, noise = conditions.table(runs)
    unread = [row for row in noise.rows if row["condition"] == "top: 50 % noise"]
    assert all(row[runs.metric.label] is None and row["difference"] is None for row in unread)
    assert not conditions.words(runs)


def test_a_study_without_conditions_has_no_such_section():
    assert not conditions.applies(report_fakes.make(search=2, seeds=2, samples=30))
