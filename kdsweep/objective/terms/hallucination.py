"""The teacher's activations, hallucinated from the student's modality. B rows, D width."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from kdsweep.objective.base import Term
from kdsweep.objective.batch import EMBEDDINGS, Batch, Sizes, both_embeddings
from kdsweep.objective.critics import matched
from kdsweep.objective.numerics import masked_mean
from kdsweep.values.paper import Paper


class Hallucination(Term):
    """Match the teacher's activations, squashed: mean_i sum_d (sigmoid(s) - sigmoid(t))^2.

    Where the widths differ, a linear map of the student's embedding is trained along.
    """

    papers = (
        Paper(
            authors=("Hoffman", "Gupta", "Darrell"),
            title="Learning with Side Information through Modality Hallucination",
            venue="CVPR",
            year=2016,
        ),
    )
    reads = EMBEDDINGS

    def setup(self, sizes: Sizes) -> None:
        self.align: Any = matched(sizes.student, sizes.teacher)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BD, teacher_BD = both_embeddings(batch)
        return masked_mean((self.align(student_BD).sigmoid() - teacher_BD.sigmoid()).square().sum(1), rows)
