"""Scores of one run's predictions: one value for every test unit, so that their mean is the metric.

C classes, I test units: samples, or groups of them where the dataset names groups.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdsweep.report.statistics import task_scores

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

BLOCK = 500  # units left out at once: [500, 3, C] counts stay small with a thousand classes


def per_sample(predictions: pd.DataFrame, metric: str) -> Array | None:
    """Each sample's score where the metric is a mean of such scores, else None."""
    if task_scores.several(predictions):
        return task_scores.per_sample(predictions, metric)
    match metric:
        case "accuracy":
            return np.asarray(predictions["prediction"] == predictions["label"], dtype=float)
        case "top5":
            return np.asarray(predictions["rank"] < 5, dtype=float)
        case "log_loss":
            log_p_IC = _log_softmax(predictions)
            log_p: Array = log_p_IC[np.arange(len(log_p_IC)), predictions["label"].to_numpy()]
            return -log_p
    return task_scores.per_sample(predictions, metric)


def units(predictions: pd.DataFrame, metric: str, *, grouped: bool = False) -> pd.Series | None:
    """One value for every test unit; None for a metric without such values (ece), or a metric unknown here.

    A mean over samples gives the samples' own scores; with groups, (I n_g / N) · the group's mean, so that the mean
    over groups is still the mean over samples. Macro F1 and UAR give jackknife pseudo-values,
    I θ - (I - 1) θ without the unit (Efron, Stein 1981).
    """
    scores = per_sample(predictions, metric)
    names = predictions["group" if grouped else "sample"].astype(str)
    if scores is not None:
        by_name = pd.Series(scores, index=names)
        if not grouped:
            return by_name
        sums = by_name.groupby(level=0).sum()
        return sums * len(sums) / len(by_name)
    if task_scores.several(predictions):
        return task_scores.units(predictions, metric, names.to_numpy(dtype=str))
    if metric not in SMOOTH:
        return None
    counts = _counts(predictions)
    order, codes = np.unique(names.to_numpy(dtype=str), return_inverse=True)
    whole, without = SMOOTH[metric](counts), np.empty(len(order))
    label, prediction = _labels(predictions)
    for start in range(0, len(order), BLOCK):
        here = (codes >= start) & (codes < start + BLOCK)
        unit: Integers = (codes[here] - start).astype(np.int64)
        rest = np.tile(counts, (min(BLOCK, len(order) - start), 1, 1))
        right = label[here] == prediction[here]
        np.subtract.at(rest[:, 0], (unit[right], label[here][right]), 1)
        np.subtract.at(rest[:, 1], (unit, label[here]), 1)
        np.subtract.at(rest[:, 2], (unit, prediction[here]), 1)
        without[start : start + BLOCK] = SMOOTH[metric](rest)
    return pd.Series(len(order) * whole - (len(order) - 1) * without, index=order)


def recall_mean(counts: Array) -> Array:
    """Unweighted average recall from counts [..., 3, C]: over the classes that occur."""
    correct, actual, _ = np.moveaxis(counts, -2, 0)
    return _mean_where(actual > 0, correct / np.maximum(actual, 1))


def macro_f1(counts: Array) -> Array:
    """Mean of 2 correct / (actual + predicted), from counts [..., 3, C]: over classes among labels or predictions."""
    correct, actual, predicted = np.moveaxis(counts, -2, 0)
    return _mean_where(actual + predicted > 0, 2 * correct / np.maximum(actual + predicted, 1))


SMOOTH: dict[str, Callable[[Array], Array]] = {"uar": recall_mean, "macro_f1": macro_f1}


def _labels(predictions: pd.DataFrame) -> tuple[Integers, Integers]:
    return predictions["label"].to_numpy(dtype=np.int64), predictions["prediction"].to_numpy(dtype=np.int64)


def _counts(predictions: pd.DataFrame) -> Array:
    """[3, C]: correct, actual and predicted of each class."""
    label, prediction = _labels(predictions)
    C = int(max(label.max(), prediction.max())) + 1
    rows = (label[label == prediction], label, prediction)
    return np.stack([np.bincount(row, minlength=C) for row in rows]).astype(float)


def _mean_where(occurs: NDArray[np.bool_], values: Array) -> Array:
    mean: Array = (values * occurs).sum(-1) / np.maximum(occurs.sum(-1), 1)
    return mean


def _log_softmax(predictions: pd.DataFrame) -> Array:
    logits = np.stack([np.asarray(row, dtype=float) for row in predictions["logits"]])
    logits -= logits.max(1, keepdims=True)
    log_p: Array = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    return log_p
