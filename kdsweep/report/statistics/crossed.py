"""What paired scores on shared seeds and shared test samples say about a new seed and a new sample.

S seeds, I test units (samples, or groups of them), D[s, i] the difference of two arms. All of it is deterministic.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from kdsweep.report.statistics.intervals import Interval, Spread, quantile


class Squares(NamedTuple):
    """Mean squares of D [S, I]: of seeds, of samples, and of what is left."""

    seed: float
    sample: float
    noise: float


@dataclass(frozen=True)
class Crossed:
    """The interval over seeds and samples, and the mean squares that make it up.

    Attributes:
        seeds, samples: how many of each were seen.
    """

    interval: Interval
    squares: Squares
    seeds: int
    samples: int

    @property
    def seed(self) -> float:
        """Variance between seeds, at least 0."""
        return max((self.squares.seed - self.squares.noise) / self.samples, 0.0)

    @property
    def sample(self) -> float:
        """Variance between samples, at least 0."""
        return max((self.squares.sample - self.squares.noise) / self.seeds, 0.0)

    @property
    def noise(self) -> float:
        """Variance of what is left."""
        return self.squares.noise

    @classmethod
    def of(cls, differences: ArrayLike, *, step: float = 0.0) -> Crossed:
        """The interval for a new seed and a new sample, from D [S, I].

            m = mean(D)    r_s = row means - m    c_i = column means - m    e = residuals
            MS_S = I Σ r² / (S-1)    MS_I = S Σ c² / (I-1)    MS_E = Σ e² / ((S-1)(I-1))

        Args:
            step: what one test sample moves the mean by; 0 where that is not known. Where D does not vary at all, three
                samples that were not seen may still differ ("rule of three"): the error is √3 step.

        Raises:
            ValueError: fewer than two seeds or two samples.
        """
        D = np.asarray(differences, dtype=float)
        if D.ndim != 2 or min(D.shape) < 2:
            raise ValueError(f"an interval over seeds and samples needs at least two of each, got shape {D.shape}")
        S, I = D.shape  # noqa: E741
        m = float(D.mean())
        r, c = D.mean(1) - m, D.mean(0) - m
        e = D - m - r[:, None] - c
        ms_seed = float(I * (r**2).sum() / (S - 1))
        ms_sample = float(S * (c**2).sum() / (I - 1))
        ms_noise = float((e**2).sum() / ((S - 1) * (I - 1)))
        squares = Squares(ms_seed, ms_sample, ms_noise)
        # What is left of a table of equal numbers by rounding is nothing.
        if max(squares) <= 1e-24 * max(1.0, m * m) * S * I:
            squares = Squares(0.0, 3 * step**2 * S * I, 0.0)
        return cls(interval(m, squares, S, I), squares, S, I)

    def planned(self, seeds: int) -> Interval:
        """The interval that this many seeds would give on this test set, were the mean and the variances these.

        The same formula as the interval's own, so that for the seeds at hand it is that interval. MS_S does not change
        with the number of seeds; MS_I does by what samples vary beyond the noise, where they do.
        """
        squares = self.squares._replace(sample=self.squares.sample + (seeds - self.seeds) * self.sample)
        return interval(self.interval.mean, squares, seeds, self.samples)

    def smallest(self, alpha: float) -> float:
        """The smallest difference that this test set can ever show, with any number of seeds."""
        return quantile(1 - alpha / 2, self.samples - 1) * math.sqrt(self.sample / self.samples)

    def detectable(self, alpha: float, power: float = 0.8) -> float:
        """The smallest difference that a study like this one shows with this power, were the variances these."""
        return self.interval.detectable(alpha, power)

    def seeds_to_differ(self, alpha: float, most: int = 500) -> int | None:
        """The fewest seeds that would show this difference at level alpha; None where `most` would not."""
        return self._fewest(lambda interval: interval.p <= alpha, most)

    def seeds_to_equal(self, alpha: float, margin: float, most: int = 500) -> int | None:
        """The fewest seeds that would show equivalence within ±margin; None where `most` would not."""
        return self._fewest(lambda interval: interval.equivalence(margin) <= alpha, most)

    def _fewest(self, enough: Callable[[Interval], bool], most: int) -> int | None:
        # The error falls with every seed, so the answer is found by halving.
        low, high = self.seeds, most
        if high <= low or not enough(self.planned(high)):
            return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if enough(self.planned(middle)) else (middle, high)
        return high


def interval(mean: float, squares: Squares, S: int, I: int) -> Interval:  # noqa: E741
    """The one formula of an interval over S seeds and I samples: of a study, and of a plan for one.

        v = (MS_S + MS_I - MS_E) / (S I), or where that is not above 0 the largest of the three, over S I
        mean ± t(df) √v, with df after Satterthwaite 1946, at least 1

    and never narrower than Student's interval over seeds alone, t(S-1) √(MS_S / (S I)), and over samples alone,
    t(I-1) √(MS_I / (S I)): estimates of variances may be negative, and v be less than its parts.
    """
    seed, sample, noise = (square / (S * I) for square in squares)
    v = seed + sample - noise
    if v <= 0:
        v = max(seed, sample, noise)
    alone = (Spread(math.sqrt(seed), S - 1.0), Spread(math.sqrt(sample), I - 1.0))
    if v <= 0:
        return Interval(mean, 0.0, 1.0, alone)
    df = v**2 / (seed**2 / (S - 1) + sample**2 / (I - 1) + noise**2 / ((S - 1) * (I - 1)))
    return Interval(mean, math.sqrt(v), max(df, 1.0), alone)
