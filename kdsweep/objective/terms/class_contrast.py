"""Contrast of the student with the teacher's rows of its class. B rows, D width."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from kdsweep.objective.base import Term
from kdsweep.objective.batch import EMBEDDINGS, Batch, Sizes, both_embeddings
from kdsweep.objective.critics import PROJECTED_WIDTH, Projections
from kdsweep.objective.numerics import log_plus, log_softmax_over, masked_mean, mean_where, normalize, pairs, same_label
from kdsweep.tasks.registry import CLASSES
from kdsweep.values.paper import Paper


def class_contrast(left_BD: Tensor, right_BD: Tensor, labels: Tensor, temperature: Tensor, rows: Tensor) -> Tensor:
    """mean_i mean_{j of i's class} -log(softmax_j(cosine_ij / temperature) + 1e-10)."""
    scores_BB = normalize(left_BD, dim=1) @ normalize(right_BD, dim=1).T / temperature
    log_p_BB = log_softmax_over(scores_BB, rows[None, :].expand_as(scores_BB))
    return masked_mean(-mean_where(log_plus(log_p_BB), same_label(labels) & pairs(rows)), rows)


class ClassContrast(Term):
    """Each student row picks the teacher's rows of its class among all of the batch.

    Both embeddings through linear maps of their own to 128, divided by their lengths.

    Args:
        temperature: above 0.
    """

    papers = (
        Paper(
            authors=("Xia", "others"),
            title="Robust Cross-Modal Knowledge Distillation for Unconstrained Videos",
            year=2023,
            arxiv="2304.07775",
        ),
    )
    reads = (*EMBEDDINGS, "labels")
    tasks = CLASSES
    mixes = False

    temperature: Tensor

    def __init__(self, *, temperature: float = 0.07, **schedule: Any) -> None:
        super().__init__(temperature=temperature, **schedule)

    def setup(self, sizes: Sizes) -> None:
        self.projections = Projections(sizes.student, sizes.teacher, PROJECTED_WIDTH)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BD, teacher_BD = self.projections(*both_embeddings(batch))
        return class_contrast(student_BD, teacher_BD, batch.labels, self.temperature, rows)
