"""Statistics that stand beside the headline interval: other questions, or the same one under other assumptions.

Those that draw take a generator; all others are closed. Higher is better in every function here.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats as scipy_stats

from kdsweep.report.statistics import crossed as stats

Array = NDArray[np.float64]


def wilcoxon(differences: ArrayLike) -> float:
    """Exact two-sided p of the signed-rank test (Wilcoxon 1945): ties share their rank, zeros are left out.

    Raises:
        ValueError: more than 20 differences, where listing every flip takes too long.
    """
    d = np.asarray(differences, dtype=float)
    d = d[d != 0]
    return stats.sign_flip(np.sign(d) * scipy_stats.rankdata(np.abs(d))) if len(d) else 1.0


def effect_size(a: ArrayLike, b: ArrayLike) -> float:
    """Difference of the means over the SD of a run, the root of the two variances' mean (Cohen 1988).

    Infinite where runs do not vary at all; NaN below two runs of either.
    """
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if min(len(x), len(y)) < 2:
        return math.nan
    gap, spread = float(x.mean() - y.mean()), math.sqrt((x.var(ddof=1) + y.var(ddof=1)) / 2)
    return gap / spread if spread else math.copysign(math.inf, gap) if gap else 0.0


def performance_profile(scores: ArrayLike, thresholds: ArrayLike) -> Array:
    """Share of runs that score above each threshold (Agarwal et al. 2021)."""
    above: Array = (np.asarray(scores, dtype=float)[None, :] > np.asarray(thresholds, dtype=float)[:, None]).mean(1)
    return above


class Rope(NamedTuple):
    """Posterior probabilities: a is better by more than the margin, the two are within it, b is better."""

    better: float
    equivalent: float
    worse: float


def signed_rank(differences: ArrayLike, margin: float, rng: np.random.Generator, *, draws: int = 20_000) -> Rope:
    """Bayesian signed-rank test with a region of practical equivalence (Benavoli et al. 2017).

    Weights w ~ Dirichlet(½, 1, …, 1) over a pseudo-difference of 0 and the n differences z; a draw votes for the
    largest of P(z_i + z_j > 2r), P(|z_i + z_j| ≤ 2r) and P(z_i + z_j < -2r) under w × w.
    """
    z = np.concatenate([[0.0], np.asarray(differences, dtype=float)])
    walsh = z[:, None] + z[None, :]
    up, down = (walsh > 2 * margin).astype(float), (walsh < -2 * margin).astype(float)
    w = rng.dirichlet([0.5, *[1.0] * (len(z) - 1)], size=draws)
    better, worse = (np.einsum("ki,ij,kj->k", w, side, w, optimize=True) for side in (up, down))
    votes = np.argmax(np.stack([better, 1 - better - worse, worse]), axis=0)
    return Rope(*(float((votes == side).mean()) for side in range(3)))


def violation(a: ArrayLike, b: ArrayLike, *, steps: int = 1000) -> float:
    """How far a is from stochastic dominance over b: ε_W2 in [0, 1] (Dror et al. 2019).

    ε = ∫ over {t: F_a⁻¹(t) < F_b⁻¹(t)} (F_a⁻¹ - F_b⁻¹)² dt / ∫ (F_a⁻¹ - F_b⁻¹)² dt; 0: a dominates; ½: neither; 1: b
    does. Equal samples give ½.
    """
    t = (np.arange(steps) + 0.5) / steps
    x, y = (_inverse(values, t) for values in (a, b))
    gap = (x - y) ** 2
    total = float(gap.sum())
    return float(gap[x < y].sum() / total) if total else 0.5


def almost_stochastic_order(
    a: ArrayLike, b: ArrayLike, rng: np.random.Generator, *, level: float = 0.95, draws: int = 200
) -> float:
    """Upper bound on `violation` at this level, by bootstrap; below ½ a is almost stochastically larger (Dror 2019).

    ε_min = ε - σ Φ⁻¹(1 - level) / √(nm / (n + m)), with σ² the variance of √(nm / (n + m)) (ε* - ε) over resamples.
    """
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    found = violation(x, y)
    again = [
        violation(rng.choice(x, len(x)), rng.choice(y, len(y)), steps=100) for _ in range(draws)
    ]  # a bootstrap's spread needs no finer steps
    bound = found - float(np.std(again)) * float(scipy_stats.norm.ppf(1 - level))
    return min(max(bound, 0.0), 1.0)


class Ranks(NamedTuple):
    """Average ranks over datasets, 1 the best, and what two of them must differ by.

    Attributes:
        p: of Friedman's test that no rank differs.
        critical: Nemenyi's critical difference at the level that was asked for.
    """

    average: Array
    p: float
    critical: float


def average_ranks(scores: ArrayLike, alpha: float = 0.05) -> Ranks:
    """Ranks of k methods on N datasets, scores [N, k] (Demšar 2006): critical difference q √(k (k + 1) / 6N).

    Raises:
        ValueError: fewer than three methods or two datasets, where Friedman's test says nothing.
    """
    x = np.asarray(scores, dtype=float)
    if x.ndim != 2 or x.shape[0] < 2 or x.shape[1] < 3:
        raise ValueError(f"average ranks need at least two datasets and three methods, got shape {x.shape}")
    N, k = x.shape
    ranks = scipy_stats.rankdata(-x, axis=1)
    tied = bool((ranks == ranks[:, :1]).all())
    p = 1.0 if tied else float(scipy_stats.friedmanchisquare(*x.T).pvalue)
    return Ranks(ranks.mean(0), p, critical_difference(N, k, alpha))


@functools.cache
def critical_difference(datasets: int, methods: int, alpha: float = 0.05) -> float:
    """Nemenyi's, of average ranks of k methods on N datasets: q √(k (k + 1) / 6N) (Demšar 2006).

    q, of the studentised range over √2, takes a quarter of a second.
    """
    q = float(scipy_stats.studentized_range.ppf(1 - alpha, methods, math.inf)) / math.sqrt(2)
    return q * math.sqrt(methods * (methods + 1) / (6 * datasets))


def _inverse(values: ArrayLike, t: Array) -> Array:
    """The empirical quantile function: the smallest value whose share reaches t."""
    ordered = np.sort(np.asarray(values, dtype=float))
    values_at: Array = ordered[np.minimum((t * len(ordered)).astype(int), len(ordered) - 1)]
    return values_at
