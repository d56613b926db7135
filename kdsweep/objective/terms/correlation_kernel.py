"""How rows of a batch lie to each other, by a Gaussian kernel. B rows, D width."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from kdsweep.objective.base import Term
from kdsweep.objective.batch import EMBEDDINGS, Batch, both_embeddings
from kdsweep.objective.numerics import masked_mean, normalize, pairs
from kdsweep.objective.terms.correlation_congruence import CorrelationCongruence


class CorrelationKernel(Term):
    """Match the batch's Gaussian kernels: mean_ij (K_S - K_T)^2, K the Taylor form of order 2 on unit rows.

    K(x, y) = sum_{p<=2} exp(-2 gamma) (2 gamma)^p / p! <x, y>^p

    Args:
        gamma: above 0, the kernel's sharpness.
    """

    papers = CorrelationCongruence.papers
    reads = EMBEDDINGS

    gamma: Tensor

    def __init__(self, *, gamma: float = 0.4, **schedule: Any) -> None:
        super().__init__(gamma=gamma, **schedule)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BB, teacher_BB = (self._kernel(values) for values in both_embeddings(batch))
        return masked_mean((student_BB - teacher_BB).square(), pairs(rows))

    def _kernel(self, values_BD: Tensor) -> Tensor:
        unit_BD = normalize(values_BD, dim=1)
        x_BB = 2 * self.gamma * unit_BD @ unit_BD.T
        return (-2 * self.gamma).exp() * (1 + x_BB + x_BB.square() / 2)
