"""A Gaussian guess of one embedding from another, with a variance that is learnt. B rows, D width."""

from __future__ import annotations

from torch import Tensor

from kdsweep.objective.numerics import masked_mean, softplus

VARIANCE_FLOOR = 1e-5


def gaussian_bound(guess_BD: Tensor, target_BD: Tensor, spread_D: Tensor, rows: Tensor) -> Tensor:
    """Mean of 1/2 [(t - mu)^2 / v + log v], v = softplus(spread) + 1e-5."""
    # softplus, not log(1 + exp): that overflows.
    variance_D = softplus(spread_D) + VARIANCE_FLOOR
    return masked_mean(((target_BD - guess_BD).square() / variance_D + variance_D.log()).mean(1) / 2, rows)
