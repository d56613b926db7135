"""What a linear model makes of each modality alone and of all of them: whether there is something to distil."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kdsweep.data.dataset import Dataset
from kdsweep.values.study import Data

Array = NDArray[Any]
# What a score is, by task.
MEASURES = {"multilabel": "mean average precision", "regression": "R²"}
# A look, not a study: of larger data as many rows, drawn once, as fit these bytes.
BYTES = 2**29
# Features above which the first principal components stand for them.
FEATURES, COMPONENTS = 512, 256
# Inverse strengths of the penalty, of which the validation part chooses.
STRENGTHS = (0.001, 0.01, 0.1, 1.0)


class Score(NamedTuple):
    """A share, on so many test samples: accuracy, or what `measure` names for the task."""

    modalities: tuple[str, ...]
    value: float
    samples: int


def measure(task: str) -> str:
    return MEASURES.get(task, "accuracy")


def scores(dataset: Dataset, data: Data) -> Iterator[Score]:
    """Logistic (of a regression: ridge) regression of standardised features, on all that is no test row.

    Its penalty is chosen on validation. Missing values are 0. Of more than 512 features it sees the first 256 principal
    components.
    """
    from threadpoolctl import threadpool_limits

    parts = dataset.parts(data)
    names = tuple(dataset.card.modalities)
    rows = {part: _some(dataset, parts[part]) for part in ("train", "valid", "test")}  # type: ignore[index]
    whole = dataset.select(np.concatenate(list(rows.values())))
    part_of = np.repeat(list(rows), [len(some) for some in rows.values()])
    # A second thread costs these small matrices more than it gives, and far more where the machine is shared.
    with threadpool_limits(1):
        for asked in (*((name,) for name in names), *((names,) if len(names) > 1 else ())):
            there = np.any([whole.present[name] for name in asked], axis=0)
            x = np.concatenate([_flat(whole, name) for name in asked], axis=1)
            fit, choose, judge = (np.flatnonzero(there & (part_of == part)) for part in rows)
            if len(judge) and len(np.unique(whole.labels[fit], axis=0)) > 1:
                yield Score(asked, _score(whole.card.task, x, whole.labels, fit, choose, judge), len(judge))


def _some(dataset: Dataset, rows: Array) -> Array:
    width = sum(int(np.prod(one.shape)) for one in dataset.card.modalities.values())
    most = max(2, BYTES // (4 * width))
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, most, replace=False))


def _flat(dataset: Dataset, name: str) -> Array:
    values: Array = dataset.modalities[name][np.arange(len(dataset))]
    return values.reshape(len(values), -1)


def _score(task: str, x: Array, labels: Array, fit: Array, choose: Array, judge: Array) -> float:
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    steps: list[Any] = [StandardScaler()]
    if x.shape[1] > FEATURES:
        steps.append(PCA(min(COMPONENTS, len(fit)), svd_solver="randomized", random_state=0))
    with warnings.catch_warnings():
        # A few hundred steps tell as much as is asked here.
        warnings.simplefilter("ignore")
        prepared = make_pipeline(*steps).fit(x[fit])
        seen, chosen_by, unseen = (prepared.transform(x[rows]) for rows in (fit, choose, judge))
        if not len(choose):
            return _judged(task, _model(task, STRENGTHS[-2]).fit(seen, labels[fit]), unseen, labels[judge])

        def on_validation(strength: float) -> float:
            return _judged(task, _model(task, strength).fit(seen, labels[fit]), chosen_by, labels[choose])

        best = _model(task, max(STRENGTHS, key=on_validation))
        best.fit(np.concatenate([seen, chosen_by]), np.concatenate([labels[fit], labels[choose]]))
        return _judged(task, best, unseen, labels[judge])


def _model(task: str, strength: float) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.multiclass import OneVsRestClassifier

    if task == "regression":
        return Ridge(alpha=1 / strength)
    logistic = LogisticRegression(C=strength, max_iter=200, tol=1e-3)
    return OneVsRestClassifier(logistic) if task == "multilabel" else logistic


def _judged(task: str, model: Any, x: Array, labels: Array) -> float:
    from sklearn.metrics import average_precision_score, r2_score

    if task == "regression":
        return float(r2_score(labels, model.predict(x)))
    if task == "multilabel":
        said, occurs = model.predict_proba(x), np.flatnonzero(labels.any(0))
        return float(np.mean([average_precision_score(labels[:, one], said[:, one]) for one in occurs]))
    return float(model.score(x, labels))
