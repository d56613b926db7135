"""Where a search trial stops that falls behind."""

import pytest

from kdsweep.protocol.pruners import registry
from kdsweep.protocol.pruners.quantile import rungs, threshold
from kdsweep.testing import check_pruner
from kdsweep.values.study import Pruner


@pytest.mark.parametrize("name", registry.names())
def test_every_pruner_keeps_its_contract(name):
    check_pruner(name, **Pruner(kind=name).numbers)


def test_the_check_finds_a_pruner_that_does_not_know_which_way_is_better():
    with pytest.raises(AssertionError, match="better is the other way"):
        check_pruner(lambda curves, epochs, maximize: [(1, 0.5)] if epochs > 1 and any(curves) else [])


@pytest.mark.parametrize(("epochs", "expected"), [(8, (1, 2, 4)), (30, (4, 8, 15)), (2, (1,)), (1, ())])
def test_rungs_lie_at_an_eighth_a_quarter_and_half_of_training(epochs, expected):
    assert rungs(epochs) == expected


def test_a_threshold_is_what_the_best_share_reached():
    values = [0.1, 0.4, float("nan"), 0.3, 0.2]
    assert threshold(values, keep=0.5, maximize=True) == 0.3
    assert threshold(values, keep=0.5, maximize=False) == 0.2
    assert threshold([float("nan")], keep=0.5, maximize=True) is None
