"""A Gaussian bound on information between embeddings. B rows, D width."""

from __future__ import annotations

from torch import Tensor, nn

from kdsweep.objective.base import Term
from kdsweep.objective.batch import EMBEDDINGS, Batch, Sizes, both_embeddings
from kdsweep.objective.numerics import inverse_softplus
from kdsweep.objective.terms._gaussian import VARIANCE_FLOOR, gaussian_bound
from kdsweep.values.paper import Paper


class VariationalInformation(Term):
    """Gaussian bound on the information that the student has of the teacher's embedding.

    mean of 1/2 [(t - mu(s))^2 / v + log v]; mu three linear layers without bias, v = softplus(rho) + 1e-5 for each
    width, 5 at the beginning
    """

    papers = (
        Paper(
            authors=("Ahn", "Hu", "Damianou", "Lawrence", "Dai"),
            title="Variational Information Distillation for Knowledge Transfer",
            venue="CVPR",
            year=2019,
            arxiv="1904.05835",
        ),
    )
    reads = EMBEDDINGS

    def setup(self, sizes: Sizes) -> None:
        width = sizes.teacher
        self.regressor = nn.Sequential(
            nn.Linear(sizes.student, width, bias=False),
            nn.ReLU(),
            nn.Linear(width, width, bias=False),
            nn.ReLU(),
            nn.Linear(width, width, bias=False),
        )
        self.spread = nn.Parameter(inverse_softplus(5.0 - VARIANCE_FLOOR).expand(width).clone())

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BD, teacher_BD = both_embeddings(batch)
        return gaussian_bound(self.regressor(student_BD), teacher_BD, self.spread, rows)
