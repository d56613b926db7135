"""What runs' scores look like beside their means: the middle half, sizes of effects, the best of n."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Array = NDArray[np.float64]


def interquartile_mean(values: ArrayLike) -> float:
    """Mean of the middle half (Agarwal et al. 2021): less moved by a collapsed run than the mean."""
    return float(stats.trim_mean(np.asarray(values, dtype=float), 0.25))


def effect_size(a: ArrayLike, b: ArrayLike) -> float:
    """Difference of the means over the SD of a run, the root of the two variances' mean (Cohen 1988).

    Infinite where runs do not vary at all; NaN below two runs of either.
    """
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if min(len(x), len(y)) < 2:
        return math.nan
    gap, spread = float(x.mean() - y.mean()), math.sqrt((x.var(ddof=1) + y.var(ddof=1)) / 2)
    return gap / spread if spread else math.copysign(math.inf, gap) if gap else 0.0


def probability_of_improvement(a: ArrayLike, b: ArrayLike) -> float:
    """P(a run of a scores above a run of b), ties half; over all pairs of runs."""
    x, y = np.asarray(a, dtype=float)[:, None], np.asarray(b, dtype=float)[None, :]
    return float((x > y).mean() + (x == y).mean() / 2)


def expected_best(values: ArrayLike, *, draws: ArrayLike | None = None, maximize: bool = True) -> Array:
    """Expected best of n of these values drawn with replacement, for each n in draws or 1 … len (Dodge et al. 2019).

    E[max of n] = Σ_i v_(i) ((i/N)^n - ((i-1)/N)^n) over the values in rising order.
    """
    v = np.sort(np.asarray(values, dtype=float) * (1 if maximize else -1))
    share = np.arange(len(v) + 1) / max(len(v), 1)
    n = np.asarray(np.arange(1, len(v) + 1) if draws is None else draws)[:, None]
    best: Array = ((share[1:] ** n - share[:-1] ** n) * v).sum(1)
    return best if maximize else -best
