"""Every task holds to the contract, and a task that does not is told so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kdsweep.tasks import contract
from kdsweep.tasks.registry import CLASSES, METRICS, TASKS, TEMPERED, having, load
from kdsweep.testing import check_task


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("check", contract.CHECKS, ids=lambda check: check.__name__)
def test_a_task_holds_to_the_contract(task, check):
    check(load(task))


@pytest.mark.parametrize("name", TASKS)
def test_a_task_has_the_name_of_its_file(name):
    assert load(name).name == name
    assert (name in CLASSES, name in TEMPERED) == (load(name).scores.softmax, load(name).scores.tempered)


def test_a_metrics_words_are_the_same_in_every_task():
    for task in map(load, TASKS):
        for name, metric in task.metrics.items():
            known = METRICS[name]
            words = (metric.label, metric.maximize, metric.scale, metric.unit, metric.mean)
            assert words == (known.label, known.maximize, known.scale, known.unit, known.mean), (task.name, name)
            assert name in having(name).metrics


def test_an_unknown_task_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"no task 'ranking' in kdsweep/tasks: found classification, multilabel"):
        load("ranking")
    with pytest.raises(ValueError, match=r"a metric is one of .*accuracy.*, got 'acuracy'"):
        having("acuracy")


def test_a_task_that_keeps_too_little_is_told_so():
    task = load("classification")
    accuracy = replace(task.metrics["accuracy"], per_sample=lambda kept: kept["rank"] < 2)
    with pytest.raises(AssertionError, match="accuracy: ") as told:
        check_task(replace(task, metrics={"accuracy": accuracy}))
    assert "classification does not keep its contract: A metric is the mean of kept" in told.value.__notes__[0]
