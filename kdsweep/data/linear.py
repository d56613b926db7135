"""What a linear model makes of each modality alone and of all of them: whether there is something to distil."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kdsweep.data.dataset import Dataset
from kdsweep.study import Data

Array = NDArray[Any]
# What a score is, by task.
MEASURES = {"multilabel": "mean average precision", "regression": "R²"}
# A look, not a study: of larger data as many rows, drawn once, as fit these bytes.
BYTES = 2**29
# Features above which the first principal components stand for them.
FEATURES, COMPONENTS = 512, 256


class Score(NamedTuple):
    """A share, on so many test samples: accuracy, or what `measure` names for the task."""

    modalities: tuple[str, ...]
    value: float
    samples: int


def measure(task: str) -> str:
    return MEASURES.get(task, "accuracy")


def scores(dataset: Dataset, data: Data) -> Iterator[Score]:
    """Logistic (of a regression: ridge) regression of standardised features; missing values are 0.

    Of more than 512 features it sees the first 256 principal components.
    """
    parts = dataset.parts(data)
    names = tuple(dataset.card.modalities)
    train, test = (_some(dataset, parts[part]) for part in ("train", "test"))  # type: ignore[index]
    if not len(train) or not len(test):
        return
    both = dataset.select(np.concatenate([train, test]))
    every = np.arange(len(both))
    for asked in (*((name,) for name in names), *((names,) if len(names) > 1 else ())):
        there = np.any([both.present[name] for name in asked], axis=0)
        x = np.concatenate([both.modalities[name][every].reshape(len(both), -1) for name in asked], axis=1)
        fit, judge = every[: len(train)][there[: len(train)]], every[len(train) :][there[len(train) :]]
        if len(judge) and len(np.unique(both.labels[fit], axis=0)) > 1:
            found = _score(both.card.task, x[fit], both.labels[fit], x[judge], both.labels[judge])
            yield Score(asked, found, len(judge))


def _some(dataset: Dataset, rows: Array) -> Array:
    width = sum(int(np.prod(one.shape)) for one in dataset.card.modalities.values())
    most = max(2, BYTES // (4 * width))
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, most, replace=False))


def _score(task: str, x: Array, y: Array, test_x: Array, test_y: Array) -> float:
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.metrics import average_precision_score, r2_score
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    steps: list[Any] = [StandardScaler()]
    if x.shape[1] > FEATURES:
        steps.append(PCA(min(COMPONENTS, len(x)), svd_solver="randomized", random_state=0))
    logistic = LogisticRegression(C=0.1, max_iter=200)
    with warnings.catch_warnings():
        # A few hundred steps tell as much as is asked here.
        warnings.simplefilter("ignore")
        if task == "regression":
            return float(r2_score(test_y, make_pipeline(*steps, Ridge()).fit(x, y).predict(test_x)))
        if task == "multilabel":
            said = make_pipeline(*steps, OneVsRestClassifier(logistic)).fit(x, y).predict_proba(test_x)
            occurs = np.flatnonzero(test_y.any(0))
            return float(np.mean([average_precision_score(test_y[:, one], said[:, one]) for one in occurs]))
        return float(make_pipeline(*steps, logistic).fit(x, y).score(test_x, test_y))
