"""Whether one arm's runs are stochastically larger than another's. Higher is better."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Array = NDArray[np.float64]


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
    observed = violation(x, y)
    resampled = [
        violation(rng.choice(x, len(x)), rng.choice(y, len(y)), steps=100) for _ in range(draws)
    ]  # a bootstrap's spread needs no finer steps
    bound = observed - float(np.std(resampled)) * float(stats.norm.ppf(1 - level))
    return min(max(bound, 0.0), 1.0)


def _inverse(values: ArrayLike, t: Array) -> Array:
    """The empirical quantile function: the smallest value whose share reaches t."""
    ordered = np.sort(np.asarray(values, dtype=float))
    values_at: Array = ordered[np.minimum((t * len(ordered)).astype(int), len(ordered) - 1)]
    return values_at
