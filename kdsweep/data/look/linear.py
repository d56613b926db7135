"""What a linear model makes of each modality alone and of all of them: whether there is something to distil."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kdsweep.data.dataset import Dataset
from kdsweep.tasks import registry as tasks
from kdsweep.tasks.base import Linear
from kdsweep.values.card import Split

Array = NDArray[Any]
# A look, not a study: of larger data as many rows, drawn once, as fit these bytes.
BYTES = 2**29
# Features above which the first principal components stand for them.
FEATURES, COMPONENTS = 512, 256
# Inverse strengths of the penalty.
STRENGTHS = (0.001, 0.01, 0.1, 1.0)


class Score(NamedTuple):
    """A share, on so many validation samples: accuracy, or what the task measures."""

    modalities: tuple[str, ...]
    value: float
    samples: int


def scores(dataset: Dataset, split: Split) -> Iterator[Score]:
    """The task's linear model of standardised features, fitted on training and judged on validation.

    Test is not read: this is a look before a study. The penalty is chosen on a quarter of training. Missing values are
    0. Of more than 512 features it sees the first 256 principal components.
    """
    from threadpoolctl import threadpool_limits

    parts = dataset.parts(split)
    names, linear = tuple(dataset.card.modalities), tasks.load(dataset.card.task).linear
    train, valid = (_some(dataset, parts[part]) for part in ("train", "valid"))  # type: ignore[index]
    train = np.random.default_rng(0).permutation(train)
    chooses = len(train) // 4
    rows = {"fit": train[chooses:], "choose": train[:chooses], "judge": valid}
    whole = dataset.select(np.concatenate(list(rows.values())))
    part_of = np.repeat(list(rows), [len(some) for some in rows.values()])
    # A second thread costs these small matrices more than it gives, and far more where the machine is shared.
    with threadpool_limits(1):
        for asked in (*((name,) for name in names), *((names,) if len(names) > 1 else ())):
            there = whole.labelled & np.any([whole.present[name] for name in asked], axis=0)
            x = np.concatenate([_flat(whole, name) for name in asked], axis=1)
            fit, choose, judge = (np.flatnonzero(there & (part_of == part)) for part in rows)
            if len(judge) and len(np.unique(whole.labels[fit], axis=0)) > 1:
                yield Score(asked, _score(linear, x, whole.labels, fit, choose, judge), len(judge))


def _some(dataset: Dataset, rows: Array) -> Array:
    width = sum(int(np.prod(one.shape)) for one in dataset.card.modalities.values())
    most = max(2, BYTES // (4 * width))
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, most, replace=False))


def _flat(dataset: Dataset, name: str) -> Array:
    values: Array = dataset.modalities[name][np.arange(len(dataset))]
    return values.reshape(len(values), -1)


def _score(linear: Linear, x: Array, labels: Array, fit: Array, choose: Array, judge: Array) -> float:
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
            return linear.score(linear.model(STRENGTHS[-2]).fit(seen, labels[fit]), unseen, labels[judge])

        def on_held_out(strength: float) -> float:
            return linear.score(linear.model(strength).fit(seen, labels[fit]), chosen_by, labels[choose])

        best = linear.model(max(STRENGTHS, key=on_held_out))
        best.fit(np.concatenate([seen, chosen_by]), np.concatenate([labels[fit], labels[choose]]))
        return linear.score(best, unseen, labels[judge])
