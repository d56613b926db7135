"""Regression of the teacher's embedding. B rows, D width."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from kdsweep.objective.base import Term
from kdsweep.objective.batch import EMBEDDINGS, Batch, Sizes, both_embeddings
from kdsweep.objective.numerics import masked_mean
from kdsweep.values.paper import Paper


class Hint(Term):
    """Regress the teacher's embedding: mean over rows and widths of (r(s) - t)^2, r linear.

    Args:
        until: fraction of training after which the term stops; None: never, and the term has no such number.
    """

    papers = (
        Paper(
            authors=("Romero", "Ballas", "Kahou", "Chassang", "Gatta", "Bengio"),
            title="FitNets: Hints for Thin Deep Nets",
            year=2014,
            arxiv="1412.6550",
        ),
    )
    reads = EMBEDDINGS

    until: Tensor

    def __init__(self, until: float | None = None, **schedule: Any) -> None:
        numbers: dict[str, Any] = {} if until is None else {"until": until}
        super().__init__(**numbers, **schedule)
        self.stage = until is not None

    def setup(self, sizes: Sizes) -> None:
        self.regressor = nn.Linear(sizes.student, sizes.teacher)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BD, teacher_BD = both_embeddings(batch)
        return masked_mean((self.regressor(student_BD) - teacher_BD).square().mean(1), rows)

    def height(self, progress: Tensor) -> Tensor:
        height = Term.height(self, progress)
        return height * (progress < self.until) if self.stage else height
