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
    over groups is still the mean over samples. Other metrics give jackknife pseudo-values, I θ - (I - 1) θ without the
    unit (Efron, Stein 1981).
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
    return pd.Series(len(order) * whole - (len(order) - 1) * without, index=order)
