"""Regression of the teacher's embedding through a projector, on a steep scale. B rows, D width."""

from __future__ import annotations

from torch import Tensor, nn

from kdsweep.objective.base import Term
from kdsweep.objective.batch import EMBEDDINGS, Batch, Sizes, both_embeddings
from kdsweep.objective.numerics import row_normalized
from kdsweep.values.paper import Paper


class ProjectedRegression(Term):
    """Regress the teacher's embedding on a steep scale: 2 log sum |s - t|^4.

    s through a linear map; both batch-normalised, without scale and shift.
    """

    papers = (
        Paper(
            authors=("Miles", "Mikolajczyk"),
            title="Understanding the Role of the Projector in Knowledge Distillation",
            venue="AAAI",
            year=2024,
            arxiv="2303.11098",
        ),
    )
    reads = EMBEDDINGS

    def setup(self, sizes: Sizes) -> None:
        self.projection = nn.Linear(sizes.student, sizes.teacher)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BD, teacher_BD = both_embeddings(batch)
        return log_quartic(row_normalized(self.projection(student_BD), rows), row_normalized(teacher_BD, rows))


def log_quartic(student_BD: Tensor, teacher_BD: Tensor) -> Tensor:
    # The floor keeps the slope finite where the two are equal.
    return 2 * ((student_BD - teacher_BD).square().square().sum() + 1e-12).log()
