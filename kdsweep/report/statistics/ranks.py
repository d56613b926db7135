"""Average ranks over datasets, and how far apart two of them must lie to be told apart (Demšar 2006)."""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]


class Ranks(NamedTuple):
    """Average ranks over datasets, 1 the best.

    Attributes:
        critical: Nemenyi's critical difference at 0.05: arms whose ranks are closer are not told apart.
    """

    average: Array
    critical: float


def average_ranks(scores: Array) -> Ranks:
    """Of scores [N datasets, k arms], more is better."""
    return Ranks(stats.rankdata(-scores, axis=1).mean(0), critical_difference(*scores.shape))


@functools.cache
def critical_difference(datasets: int, methods: int, alpha: float = 0.05) -> float:
    """Nemenyi's, of average ranks of k methods on N datasets: q √(k (k + 1) / 6N) (Demšar 2006).

    q, of the studentised range over √2, takes a quarter of a second.
    """
    q = float(stats.studentized_range.ppf(1 - alpha, methods, math.inf)) / math.sqrt(2)
    return q * math.sqrt(methods * (methods + 1) / (6 * datasets))
