"""What each task measures, and that every method trains on the labels that it says it understands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import pearsonr

from kdsweep import methods
from kdsweep.data import registry as source
from kdsweep.data.dataset import Dataset
from kdsweep.engine import scoring
from kdsweep.objective.batch import Outputs
from kdsweep.report.statistics import scores
from kdsweep.tasks import registry as tasks
from kdsweep.tasks import retrieval
from kdsweep.tasks.base import Judged
from kdsweep.tasks.registry import CLASSES, TASKS
from tests.helpers.trials import DATA, Trainer, assert_equal, distilled, stacked, train, trial


def of_labels(task: str) -> Dataset:
    """The planted dataset with other labels: its class as several yes or no, or as two values."""
    planted = source.load(DATA)
    parts = planted.parts(DATA)
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


def measured(task: str, logits: torch.Tensor, labels: torch.Tensor) -> list[dict[str, float]]:
    """The metrics of networks' logits [K, N, C]."""
    rows = len(labels)
    part = type("Part", (), {"labels": labels})
    said = [Outputs(one, torch.zeros(rows, 2), torch.ones(rows, dtype=torch.bool)) for one in logits]
    return scoring.measure(tasks.load(task), [Judged(one, part) for one in said])


def metrics_of(task: str) -> list[str]:
    return list(tasks.load(task).metrics)


@pytest.mark.parametrize("classes", [3, 12])
def test_metrics_are_scikit_learns(classes):
    from sklearn import metrics

    rng = torch.Generator().manual_seed(classes)
    logits, labels = torch.randn(200, classes, generator=rng), torch.randint(0, classes - 1, (200,), generator=rng)
    (found,) = measured("classification", logits[None], labels)
    guess, truth = logits.argmax(1).numpy(), labels.numpy()
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(truth, guess))
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(truth, guess, average="macro"))
    present = sorted(set(truth))
    assert found["uar"] == pytest.approx(metrics.recall_score(truth, guess, average="macro", labels=present))
    p = torch.softmax(logits.double(), 1).numpy()
    assert found["log_loss"] == pytest.approx(metrics.log_loss(truth, p, labels=range(classes)))
    top = metrics.top_k_accuracy_score(truth, logits.double().numpy(), k=min(5, classes - 1), labels=range(classes))
    if classes > 5:
        assert found["top5"] == pytest.approx(top)
    others = torch.randn(3, *logits.shape, generator=rng)
    assert measured("classification", torch.cat([others, logits[None]]), labels)[3] == found, "measured beside others"


def searched(queries, labels, gallery, gallery_labels, **itself):
    to_tensors = (torch.tensor(queries), torch.tensor(labels), torch.tensor(gallery), torch.tensor(gallery_labels))
    return retrieval.searched(*to_tensors, **itself)


def test_a_query_ranks_the_gallery_by_cosine():
    gallery, of_gallery = [[1.0, 0.1], [0.5, 0.5], [0.0, 2.0]], [0, 1, 1]
    ranks, precision = searched([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]], [0, 1, 2], gallery, of_gallery)
    assert ranks.tolist() == [0, 1, 3]
    assert precision.tolist() == pytest.approx([1.0, (1 / 2 + 2 / 3) / 2, 0.0])


def test_average_precision_is_scikit_learns():
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(0)
    queries, gallery, labels, of_gallery = rng.normal(size=(20, 4)), rng.normal(size=(50, 4)), 20 * [1], [1, 0] * 25
    _, found = searched(queries, labels, gallery, of_gallery)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (queries, gallery)]
    expected = [average_precision_score(of_gallery, row) for row in unit[0] @ unit[1].T]
    assert found == pytest.approx(expected)


def test_within_its_own_part_a_query_does_not_find_itself():
    rows = [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]
    ranks, _ = searched(rows, [0, 0, 1], rows, [0, 0, 1], itself=True)
    assert ranks.tolist() == [0, 0, 2]


def test_a_network_that_says_the_same_of_every_row_retrieves_nothing():
    same = np.full((12, 3), 0.1)
    ranks, precision = searched(same, [0, 1] * 6, same, [0, 1] * 6)
    assert ranks.tolist() == [6] * 12
    assert precision.max() < 0.5


def test_several_labels_have_scikit_learns_metrics():
    from sklearn import metrics

    rng = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(80, 4, generator=rng), (torch.rand(80, 4, generator=rng) < 0.3).float()
    labels[:, 3] = 0
    (found,), said = measured("multilabel", logits[None], labels), (torch.sigmoid(logits) > 0.5).numpy()
    assert found["macro_ap"] == pytest.approx(metrics.average_precision_score(labels[:, :3], logits[:, :3]))
    assert found["micro_f1"] == pytest.approx(metrics.f1_score(labels, said, average="micro"))
    p = torch.sigmoid(logits.double())
    losses = [metrics.log_loss(labels[:, c], p[:, c], labels=[0, 1]) for c in range(4)]
    assert found["log_loss"] == pytest.approx(np.mean(losses))


