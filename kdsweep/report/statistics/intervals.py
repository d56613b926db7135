"""An estimate with its error, and Student's interval for the mean of independent values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


class Bounds(NamedTuple):
    low: float
    high: float


@dataclass(frozen=True)
class Interval:
    """An estimate with its standard error and the degrees of freedom of its t distribution."""

    mean: float
    error: float
    df: float

    def bounds(self, level: float = 0.95) -> Bounds:
        """mean ± t(df) · error, two-sided and unadjusted."""
        half = quantile(0.5 + level / 2, self.df) * self.error
        return Bounds(self.mean - half, self.mean + half)

    @property
    def p(self) -> float:
        """Two-sided p of "no difference"."""
        if self.error == 0:
            return 1.0 if self.mean == 0 else 0.0
        return float(2 * stats.t.sf(abs(self.mean) / self.error, self.df))

    def equivalence(self, margin: float) -> float:
        """p of "at least `margin` apart": the larger of two one-sided tests (Schuirmann 1987)."""
        room = margin - abs(self.mean)
        if self.error == 0:
            return 0.0 if room > 0 else 1.0
        return float(stats.t.sf(room / self.error, self.df))


def over(values: ArrayLike) -> Interval:
    """Student's interval for the mean of independent values: the row means of D (seeds only) or its column means."""
    x = np.asarray(values, dtype=float)
    if len(x) < 2:
        raise ValueError(f"an interval needs at least two values, got {len(x)}")
    return Interval(float(x.mean()), float(x.std(ddof=1) / math.sqrt(len(x))), float(len(x) - 1))


def over_folds(means: ArrayLike, *, test: float, train: float) -> Interval:
    """t over fold means, their variance times (1/F + test/train) in place of 1/F (Nadeau, Bengio 2003)."""
    x = np.asarray(means, dtype=float)
    if len(x) < 2:
        raise ValueError(f"an interval over folds needs at least two of them, got {len(x)}")
    return Interval(float(x.mean()), float(x.std(ddof=1) * math.sqrt(1 / len(x) + test / train)), float(len(x) - 1))


def quantile(q: float, df: float) -> float:
    """Of Student's t."""
    return float(stats.t.ppf(q, df))
