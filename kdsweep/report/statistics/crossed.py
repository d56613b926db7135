"""What paired scores on shared seeds and shared test samples say about a new seed and a new sample.

S seeds, I test units (samples, or groups of them), D[s, i] the difference of two arms. All of it is deterministic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Array = NDArray[np.float64]


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

    def planned(self, seeds: int) -> Interval:
        """The interval that this many seeds would give on this test set, were the mean and the variances these."""
        error, df = _satterthwaite(
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


def crossed(differences: ArrayLike) -> Crossed:
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
    error, df = _satterthwaite(ms_seed, ms_sample, ms_noise, S, I)
    return Crossed(
        Interval(m, error, df),
        seed=max((ms_seed - ms_noise) / I, 0.0),
        sample=max((ms_sample - ms_noise) / S, 0.0),
        noise=ms_noise,
        seeds=S,
        samples=I,
    )


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


def holm(p: Sequence[float]) -> list[float]:
    """p values adjusted for being a family (Holm 1979), in the order given."""
    adjusted, reached = [0.0] * len(p), 0.0
    for rank, position in enumerate(np.argsort(p, kind="stable")):
        reached = max(reached, min(1.0, (len(p) - rank) * p[position]))
        adjusted[position] = reached
    return adjusted


def level(look: int, alpha: float = 0.05) -> float:
    """What look number `look` is tested at: alpha for the first, alpha / 2^look once the seeds grew."""
    return alpha if look <= 1 else alpha / 2**look


def sign_flip(differences: ArrayLike) -> float:
    """Two-sided p of the paired differences' mean under all 2^n sign flips; never below 2^(1-n).

    Raises:
        ValueError: more than 20 differences, where listing every flip takes too long.
    """
    d = np.asarray(differences, dtype=float)
    if len(d) > 20:
        raise ValueError(f"the exact test lists 2^n flips and takes at most 20 differences, got {len(d)}")
    sums = np.zeros(1)
    for value in d:
        sums = np.concatenate([sums + value, sums - value])
    # Equal sums reached in another order of adding differ in their last bits.
    return float((np.abs(sums) >= abs(d.sum()) * (1 - 1e-12)).mean())


def reaches(n: int, alpha: float, family: int = 1) -> bool:
    """Whether a sign-flip or Wilcoxon test on n pairs can be significant at all in a Holm family of this size."""
    return 2.0 ** (1 - n) <= alpha / family


def interquartile_mean(values: ArrayLike) -> float:
    """Mean of the middle half (Agarwal et al. 2021): less moved by a collapsed run than the mean."""
    return float(stats.trim_mean(np.asarray(values, dtype=float), 0.25))


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


def detectable(
    seeds: int,
    samples: int,
    *,
    disagreement: float = 0.1,
    shared: float = 0.5,
    seed_sd: float = 0.005,
    groups: int | None = None,
    correlation: float = 0.1,
    alpha: float = 0.05,
    power: float = 0.8,
) -> float:
    """The smallest difference, as a share, that such a study shows with this power: for planning, before any run.

    Args:
        disagreement: the share of test samples on which two arms' runs of one seed disagree.
        shared: how much of that is a property of the sample; the rest differs from seed to seed.
        seed_sd: spread over seeds of the true difference, as a share.
        groups: how many groups the samples fall into, where the dataset names them.
        correlation: of the differences within a group.

    Returns:
        (t(1 - alpha/2) + t(power)) · √v, with v and df those of the crossed interval; infinite below three seeds, two
        samples or two groups, where no verdict is given.
    """
    if not _shows(seeds, samples, groups):
        return math.inf
    error, df = _plan(seeds, samples, disagreement, shared, seed_sd, groups, correlation)
    return (quantile(1 - alpha / 2, df) + quantile(power, df)) * error


def equivalent_within(
    seeds: int,
    samples: int,
    *,
    disagreement: float = 0.1,
    shared: float = 0.5,
    seed_sd: float = 0.005,
    groups: int | None = None,
    correlation: float = 0.1,
    alpha: float = 0.05,
    power: float = 0.8,
) -> float:
    """The smallest ±r within which such a study shows two equal arms equivalent; arguments as in `detectable`."""
    if not _shows(seeds, samples, groups):
        return math.inf
    error, df = _plan(seeds, samples, disagreement, shared, seed_sd, groups, correlation)
    return (quantile(1 - alpha, df) + quantile(0.5 + power / 2, df)) * error


def quantile(q: float, df: float) -> float:
    """Of Student's t."""
    return float(stats.t.ppf(q, df))


def _shows(seeds: int, samples: int, groups: int | None) -> bool:
    return seeds >= 3 and min(samples, samples if groups is None else groups) >= 2


def _plan(
    seeds: int,
    samples: int,
    disagreement: float,
    shared: float,
    seed_sd: float,
    groups: int | None,
    correlation: float,
) -> tuple[float, float]:
    units = samples if groups is None else groups
    size = samples / units
    # A mean over a group's samples: what they share does not average out.
    sample = disagreement * shared * (1 + (size - 1) * correlation) / size
    noise = disagreement * (1 - shared) / size
    return _satterthwaite(noise + units * seed_sd**2, noise + seeds * sample, noise, seeds, units)


def _satterthwaite(ms_seed: float, ms_sample: float, ms_noise: float, S: int, I: int) -> tuple[float, float]:  # noqa: E741
    """Standard error and degrees of freedom from the three mean squares."""
    v = (ms_seed + ms_sample - ms_noise) / (S * I)
    if v <= 0:
        v = max(ms_seed, ms_sample, ms_noise) / (S * I)
    if v <= 0:
        return 0.0, 1.0
    parts = [(ms_seed, S - 1), (ms_sample, I - 1), (ms_noise, (S - 1) * (I - 1))]
    df = v**2 / sum((ms / (S * I)) ** 2 / free for ms, free in parts)
    return math.sqrt(v), max(df, 1.0)
