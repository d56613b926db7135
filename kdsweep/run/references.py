"""Fits a linear model and an MLP of scikit-learn on the student's rows, for a report to put beside the student.

N rows, F features, C classes, labels or targets.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from kdsweep.data import registry as source
from kdsweep.data.dataset import Dataset, Hash
from kdsweep.data.tensors import Tensors
from kdsweep.engine import scoring
from kdsweep.objective.batch import Outputs
from kdsweep.run.store import Results
from kdsweep.run.worker import predictions_table
from kdsweep.tasks import registry as tasks
from kdsweep.tasks.base import Judged, Predictions, Task
from kdsweep.values.card import Split
from kdsweep.values.reference_model import ReferenceModel, reference_models

if TYPE_CHECKING:
    from kdsweep.values.study import Study

Array = NDArray[Any]
# Of larger parts as many rows are seen, chosen by their ids; of more features no model is fitted.
ROWS, FEATURES = 20_000, 5_000
# Inverse strengths of the linear model's penalty, and widths of the MLP's one hidden layer.
STRENGTHS = (0.001, 0.01, 0.1, 1.0)
WIDTHS = (64, 256)
# Passes of the MLP over the training rows: fewer where rows x features x width are many.
PASSES, WORK = 200, 5e11


class Fit(NamedTuple):
    """What a model says of test, its metrics there, and what a reader has to know of how it was fitted."""

    predictions: Predictions
    scores: dict[str, float]
    note: str


class Part(NamedTuple):
    """Standardised features [N, F] of the rows that have every modality, their labels and ids."""

    x: Array
    labels: Array
    ids: Array


def fit_references(study: Study, results: Results) -> int:
    """Those that the store lacks, or that another scikit-learn or an error left. Returns how many were fitted.

    What one of them raises is kept in its place: no launch ends by it.
    """
    library, fitted = version("scikit-learn"), 0
    for model in reference_models(study):
        there = results.reference(model.id)
        if there is not None and there[1]["library"] == library and not there[1]["error"]:
            continue
        try:
            made, error = fit(model, source.load(study.data.reference), study.data.split), ""
        except Exception as raised:  # A reference is worth no launch.
            made, error = Fit({}, {}, ""), f"{type(raised).__name__}: {(str(raised).splitlines() or [''])[0]}"
        record = {"library": library, "scores": made.scores, "note": made.note, "error": error}
        results.write_reference(model.id, predictions_table(made.predictions), record)
        fitted += not error
    return fitted


def fit(model: ReferenceModel, dataset: Dataset, split: Split) -> Fit:
    """One model: fitted on the training rows that have a label, chosen on validation by the study's metric.

    Nothing where the task searches for rows: such a model has no embedding. A note alone where features are too many.
    """
    from threadpoolctl import threadpool_limits

    task = tasks.load(model.task)
    features = sum(math.prod(dataset.shape(name)) for name in model.modalities)
    if task.searches:
        return Fit({}, {}, "")
    if features > FEATURES:
        return Fit({}, {}, f"not fitted on more than {FEATURES:,} features, and here are {features:,}")
    dataset = dataset.only(["train", "valid", "test"], model.modalities, split, model.fold)
    assert dataset.split is not None
    every = {part: np.flatnonzero(dataset.split == part) for part in ("train", "valid", "test")}
    if model.drop_labels:
        dataset = dataset.without_labels(every["train"], model.drop_labels)
    there = np.all([dataset.present[name][np.arange(len(dataset))] for name in model.modalities], axis=0)
    train, valid, test = (rows[there[rows] & dataset.labelled[rows]] for rows in every.values())
    seen = len(train), len(valid)
    train, valid = _some(dataset, train), _some(dataset, valid)
    notes = [] if seen == (len(train), len(valid)) else [f"fitted on {len(train):,} of {seen[0]:,} training rows"]
    # A second thread costs small matrices more than it gives, and far more where the machine is shared.
    with threadpool_limits(1), warnings.catch_warnings():
        # That a bounded number of passes may end before it converges is in the documentation.
        warnings.simplefilter("ignore")
        raw = _features(dataset, model.modalities, train)
        middle, spread = raw.mean(0), raw.std(0)
        spread[spread == 0] = 1.0

        def part(rows: Array, values: Array | None = None) -> Part:
            x = _features(dataset, model.modalities, rows) if values is None else values
            return Part((x - middle) / spread, dataset.labels[rows], dataset.ids[rows])

        fitted = _chosen(model, task, part(train, raw), part(valid), len(dataset.card.classes))
        judged = _judged(task, fitted, part(test), len(dataset.card.classes))
    (scores,) = scoring.measure(task, [judged])
    return Fit(scoring.predictions(task, judged), scores, "; ".join(notes))


def _chosen(model: ReferenceModel, task: Task, train: Part, valid: Part, classes: int) -> Any:
    """The best on validation of a few."""
    metric, candidates = task.metrics[model.metric], []
    for estimator in _candidates(model, task, train):
        fitted = estimator.fit(train.x, train.labels)
        (scores,) = scoring.measure(task, [_judged(task, fitted, valid, classes)])
        candidates.append((scores[model.metric], fitted))
    known = [(score, fitted) for score, fitted in candidates if np.isfinite(score)]
    if not known:
        raise ValueError(f"none of {len(candidates)} settings has a finite {metric.label} on validation")
    pick: Callable[..., Any] = max if metric.maximize else min
    return pick(known, key=lambda one: one[0])[1]


def _candidates(model: ReferenceModel, task: Task, train: Part) -> Iterable[Any]:
    if model.kind == "linear":
        return [task.linear.model(strength) for strength in STRENGTHS]
    passes = [min(PASSES, max(1, int(WORK / (train.x.size * width)))) for width in WIDTHS]
    return [task.linear.mlp(width, passes=most) for width, most in zip(WIDTHS, passes, strict=True)]


def _judged(task: Task, fitted: Any, part: Part, classes: int) -> Judged:
    logits = torch.as_tensor(task.linear.logits(fitted, part.x, classes), dtype=torch.float32)
    present = torch.ones(len(part.ids), dtype=torch.bool)
    said = Outputs(logits, logits, present, {})
    return Judged(said, Tensors({}, {}, torch.as_tensor(part.labels), part.ids))


def _some(dataset: Dataset, rows: Array) -> Array:
    """So many of these rows at most: which, their own ids say."""
    if len(rows) <= ROWS:
        return rows
    place = [Hash(np.array(["reference", id_])).text() for id_ in dataset.ids[rows]]
    return np.sort(rows[np.argsort(place)[:ROWS]])


def _features(dataset: Dataset, names: Iterable[str], rows: Array) -> Array:
    """[N, F]: every modality flattened, side by side."""
    flat = []
    for name in names:
        pieces = [values.reshape(len(values), -1) for _, values in dataset.chunks(name, rows)]
        flat.append(np.concatenate(pieces) if pieces else np.zeros((0, math.prod(dataset.shape(name)))))
    return np.concatenate(flat, axis=1)
