"""What a pilot's variances say of a study to come."""

from __future__ import annotations

import numpy as np
import pytest

from kdsweep.report.statistics.pilot import Pilot
from kdsweep.report.statistics.verdicts import against_baselines
from tests.helpers import report_fakes


@pytest.fixture(scope="module")
def runs():
    return report_fakes.make(metric="uar", seeds=6)


def test_at_its_own_size_a_pilot_says_what_its_comparisons_say(runs):
    found = Pilot.of(runs)
    said = [one.comparison.crossed for one in against_baselines(runs).values()]
    assert found.comparisons == len(said) > 1
    differences = [crossed.detectable(0.05) for crossed in said]
    assert min(differences) * 0.9 <= found.shown(6, 400, 1.0).difference <= max(differences) * 1.1


def test_more_seeds_and_more_samples_show_less(runs):
    found = Pilot.of(runs)
    assert found.shown(20, 4000, 1.0).difference < found.shown(20, 400, 1.0).difference
    assert found.shown(20, 400, 1.0).difference < found.shown(3, 400, 1.0).difference
    shown = found.shown(10, 400, 100.0)
    assert 0 < shown.margin < 100
    assert np.isfinite(shown.difference)


def test_a_pilot_of_other_units_or_another_metric_is_refused(runs):
    with pytest.raises(ValueError, match="a pilot measures what the study measures, accuracy; quickstart measures uar"):
        Pilot.of(runs).check("accuracy", grouped=False)
    with pytest.raises(ValueError, match="names no groups, and this one names groups"):
        Pilot.of(runs).check("uar", grouped=True)


def test_a_study_without_runs_is_no_pilot():
    assert Pilot.of(report_fakes.make(metric="ece", seeds=3)) is None
