"""Scores of predictions where labels are no classes, and of retrieval: what `scores` does for classification.

C labels or targets, I test units: samples, or groups of them where the dataset names groups.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]
CUTS = {"recall_at_1": 1, "recall_at_5": 5, "recall_at_10": 10}


def several(predictions: pd.DataFrame) -> bool:
    """Whether a label is a list: several yes or no, or values."""
    return len(predictions) > 0 and np.ndim(predictions["label"].iloc[0]) == 1


def per_sample(predictions: pd.DataFrame, metric: str) -> Array | None:
    """Each sample's score where the metric is a mean of such scores, else None."""
    prefix, name = ("within_", metric.removeprefix("within_")) if metric.startswith("within_") else ("", metric)
    if name in CUTS:
        return np.asarray(predictions[f"{prefix}gallery_rank"] < CUTS[name], dtype=float)
    match name:
        case "mrr":
            return np.asarray(1 / (1 + predictions[f"{prefix}gallery_rank"]), dtype=float)
        case "map":
            return np.asarray(predictions[f"{prefix}average_precision"], dtype=float)
        case "mae":
            return np.asarray(np.abs(stacked(predictions, "prediction") - stacked(predictions, "label")).mean(1))
        case "log_loss":
            x, y = stacked(predictions, "logits"), stacked(predictions, "label")
            # log(1 + e^x) - x y, without an overflow.
            return np.asarray((np.logaddexp(0, x) - x * y).mean(1))
    return None


def units(predictions: pd.DataFrame, metric: str, names: NDArray[np.str_]) -> pd.Series | None:
    """Jackknife pseudo-values I θ - (I - 1) θ without the unit (Efron, Stein 1981); None for a metric unknown here."""
    if metric not in WITHOUT:
        return None
    order, codes = np.unique(names, return_inverse=True)
    whole, without = WITHOUT[metric](predictions, codes, len(order))
    return pd.Series(len(order) * whole - (len(order) - 1) * without, index=order)


def stacked(predictions: pd.DataFrame, column: str) -> Array:
    """[I, C]."""
    return np.stack([np.asarray(row, dtype=float) for row in predictions[column]])


def _sums(values: Array, codes: NDArray[np.intp], count: int) -> Array:
    """[I, ...]: sums over each unit's samples."""
    sums = np.zeros((count, *values.shape[1:]))
    np.add.at(sums, codes, values)
    return sums


def _additive(
    parts: Callable[[pd.DataFrame], Array], metric: Callable[[Array], Array]
) -> Callable[[pd.DataFrame, NDArray[np.intp], int], tuple[float, Array]]:
    """A metric of sums over samples: without a unit, of the sums less its own."""

    def without(predictions: pd.DataFrame, codes: NDArray[np.intp], count: int) -> tuple[float, Array]:
        values = parts(predictions)
        whole = values.sum(0)
        return float(metric(whole[None])[0]), metric(whole[None] - _sums(values, codes, count))

    return without


def _counts(predictions: pd.DataFrame) -> Array:
    """[N, 3, C]: said and true, true, said."""
    y, said = stacked(predictions, "label"), stacked(predictions, "prediction")
    return np.stack([y * said, y, said], axis=1)


def _macro_f1(sums: Array) -> Array:
    both, true, said = np.moveaxis(sums, -2, 0)
    f1: Array = (2 * both / np.maximum(true + said, 1)).mean(-1)
    return f1


def _micro_f1(sums: Array) -> Array:
    both, true, said = np.moveaxis(sums.sum(-1), -1, 0)
    f1: Array = 2 * both / np.maximum(true + said, 1)
    return f1


def _moments(predictions: pd.DataFrame) -> Array:
    """[N, 6, C]: 1, x, y, x², y², xy; x and y less the means of y, so that squares stay small."""
    x, y = stacked(predictions, "prediction"), stacked(predictions, "label")
    middle = y.mean(0)
    x, y = x - middle, y - middle
    return np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)


