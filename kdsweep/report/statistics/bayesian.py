"""A Bayesian test with a region of practical equivalence. Higher is better."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


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
