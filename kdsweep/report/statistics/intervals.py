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


class Spread(NamedTuple):
    """A standard error and the degrees of freedom of its t distribution."""

    error: float
    df: float


@dataclass(frozen=True)
class Interval:
    """An estimate with its standard error and the degrees of freedom of its t distribution.

    Attributes:
        beside: spreads that it is never narrower than, at no level, in bounds as in p.
    """

    mean: float
    error: float
    df: float
    beside: tuple[Spread, ...] = ()

    def bounds(self, level: float = 0.95) -> Bounds:
        """mean ± t(df) · error, two-sided and unadjusted; that of 90% lies inside ±margin where `equivalence` is 5%."""
        half = self.half(level)
        return Bounds(self.mean - half, self.mean + half)

    def half(self, level: float = 0.95) -> float:
        """Half its width."""
        return max(quantile(0.5 + level / 2, spread.df) * spread.error for spread in self._spreads)

    @property
    def p(self) -> float:
        """Two-sided p of "no difference"; 1 where nothing varies, which is no certainty."""
        return max(2 * _beyond(abs(self.mean), spread) for spread in self._spreads)

    def equivalence(self, margin: float) -> float:
        """p of "at least `margin` apart": the larger of two one-sided tests (Schuirmann 1987)."""
        return max(_beyond(margin - abs(self.mean), spread) for spread in self._spreads)

    def detectable(self, alpha: float, power: float = 0.8) -> float:
        """The smallest difference that an interval with this error shows at level alpha with this power."""
        return max(
            (quantile(1 - alpha / 2, spread.df) + quantile(power, spread.df)) * spread.error for spread in self._spreads
        )

    def equivalent_within(self, alpha: float, power: float = 0.8) -> float:
        """The smallest margin within which an interval with this error shows equal arms equivalent."""
        return max(
            (quantile(1 - alpha, spread.df) + quantile(0.5 + power / 2, spread.df)) * spread.error
            for spread in self._spreads
        )

    @property
    def _spreads(self) -> tuple[Spread, ...]:
        every = [Spread(self.error, self.df), *self.beside]
        return tuple(spread for spread in every if spread.error > 0) or (Spread(0.0, self.df),)


def _beyond(distance: float, spread: Spread) -> float:
    """One-sided p of a distance; never below a half's where nothing varies."""
    if spread.error == 0:
        return 0.5 if distance >= 0 else 1.0
    return float(stats.t.sf(distance / spread.error, spread.df))


def over(values: ArrayLike) -> Interval:
    """Student's interval for the mean of independent values: the row means of D (seeds only) or its column means."""
    x = np.asarray(values, dtype=float)
    if len(x) < 2:
        raise ValueError(f"an interval needs at least two values, got {len(x)}")
    return Interval(float(x.mean()), float(x.std(ddof=1) / math.sqrt(len(x))), float(len(x) - 1))


def over_folds(means: ArrayLike, *, test: float, train: float, share: bool = True) -> Interval:
    """t over fold means, their variance times (1/F + test/train) in place of 1/F (Nadeau, Bengio 2003).

    Args:
        test, train: samples of a fold.
        share: whether means are shares of a fold's samples. Their variance is then at least the binomial one of a
            single sample, (1 - 1/test) / test²: folds that agree by luck are no certainty.
    """
    x = np.asarray(means, dtype=float)
    if len(x) < 2:
        raise ValueError(f"an interval over folds needs at least two of them, got {len(x)}")
    least = (1 - 1 / test) / test**2 if share else 0.0
    spread = math.sqrt(max(float(x.var(ddof=1)), least) * (1 / len(x) + test / train))
    return Interval(float(x.mean()), spread, float(len(x) - 1))


def quantile(q: float, df: float) -> float:
    """Of Student's t."""
    return float(stats.t.ppf(q, df))
