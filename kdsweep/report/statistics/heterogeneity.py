"""Differences on several datasets: their mean for a new dataset, and how much they differ beyond their own errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from kdsweep.report.statistics import intervals
from kdsweep.report.statistics.intervals import Interval


class Heterogeneity(NamedTuple):
    """Of K datasets.

    Attributes:
        mean: Student's interval over the datasets' differences, each counted once: about a new dataset like these. None
            for fewer than three.
        q: Σ w (d - d̄_w)², w = 1 / error² (Cochran 1954); its p is that of χ² with K - 1 degrees of freedom.
        p: of "the difference is the same on every dataset".
        i2: max(0, (Q - (K - 1)) / Q), the share of the spread that is not error (Higgins, Thompson 2002).
    """

    mean: Interval | None
    q: float
    p: float
    i2: float


def heterogeneity(differences: Sequence[Interval]) -> Heterogeneity | None:
    """None for fewer than two datasets, or where a difference has no error."""
    if len(differences) < 2 or any(interval.error <= 0 for interval in differences):
        return None
    d = np.array([interval.mean for interval in differences])
    weight = np.array([interval.error for interval in differences]) ** -2
    Q = float((weight * (d - (weight * d).sum() / weight.sum()) ** 2).sum())
    free = len(d) - 1
    return Heterogeneity(
        mean=intervals.over(d) if len(d) >= 3 else None,
        q=Q,
        p=float(stats.chi2.sf(Q, free)),
        i2=max(0.0, (Q - free) / Q) if Q > 0 else 0.0,
    )
