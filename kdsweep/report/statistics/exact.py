"""Exact paired tests: every way in which the differences could have had their signs."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


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


def wilcoxon(differences: ArrayLike) -> float:
    """Exact two-sided p of the signed-rank test (Wilcoxon 1945): ties share their rank, zeros are left out.

    Raises:
        ValueError: more than 20 differences, where listing every flip takes too long.
    """
    d = np.asarray(differences, dtype=float)
    d = d[d != 0]
    return sign_flip(np.sign(d) * stats.rankdata(np.abs(d))) if len(d) else 1.0


def reaches(n: int, alpha: float, family: int = 1) -> bool:
    """Whether a sign-flip or Wilcoxon test on n pairs can be significant at all in a Holm family of this size."""
    return 2.0 ** (1 - n) <= alpha / family
