"""Bounds of mutual information from a critic's scores, in nats.

Letters: B rows of the batch, D width. f [B, B] are scores: f_ii belong together, f_ij do not.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kdsweep.objective.numerics import logsumexp, masked_mean, other_pairs, softplus

# Scores beyond this are clipped in SMILE's partition function: the published value.
CLIP = 5.0


def cross_entropy_of_pairs(f_BB: Tensor, rows: Tensor, *, axis: int = 1) -> Tensor:
    """Mean of logsumexp_j f_ij - f_ii: each row picks its partner among all rows that count; each column on axis 0."""
    # Added, not chosen: ten times faster over [B, B]. Cosines are finite, those of zero-filled rows as well.
    hidden_B = torch.where(rows, 0.0, -math.inf).to(f_BB.dtype)
    return masked_mean(logsumexp(f_BB + hidden_B.unsqueeze(1 - axis), axis) - f_BB.diagonal(), rows)


def infonce_bound(f_BB: Tensor, rows: Tensor) -> Tensor:
    """log N - cross entropy: a lower bound that never exceeds log N."""
    return rows.sum().to(f_BB.dtype).log() - cross_entropy_of_pairs(f_BB, rows)


def nwj_bound(f_BB: Tensor, rows: Tensor) -> Tensor:
    """1 + mean_i (f_ii - 1) - mean_{i!=j} exp(f_ij - 1)."""
    return masked_mean(f_BB.diagonal(), rows) - log_mean_exp_of_others(f_BB - 1, rows).exp()


def dv_bound(f_BB: Tensor, rows: Tensor, *, clip: float = math.inf) -> Tensor:
    """mean_i f_ii - log mean_{i!=j} exp clamp(f_ij, -clip, clip) (Donsker, Varadhan)."""
    return masked_mean(f_BB.diagonal(), rows) - log_mean_exp_of_others(f_BB.clamp(-clip, clip), rows)


def js_bound(f_BB: Tensor, rows: Tensor) -> Tensor:
    """The value of NWJ with the gradient of the Jensen-Shannon objective, which stays bounded."""
    return with_gradient_of(jensen_shannon(f_BB, rows), nwj_bound(f_BB, rows))


def smile_bound(f_BB: Tensor, rows: Tensor) -> Tensor:
    """The Donsker-Varadhan value clipped at 5, with the Jensen-Shannon objective's gradient."""
    return with_gradient_of(jensen_shannon(f_BB, rows), dv_bound(f_BB, rows, clip=CLIP))


def jensen_shannon(f_BB: Tensor, rows: Tensor) -> Tensor:
    """mean_i -softplus(-f_ii) - mean_{i!=j} softplus(f_ij)."""
    return masked_mean(-softplus(-f_BB.diagonal()), rows) - masked_mean(softplus(f_BB), other_pairs(rows))


def log_mean_exp_of_others(f_BB: Tensor, rows: Tensor) -> Tensor:
    others_BB = other_pairs(rows)
    total = logsumexp(torch.where(others_BB, f_BB, -math.inf), (0, 1))
    return total - others_BB.sum().clamp(min=1).to(f_BB.dtype).log()


def with_gradient_of(surrogate: Tensor, value: Tensor) -> Tensor:
    return value.detach() + (surrogate - surrogate.detach())


def club_bound(mean_BD: Tensor, log_variance_BD: Tensor, value_BD: Tensor, rows: Tensor) -> Tensor:
    """mean_i sum_d [-(mu_i - y_i)^2 + mean_j (y_j - mu_i)^2] / (2 exp(log variance)): an upper bound.

    An objective, never an estimate to report: on correlated Gaussians it tends to d rho^2 / (1 - rho^2).
    """
    weight_B1 = (rows / rows.sum().clamp(min=1))[:, None].to(value_BD.dtype)
    center_D = (weight_B1 * value_BD).sum(0)
    # mean_j (y_j - mu)^2 by moments: a [B, B, D] table says the same.
    spread_D = (weight_B1 * (value_BD - center_D).square()).sum(0)
    negative_BD = spread_D + (center_D - mean_BD).square()
    positive_BD = (mean_BD - value_BD).square()
    return masked_mean(((negative_BD - positive_BD) / (2 * log_variance_BD.exp())).sum(1), rows)


def gaussian_log_likelihood(mean_BD: Tensor, log_variance_BD: Tensor, value_BD: Tensor, rows: Tensor) -> Tensor:
    """mean_i sum_d [-(mu - y)^2 / exp(log variance) - log variance]: twice the log likelihood, less a constant."""
    return masked_mean(-((mean_BD - value_BD).square() / log_variance_BD.exp() + log_variance_BD).sum(1), rows)