def test_values_have_the_metrics_of_their_definitions():
    from sklearn import metrics

    rng = torch.Generator().manual_seed(0)
    labels = torch.randn(60, 2, generator=rng)
    predicted = labels + torch.randn(60, 2, generator=rng)
    (found,), x, y = measured("regression", predicted[None], labels), predicted.numpy(), labels.numpy()
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(y, x))
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(y, x))
    assert found["pearson"] == pytest.approx(np.mean([pearsonr(x[:, c], y[:, c])[0] for c in range(2)]))
    whole = [
        2 * np.cov(x[:, c], y[:, c], ddof=0)[0, 1] / (x[:, c].var() + y[:, c].var() + (x - y)[:, c].mean() ** 2)
        for c in range(2)
    ]
    assert found["ccc"] == pytest.approx(np.mean(whole), rel=1e-5)


def test_a_constant_prediction_agrees_with_nothing():
    (found,) = measured("regression", torch.ones(1, 5, 1), torch.arange(5.0)[:, None])
    assert found["pearson"] == found["ccc"] == 0


@pytest.mark.parametrize("task", TASKS)
def test_what_is_not_finite_has_no_score(task):
    said = Outputs(torch.full((3, 2), torch.nan), torch.zeros(3, 2), torch.ones(3, dtype=torch.bool))
    part = type("Part", (), {"labels": torch.zeros(3, dtype=torch.int64)})
    (found,) = scoring.measure(tasks.load(task), [Judged(said, part)])
    assert list(found) == metrics_of(task)
    assert all(np.isnan(value) for value in found.values())


@pytest.mark.parametrize("task", TASKS)
def test_networks_measured_together_have_the_scores_that_each_has_alone(task):
    rng = torch.Generator().manual_seed(0)
    wide = 1 if task == "regression" else 3
    labels = torch.randint(0, 3, (40,), generator=rng)
    if task in ("multilabel", "regression"):
        labels = torch.randint(0, 2, (40, wide), generator=rng).float()
    part = type("Part", (), {"labels": labels})

    def says(broken: bool = False) -> Judged:
        logits, embedding = torch.randn(40, wide, generator=rng), torch.randn(40, 4, generator=rng)
        said = Outputs(logits + (torch.nan if broken else 0), embedding, torch.arange(40) % 7 > 0)
        return Judged(said, part, said, labels)

    several = [says(), says(broken=True), says(), says()]
    together, alone = (
        scoring.measure(tasks.load(task), several),
        [scoring.measure(tasks.load(task), [one])[0] for one in several],
    )
    assert [list(one.values()) for one in together] == [pytest.approx(list(one.values()), nan_ok=True) for one in alone]
    assert together[0] == alone[0]
    assert together[3] == alone[3]


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


@pytest.mark.parametrize(("name", "task"), ABLE)
def test_a_pack_of_every_method_learns_from_labels_of_every_task_it_takes(name, task, trainers):
    asked = stacked(distilled(name, task=task, metric=metrics_of(task)[0], reads_test=True))
    asked = replace(asked, teacher=asked.teacher and of_task_too(asked.teacher, task))
    asked = replace(asked, auxiliaries={k: of_task_too(model, task) for k, model in asked.auxiliaries.items()})
    one, two = replace(asked, seed=1), replace(asked, seed=2)
    found = train([one, two], trainers[task])
    assert found[one.id].state == "complete", found[one.id].error
    assert_equal(train([one], trainers[task])[one.id], found[one.id])
    tested = {point.metric.removeprefix("test/") for point in found[one.id].points if point.metric.startswith("test/")}
    assert set(metrics_of(task)) <= tested


def of_task_too(model, task):
    return replace(model, task=task, metric=metrics_of(task)[0])


def test_a_method_of_classes_refuses_values(trainers):
    asked = distilled("dkd", task="regression", metric="mae")
    asked = replace(asked, teacher=of_task_too(asked.teacher, "regression"))
    outcome = trainers["regression"](asked)
    assert outcome.state == "failed"
    assert "dkd is a term for classification, retrieval, got the task regression" in outcome.error


