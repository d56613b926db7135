"""Arithmetic on rows of which some do not count, and on logarithms that must not overflow.

Letters in tensor names: B rows of the batch, N rows of anything, C classes, D width.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

# Below so many classes torch's own log_softmax takes three times as long on a CPU: less than what a vector holds.
FEW = 16
# What shorter vectors are divided by, as in torch's own.
SHORTEST = 1e-12


def widen(values: Tensor) -> Tensor:
    """Half precision as float32; everything else as it is."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def masked_mean(values: Tensor, rows: Tensor) -> Tensor:
    """Mean of values [B] over the rows that count [B] bool, or of [B, B] over the pairs that count [B, B].

    Masks multiply, never select: terms are stacked.
    """
    kept = torch.where(rows, values, 0.0)
    return kept.sum() / rows.sum().clamp(min=1)


def log_softmax(scores_BC: Tensor) -> Tensor:
    """log of each row's softmax."""
    if scores_BC.shape[1] >= FEW:
        return F.log_softmax(scores_BC, dim=1)
    below_BC = scores_BC - scores_BC.detach().amax(1, keepdim=True)
    return below_BC - below_BC.exp().sum(1, keepdim=True).log()


def logsumexp(values: Tensor, dim: int | tuple[int, ...], *, keepdim: bool = False) -> Tensor:
    """log of the sum of exponentials; -inf where all values are. torch's own takes every exponential again for its
    gradient, which is a third of its time."""
    # The largest, or a finite number where there is none: -inf less -inf would be NaN.
    highest = values.detach().amax(dim, keepdim=True).clamp(min=torch.finfo(values.dtype).min)
    total = (values - highest).exp().sum(dim, keepdim=True).log() + highest
    return total if keepdim else total.squeeze(dim)


def normalize(values: Tensor, dim: int = 1) -> Tensor:
    """Vectors along an axis divided by their lengths, those below 1e-12 by 1e-12. torch's own divides on the way back
    five times where products do."""
    return values * torch.rsqrt(values.square().sum(dim, keepdim=True).clamp(min=SHORTEST**2))


def blank(values: Tensor, rows: Tensor) -> Tensor:
    """values [B, ...] with zeros in the rows that do not count."""
    return torch.where(rows.view(-1, *[1] * (values.dim() - 1)), values, 0.0)


def mean_of_rows(values_BD: Tensor, rows: Tensor) -> Tensor:
    """[D]: the mean of the rows that count."""
    return blank(values_BD, rows).sum(0) / rows.sum()


def root(values: Tensor) -> Tensor:
    """Square root, and 0 with a gradient of 0 where there is nothing to take it of."""
    above = values > 0
    return torch.where(above, torch.where(above, values, 1.0).sqrt(), 0.0)


def softplus(values: Tensor) -> Tensor:
    """log(1 + e^x). torch's own takes other code for the last few of all values: bits would know their lane."""
    return (values + values.abs()) / 2 + (-values.abs()).exp().log1p()


def square_distances(values_ND: Tensor) -> Tensor:
    """[N, N] squared Euclidean distances by one matrix product; a table [N, N, D] would be what a step waits for.

    0, with a gradient of 0, below the rounding of the difference: there two rows are one, and a root's slope would be
    up to 5e11.
    """
    # No distance depends on where the rows lie together, but what is left of a difference of squares does.
    values_ND = values_ND - values_ND.detach().mean(0)
    squares_N = values_ND.square().sum(1)
    both_NN = squares_N[:, None] + squares_N[None, :]
    apart_NN = both_NN - 2 * values_ND @ values_ND.T
    return torch.where(apart_NN > 8 * torch.finfo(values_ND.dtype).eps * both_NN, apart_NN, 0.0)


def pairs(rows: Tensor) -> Tensor:
    """[B, B] bool: both rows count."""
    return rows[:, None] & rows[None, :]


def other_pairs(rows: Tensor) -> Tensor:
    """[B, B] bool: both rows count, and they are two."""
    return pairs(rows) & ~torch.eye(len(rows), dtype=torch.bool, device=rows.device)


def negative_log_likelihood(logits_BC: Tensor, labels: Tensor) -> Tensor:
    """Of the true classes, per row: [B]."""
    return -torch.gather(log_softmax(logits_BC), 1, labels[:, None])[:, 0]


def soft_cross_entropy(student_BC: Tensor, teacher_BC: Tensor, temperature: Tensor | float) -> Tensor:
    """T^2 KL(teacher || student) at temperature T, per row: [B]."""
    log_p_BC = log_softmax(student_BC / temperature)
    log_q_BC = log_softmax(teacher_BC / temperature)
    return temperature**2 * sum_of_kl(log_q_BC, log_p_BC)


def log_softmax_over(scores_BB: Tensor, columns_BB: Tensor) -> Tensor:
    """log softmax of each row over the columns that count; 0 elsewhere, and in rows without any."""
    hidden_BB = torch.where(columns_BB, scores_BB, -math.inf)
    some_B1 = columns_BB.any(1, keepdim=True)
    # Masked before, not after: a row without columns would be NaN, and NaN * 0 is NaN.
    total_B1 = logsumexp(torch.where(some_B1, hidden_BB, 0.0), 1, keepdim=True)
    return torch.where(columns_BB, scores_BB - total_B1, 0.0)


def mean_where(values_BB: Tensor, mask_BB: Tensor) -> Tensor:
    """Mean of each row over the columns of the mask, 0 where there are none: [B]."""
    kept_BB = torch.where(mask_BB, values_BB, 0.0)
    return kept_BB.sum(1) / mask_BB.sum(1).clamp(min=1)


def same_label(labels: Tensor) -> Tensor:
    return labels[:, None] == labels[None, :]


def log_plus(log_values: Tensor) -> Tensor:
    """log(x + 1e-10) from log x: x itself may be 0, or beyond all bounds, when a softmax saturates."""
    return torch.logaddexp(log_values, torch.full_like(log_values, math.log(1e-10)))


def inverse_softplus(value: float) -> Tensor:
    return torch.tensor(value).expm1().log()


def row_normalized(values_BD: Tensor, rows: Tensor) -> Tensor:
    """Batch normalisation over the rows that count, without running statistics: terms exist in training only."""
    centered_BD = blank(values_BD - mean_of_rows(values_BD, rows), rows)
    return centered_BD * (centered_BD.square().sum(0) / rows.sum() + 1e-5).rsqrt()


def true_class(logits_BC: Tensor, labels: Tensor) -> Tensor:
    """[B, C] bool. Written out: one_hot is refused under torch.func.grad."""
    return labels[:, None] == torch.arange(logits_BC.shape[1], device=labels.device)


def sum_of_kl(log_q_BC: Tensor, log_p_BC: Tensor) -> Tensor:
    """KL(q || p) per row. Written out: kl_div has no batching rule, and a stack of trials would run as a loop."""
    return (log_q_BC.exp() * (log_q_BC - log_p_BC)).sum(1)
