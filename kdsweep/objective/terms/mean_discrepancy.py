"""The maximum mean discrepancy between two embeddings. B rows, N rows of both, D width."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kdsweep.objective.base import Term
from kdsweep.objective.batch import EMBEDDINGS, Batch, Sizes, both_embeddings
from kdsweep.objective.critics import matched
from kdsweep.objective.numerics import masked_mean, other_pairs, pairs, square_distances
from kdsweep.values.paper import Paper


class MeanDiscrepancy(Term):
    """Match the two embeddings' distributions: mean(K_SS + K_TT - K_ST - K_TS), K a sum of five Gaussian kernels.

    Bandwidths are 2^k / 4 times the mean squared distance between rows of both, k = 0 to 4. Where the widths differ, a
    linear map of the student's embedding is trained along.
    """

    papers = (
        Paper(
            authors=("Gretton", "Borgwardt", "Rasch", "Schoelkopf", "Smola"),
            title="A Kernel Two-Sample Test",
            venue="JMLR",
            year=2012,
        ),
    )
    reads = EMBEDDINGS

    def setup(self, sizes: Sizes) -> None:
        self.align: Any = matched(sizes.student, sizes.teacher)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BD, teacher_BD = both_embeddings(batch)
        return mean_discrepancy(self.align(student_BD), teacher_BD, rows)


def mean_discrepancy(student_BD: Tensor, teacher_BD: Tensor, rows: Tensor) -> Tensor:
    all_ND, rows_N = torch.cat([student_BD, teacher_BD]), torch.cat([rows, rows])
    square_NN = square_distances(all_ND)
    width = masked_mean(square_NN.detach(), other_pairs(rows_N)) / 4
    # All rows equal: there is no width, and nothing to match.
    width = torch.where(width > 0, width, 1.0)
    kernel_NN = torch.stack([(-square_NN / (width * 2**k)).exp() for k in range(5)]).sum(0)
    n = len(student_BD)
    corners = kernel_NN[:n, :n] + kernel_NN[n:, n:] - kernel_NN[:n, n:] - kernel_NN[n:, :n]
    return masked_mean(corners, pairs(rows))
