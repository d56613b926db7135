"""Scores of one run's predictions: one value for every test unit, so that their mean is the metric.

I test units: samples, or groups of them where the dataset names groups.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from kdsweep.tasks.base import Metric


def units(predictions: pd.DataFrame, metric: Metric, *, grouped: bool = False) -> pd.Series | None:
    """One value for every test unit; None for a metric without such values (ece).

    A mean over samples gives the samples' own scores; with groups, (I n_g / N) · the group's mean, so that the mean
    over groups is still the mean over samples. Of other metrics the units are jackknife pseudo-values (Efron, Stein
    1981), (I - 1) (mean of all θ without a unit - θ without this one), moved so that their mean is θ: they serve its
    variance, and the score is the score.
    """
    names = predictions["group" if grouped else "sample"].astype(str)
    if metric.per_sample is not None:
        by_name = pd.Series(metric.per_sample(predictions), index=names)
        if not grouped:
            return by_name
        sums = by_name.groupby(level=0).sum()
        return sums * len(sums) / len(by_name)
    if metric.jackknife is None:
        return None
    order, codes = np.unique(names.to_numpy(dtype=str), return_inverse=True)
    whole, without = metric.jackknife(predictions, codes, len(order))
    return pd.Series(whole + (len(order) - 1) * (without.mean() - without), index=order)


def resting(predictions: pd.DataFrame, metric: Metric, *, grouped: bool = False) -> tuple[int, ...]:
    """Classes (or labels) that occur in one test unit only, of a metric that is a mean over them.

    Without that unit nothing of them is left, and its pseudo-value is no estimate of anything.
    """
    if not metric.by_class:
        return ()
    names = predictions["group" if grouped else "sample"].astype(str).to_numpy()
    labels = predictions["label"]
    if labels.dtype == object:
        flags = np.stack([np.asarray(row) for row in labels]) > 0
    else:
        flags = labels.to_numpy()[:, None] == np.arange(int(labels.max()) + 1)
    return tuple(c for c in range(flags.shape[1]) if len(np.unique(names[flags[:, c]])) == 1)
