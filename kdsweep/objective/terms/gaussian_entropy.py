"""The conditional entropy by its variational bound. B rows, D width of the teacher's embedding."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from kdsweep.objective.base import Term
from kdsweep.objective.batch import Batch, Sizes
from kdsweep.objective.critics import HIDDEN, generator
from kdsweep.objective.numerics import inverse_softplus
from kdsweep.objective.terms._entropy import AMID, standardized
from kdsweep.objective.terms._gaussian import gaussian_bound
from kdsweep.objective.terms.variational_information import VariationalInformation


class GaussianEntropy(Term):
    """Conditional entropy by its variational bound with a Gaussian q; not adversarial, the yardstick of the others.

    mean over rows and widths of 1/2 [(t - mu(s))^2 / v + log v], v = softplus(rho) + 1e-5 for each width

    Args:
        width: of the hidden layer of mu.
    """

    papers = (AMID, *VariationalInformation.papers)
    reads = ("student.embedding", "teacher.embedding")

    def __init__(self, *, width: int = HIDDEN, **schedule: Any) -> None:
        super().__init__(**schedule)
        self.width = width

    def setup(self, sizes: Sizes) -> None:
        self.generator = generator(sizes.student, sizes.teacher, self.width)
        self.spread = nn.Parameter(inverse_softplus(1.0).expand(sizes.teacher).clone())

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        target_BD = standardized(batch.of("teacher").embedding.detach())
        return gaussian_bound(self.generator(batch.student.embedding), target_BD, self.spread, rows)
