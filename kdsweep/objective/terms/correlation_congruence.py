"""How one row's error goes with the next one's. B rows, D width."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kdsweep.objective.base import Term
from kdsweep.objective.batch import EMBEDDINGS, Batch, Sizes, both_embeddings
from kdsweep.objective.numerics import masked_mean
from kdsweep.values.paper import Paper


class CorrelationCongruence(Term):
    """Match how each row's error goes with the next row's: mean_{i<B-1} sum_d delta_i delta_{i+1}.

    delta = |e_S(s) - e_T(t)|, both maps linear to 128 and trained. The only term that depends on the batch's order.
    """

    papers = (
        Paper(
            authors=("Peng", "Jin", "Liu", "Zhou", "Wu", "Liu", "Li", "Zhang"),
            title="Correlation Congruence for Knowledge Distillation",
            venue="ICCV",
            year=2019,
            arxiv="1904.01802",
        ),
    )
    reads = EMBEDDINGS
    width = 128

    def setup(self, sizes: Sizes) -> None:
        self.student_map = nn.Linear(sizes.student, self.width)
        self.teacher_map = nn.Linear(sizes.teacher, self.width)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BD, teacher_BD = both_embeddings(batch)
        error_BD = (self.student_map(student_BD) - self.teacher_map(teacher_BD)).abs()
        return neighbour_product(error_BD, rows)


def neighbour_product(error_BD: Tensor, rows: Tensor) -> Tensor:
    """mean_{i<n-1} sum_d e_i e_{i+1} over the n rows that count, in their order."""
    first_B = torch.argsort((~rows).to(torch.int8), stable=True)
    error_BD = error_BD[first_B]
    n = rows.sum()
    follows = torch.arange(1, len(rows), device=rows.device) < n
    return masked_mean((error_BD[:-1] * error_BD[1:]).sum(1), follows)
