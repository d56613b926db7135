"""The probability that one row of a batch picks another. B rows, D width."""

from __future__ import annotations

import torch
from torch import Tensor

from kdsweep.objective.base import Term
from kdsweep.objective.batch import EMBEDDINGS, Batch, both_embeddings
from kdsweep.objective.numerics import masked_mean, pairs
from kdsweep.values.paper import Paper


class ProbabilisticTransfer(Term):
    """Match the probability that row i picks row j, by cosine: mean_ij P_T log((P_T + 1e-7) / (P_S + 1e-7)).

    P = c / rowsum(c), c = (cosine + 1) / 2. Its gradient shrinks as 1/B: keep the batch size in an ablation.
    """

    papers = (
        Paper(
            authors=("Passalis", "Tefas"),
            title="Learning Deep Representations with Probabilistic Knowledge Transfer",
            venue="ECCV",
            year=2018,
        ),
    )
    reads = EMBEDDINGS

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        p_BB, q_BB = (_choice_probabilities(values, rows) for values in both_embeddings(batch))
        return masked_mean(q_BB * ((q_BB + 1e-7) / (p_BB + 1e-7)).log(), pairs(rows))


def _choice_probabilities(values_BD: Tensor, rows: Tensor) -> Tensor:
    unit_BD = values_BD / (values_BD.norm(dim=1, keepdim=True) + 1e-7)
    kernel_BB = (unit_BD @ unit_BD.T + 1) / 2
    kernel_BB = torch.where(pairs(rows), kernel_BB, 0.0)
    # A row that does not count sums to 0: it is divided by 1 instead.
    total_B1 = torch.where(rows[:, None], kernel_BB.sum(1, keepdim=True), torch.ones_like(kernel_BB[:, :1]))
    return kernel_BB / total_B1