def test_values_are_learned_as_a_linear_model_learns_them(trainers):
    from sklearn.linear_model import Ridge

    longer = {**trial().train, "epochs": 100}
    outcome = trainers["regression"](trial(task="regression", metric="ccc", train=longer, reads_test=True))
    dataset = trainers["regression"].dataset
    fitted, tested = (dataset.select(dataset.parts(DATA)[part]) for part in ("train", "test"))
    said = Ridge().fit(fitted.modalities["plain"], fitted.labels).predict(tested.modalities["plain"])
    linear = measured("regression", torch.tensor(said)[None], torch.tensor(tested.labels))[0]["ccc"]
    assert next(point.value for point in outcome.points if point.metric == "test/ccc") == pytest.approx(linear, abs=0.1)


def kept(task: str, rng: np.random.Generator) -> pd.DataFrame:
    """What is kept of forty test samples in eight groups."""
    names = {"sample": [f"s{i}" for i in range(40)], "group": [f"g{i % 8}" for i in range(40)]}
    if task == "regression":
        labels = rng.normal(size=(40, 2))
        return pd.DataFrame(names | {"label": list(labels), "prediction": list(labels + rng.normal(size=(40, 2)))})
    logits, labels = rng.normal(size=(40, 3)), (rng.random((40, 3)) < 0.4).astype(float)
    said = (logits > 0).astype(float)
    return pd.DataFrame(names | {"label": list(labels), "prediction": list(said), "logits": list(logits)})


def score(task: str, predictions: pd.DataFrame, metric: str) -> float:
    labels = torch.tensor(np.stack(predictions["label"]))
    said = torch.tensor(np.stack(predictions["prediction" if task == "regression" else "logits"]))
    return measured(task, said[None], labels)[0][metric]


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize(
    ("task", "metric"), [(task, m) for task in ("multilabel", "regression") for m in metrics_of(task)]
)
def test_units_are_pseudo_values_of_the_metric(task, metric, grouped):
    predictions = kept(task, np.random.default_rng(0))
    found = scores.units(predictions, tasks.load(task).metrics[metric], grouped=grouped)
    names = predictions["group" if grouped else "sample"]
    whole = score(task, predictions, metric)
    if tasks.load(task).metrics[metric].mean:
        assert found.mean() == pytest.approx(whole)
        return
    without = {name: score(task, predictions[names != name], metric) for name in set(names)}
    expected = {name: len(without) * whole - (len(without) - 1) * value for name, value in without.items()}
    assert found.to_dict() == pytest.approx(expected)


def test_what_retrieval_keeps_gives_its_metrics_back(trainers):
    asked = trial(task="retrieval", metric="map", reads_test=True)
    outcome = trainers["retrieval"](asked)
    frame = pd.DataFrame({name: list(values) for name, values in outcome.predictions.items()})
    for point in outcome.points:
        metric = tasks.load("retrieval").metrics.get(point.metric.removeprefix("test/"))
        # Class scores are kept in half precision.
        if point.metric.startswith("test/") and metric and metric.mean and metric.unit == "%":
            assert metric.per_sample(frame).mean() == pytest.approx(point.value), metric.label


def test_scores_that_tie_are_one_threshold_as_in_the_metric():
    """Wherever the rows lie in the file."""
    rng, macro_ap = np.random.default_rng(1), tasks.load("multilabel").metrics["macro_ap"]
    labels, scores_ = (rng.random((30, 2)) < 0.4).astype(float), rng.integers(0, 3, (30, 2)).astype(float)
    for order in (np.argsort(-labels[:, 0]), np.argsort(labels[:, 0])):
        frame = {"sample": [f"s{i}" for i in range(30)], "label": list(labels[order]), "logits": list(scores_[order])}
        predictions = pd.DataFrame(frame)
        found, whole = scores.units(predictions, macro_ap), score("multilabel", predictions, "macro_ap")
        without = [score("multilabel", predictions.drop(i), "macro_ap") for i in range(30)]
        expected = {f"s{i}": 30 * whole - 29 * value for i, value in enumerate(without)}
        assert found.to_dict() == pytest.approx(expected)


def test_a_logit_beyond_half_precision_keeps_its_sample(trainers):
    said = Outputs(torch.tensor([[-9e4, 0.0], [0.0, 1.0]]), torch.zeros(2, 2), torch.ones(2, dtype=torch.bool))
    part = type("Part", (), {"labels": torch.tensor([0, 1]), "ids": np.array(["a", "b"]), "groups": None})
    kept = scoring.predictions(tasks.load("classification"), Judged(said, part))
    frame = pd.DataFrame({name: list(values) for name, values in kept.items()})
    assert np.isfinite(scores.units(frame, tasks.load("classification").metrics["log_loss"])).all()