def _central(sums: Array) -> tuple[Array, Array, Array, Array]:
    """Difference of means, variances of x and y, covariance: [..., C] each."""
    n, x, y, xx, yy, xy = np.moveaxis(sums, -2, 0)
    return (
        (x - y) / n,
        np.maximum(xx / n - (x / n) ** 2, 0),
        np.maximum(yy / n - (y / n) ** 2, 0),
        xy / n - x * y / n**2,
    )


def _rmse(sums: Array) -> Array:
    n, _, _, xx, yy, xy = np.moveaxis(sums, -2, 0)
    root: Array = np.sqrt(np.maximum(xx - 2 * xy + yy, 0) / n).mean(-1)
    return root


def _pearson(sums: Array) -> Array:
    _, spread_x, spread_y, shared = _central(sums)
    scale = np.sqrt(spread_x * spread_y)
    r: Array = np.divide(shared, scale, out=np.zeros_like(shared), where=scale > 0).mean(-1)
    return r


def _ccc(sums: Array) -> Array:
    apart, spread_x, spread_y, shared = _central(sums)
    scale = spread_x + spread_y + apart**2
    agreement: Array = np.divide(2 * shared, scale, out=np.zeros_like(shared), where=scale > 0).mean(-1)
    return agreement


def _macro_ap(predictions: pd.DataFrame, codes: NDArray[np.intp], count: int) -> tuple[float, Array]:
    """Mean average precision over the labels that occur in the whole test part."""
    x, y = stacked(predictions, "logits"), stacked(predictions, "label") > 0
    labels = np.flatnonzero(y.any(0))
    if not len(labels):
        return float("nan"), np.full(count, np.nan)
    alone = count == len(codes)
    found = [_average_precisions(x[:, c], y[:, c], codes, count, alone=alone) for c in labels]
    return float(np.mean([whole for whole, _ in found])), np.mean([without for _, without in found], axis=0)


def _average_precisions(
    scores: Array, true: NDArray[np.bool_], codes: NDArray[np.intp], count: int, *, alone: bool
) -> tuple[float, Array]:
    """Average precision, and without each unit. Equal scores are one threshold, as scikit-learn has it."""
    if not alone:
        return _precision(scores, true), np.array(
            [_precision(scores[codes != u], true[codes != u]) for u in range(count)]
        )
    place, hits, above, until = _thresholds(scores, true)
    total = hits.sum()
    # Without a sample its own threshold and those below have one row fewer, and, where it was true, one hit fewer.
    before = np.concatenate([[0.0], (hits * above / until).cumsum()])[:-1]
    fewer = np.maximum(until - 1, 1)

    def below(values: Array) -> Array:
        return np.asarray(values[::-1].cumsum()[::-1] - values)

    without_true = before + (hits - 1) * (above - 1) / fewer + below(hits * (above - 1) / fewer)
    without_false = before + hits * above / fewer + below(hits * above / fewer)
    found = np.empty(count)
    found[codes] = np.where(true, without_true[place] / max(total - 1, 1), without_false[place] / max(total, 1))
    return _precision(scores, true), found


def _thresholds(scores: Array, true: NDArray[np.bool_]) -> tuple[NDArray[np.intp], Array, Array, Array]:
    """Each sample's threshold, from the highest; and of each threshold its hits, and hits and rows down to it."""
    values, place = np.unique(-scores, return_inverse=True)
    hits: Array = np.bincount(place, weights=true.astype(float), minlength=len(values)).astype(float)
    until: Array = np.bincount(place, minlength=len(values)).cumsum().astype(float)
    return place.astype(np.intp), hits, hits.cumsum(), until


def _precision(scores: Array, true: NDArray[np.bool_]) -> float:
    _, hits, above, until = _thresholds(scores, true)
    return float((hits * above / until).sum() / hits.sum()) if hits.sum() else 0.0


WITHOUT = {
    "macro_f1": _additive(_counts, _macro_f1),
    "micro_f1": _additive(_counts, _micro_f1),
    "rmse": _additive(_moments, _rmse),
    "pearson": _additive(_moments, _pearson),
    "ccc": _additive(_moments, _ccc),
    "macro_ap": _macro_ap,
}
