"""What a report says of published settings beside tuned ones."""

from __future__ import annotations

import pytest

from kdsweep.report.sections import defaults
from tests.helpers import report_fakes


@pytest.fixture(scope="module")
def runs():
    return report_fakes.make(search=3, seeds=4, samples=60)


def test_each_arm_is_shown_at_its_tuned_and_its_published_settings(runs):
    (table,) = defaults.table(runs)
    assert [row["arm"] for row in table.rows] == [runs.label(arm) for arm in runs.arms]
    for row in table.rows:
        assert row["difference"].value == pytest.approx(row["tuned"] - row["published"])
        assert row["n"] == "4"


def test_that_tuning_had_trials_and_the_published_settings_none_bars_no_verdict(runs):
    (table,) = defaults.table(runs)
    assert all(row["p"] is not None for row in table.rows)


def test_a_study_that_leaves_them_out_has_no_such_section(runs):
    index = runs.index[runs.index["stage"] != "defaults"]
    assert not defaults.applies(report_fakes.replace(runs, index=index))
