"""What paired scores on shared seeds and shared test samples say about a new seed and a new sample.

S seeds, I test units (samples, or groups of them), D[s, i] the difference of two arms. All of it is deterministic.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kdsweep.report.statistics.intervals import Interval, quantile


@dataclass(frozen=True)
class Crossed:
    """The interval over seeds and samples, and the variances that make it up.

    Attributes:
        seed, sample, noise: variances: between seeds, between samples, and what is left.
        seeds, samples: how many of each were seen.
    """

    interval: Interval
    seed: float
    sample: float
    noise: float
    seeds: int
    samples: int

    @classmethod
    def of(cls, differences: ArrayLike) -> Crossed:
        """The interval for a new seed and a new sample, from D [S, I].

            m = mean(D)    r_s = row means - m    c_i = column means - m    e = residuals
            MS_S = I Σ r² / (S-1)    MS_I = S Σ c² / (I-1)    MS_E = Σ e² / ((S-1)(I-1))
            v = (MS_S + MS_I - MS_E) / (S I), or where that is not above 0 the largest of the three, over S I
            interval = m ± t(df) √v, with df after Satterthwaite 1946, at least 1

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
        error, df = satterthwaite(ms_seed, ms_sample, ms_noise, S, I)
        return cls(
            Interval(m, error, df),
            seed=max((ms_seed - ms_noise) / I, 0.0),
            sample=max((ms_sample - ms_noise) / S, 0.0),
            noise=ms_noise,
            seeds=S,
            samples=I,
        )

    def planned(self, seeds: int) -> Interval:
        """The interval that this many seeds would give on this test set, were the mean and the variances these."""
        error, df = satterthwaite(
            self.noise + self.samples * self.seed, self.noise + seeds * self.sample, self.noise, seeds, self.samples
        )
        return Interval(self.interval.mean, error, df)

    def smallest(self, alpha: float) -> float:
        """The smallest difference that this test set can ever show, with any number of seeds."""
        return quantile(1 - alpha / 2, self.samples - 1) * math.sqrt(self.sample / self.samples)

    def detectable(self, alpha: float, power: float = 0.8) -> float:
        """The smallest difference that a study like this one shows with this power, were the variances these."""
        return (quantile(1 - alpha / 2, self.interval.df) + quantile(power, self.interval.df)) * self.interval.error

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


def satterthwaite(ms_seed: float, ms_sample: float, ms_noise: float, S: int, I: int) -> tuple[float, float]:  # noqa: E741
    """Standard error and degrees of freedom from the three mean squares."""
    v = (ms_seed + ms_sample - ms_noise) / (S * I)
    if v <= 0:
        v = max(ms_seed, ms_sample, ms_noise) / (S * I)
    if v <= 0:
        return 0.0, 1.0
    parts = [(ms_seed, S - 1), (ms_sample, I - 1), (ms_noise, (S - 1) * (I - 1))]
    df = v**2 / sum((ms / (S * I)) ** 2 / free for ms, free in parts)
    return math.sqrt(v), max(df, 1.0)
