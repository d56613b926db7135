"""Every method trains on the labels that it says it understands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from kdsweep import methods
from kdsweep.data import registry as source
from kdsweep.data.dataset import Dataset
from kdsweep.tasks import registry as tasks
from kdsweep.tasks.registry import CLASSES, TASKS
from tests.helpers.measuring import measured
from tests.helpers.trials import DATA, Trainer, assert_equal, distilled, stacked, train, trial


def of_labels(task: str) -> Dataset:
    """The planted dataset with other labels: its class as several yes or no, or as two values."""
    planted = source.load(DATA.reference)
    parts = planted.parts(DATA.split)
    split = np.full(len(planted), "train", dtype="<U5")
    for part, rows in parts.items():
        split[rows] = part
    several = np.stack([planted.labels == 0, planted.labels != 1], axis=1).astype(np.float32)
    labels = {"multilabel": several, "regression": several * 2 + 1}.get(task, planted.labels)
    classes = planted.card.classes if task in CLASSES else ("a", "b")
    return replace(planted, labels=labels, split=split, card=replace(planted.card, task=task, classes=classes))


@pytest.fixture(scope="module")
def trainers() -> dict[str, Trainer]:
    return {task: Trainer(of_labels(task)) for task in TASKS}


def metrics_of(task: str) -> list[str]:
    return list(tasks.load(task).metrics)


ABLE = [
    (name, task)
    for name in methods.names()
    for task in TASKS[1:]
    if task in methods.load(name).tasks(methods.load(name).defaults())
    and name not in ("at", "nst", "ickd", "teacher", "auxiliary_only")
]


@pytest.mark.parametrize("name", methods.names())
def test_a_methods_tasks_are_those_of_its_terms(name):
    method = methods.load(name)
    for choices in (
        {**method.defaults(), key: value}
        for key in [*method.choices, ""]
        for value in [*method.choices.get(key, [None])]
    ):
        choices.pop("", None)
        terms = [set(term.tasks) for _, term in method.build(choices).items()]
        assert set(method.tasks(choices)) == set.intersection(*terms), choices


@pytest.mark.slow
@pytest.mark.parametrize(("name", "task"), ABLE)
def test_a_pack_of_every_method_learns_from_labels_of_every_task_it_takes(name, task, trainers):
    short = {**trial().train, "epochs": 1}
    asked = stacked(distilled(name, task=task, metric=metrics_of(task)[0], reads_test=True, train=short))
    asked = replace(asked, teacher=asked.teacher and of_task_too(asked.teacher, task))
    asked = replace(asked, auxiliaries={k: of_task_too(model, task) for k, model in asked.auxiliaries.items()})
    one, two = replace(asked, seed=1), replace(asked, seed=2)
    found = train([one, two], trainers[task])
    assert found[one.id].state == "complete", found[one.id].error
    assert_equal(trainers[task](one), found[one.id])
    tested = {point.metric.removeprefix("test/") for point in found[one.id].points if point.metric.startswith("test/")}
    assert set(metrics_of(task)) <= tested


def of_task_too(model, task):
    return replace(model, task=task, metric=metrics_of(task)[0])


def test_a_method_of_classes_refuses_values(trainers):
    asked = distilled("dkd", task="regression", metric="mae")
    asked = replace(asked, teacher=of_task_too(asked.teacher, "regression"))
    fault = trainers["regression"](asked)
    assert fault.message == "dkd is a term for classification, retrieval, got the task regression"


@pytest.mark.slow
def test_values_are_learned_as_a_linear_model_learns_them(trainers):
    from sklearn.linear_model import Ridge

    longer = {**trial().train, "epochs": 100}
    outcome = trainers["regression"](trial(task="regression", metric="ccc", train=longer, reads_test=True))
    dataset = trainers["regression"].dataset
    fitted, tested = (dataset.select(dataset.parts(DATA.split)[part]) for part in ("train", "test"))
    said = Ridge().fit(fitted.modalities["plain"], fitted.labels).predict(tested.modalities["plain"])
    linear = measured("regression", torch.tensor(said)[None], torch.tensor(tested.labels))[0]["ccc"]
    assert next(point.value for point in outcome.points if point.metric == "test/ccc") == pytest.approx(linear, abs=0.1)


def test_what_retrieval_keeps_gives_its_metrics_back(trainers):
    asked = trial(task="retrieval", metric="map", reads_test=True)
    outcome = trainers["retrieval"](asked)
    frame = pd.DataFrame({name: list(values) for name, values in outcome.predictions.items()})
    for point in outcome.points:
        metric = tasks.load("retrieval").metrics.get(point.metric.removeprefix("test/"))
        # Class scores are kept in half precision.
        if point.metric.startswith("test/") and metric and metric.mean and metric.unit == "%":
            assert metric.per_sample(frame).mean() == pytest.approx(point.value), metric.label
