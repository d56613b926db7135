"""What terms on class scores share. B rows, C classes."""

from __future__ import annotations

from torch import Tensor

from kdsweep.objective.batch import Batch
from kdsweep.objective.numerics import root
from kdsweep.values.paper import Paper

LOGIT_STANDARDIZATION = Paper(
    authors=("Sun", "Ren", "Li", "Wang", "Cao"),
    title="Logit Standardization in Knowledge Distillation",
    venue="CVPR",
    year=2024,
    arxiv="2403.01427",
)


def standardized(logits_BC: Tensor) -> Tensor:
    """Each row less its mean, divided by its (unbiased) standard deviation + 1e-7."""
    centered_BC = logits_BC - logits_BC.mean(1, keepdim=True)
    variance_B1 = centered_BC.square().sum(1, keepdim=True) / (logits_BC.shape[1] - 1)
    return centered_BC / (root(variance_B1) + 1e-7)


def both_logits(batch: Batch, standardize: bool) -> tuple[Tensor, Tensor]:
    """The student's scores and the teacher's, which are a target: no gradient reaches them."""
    student_BC, teacher_BC = batch.student.logits, batch.of("teacher").logits.detach()
    return (standardized(student_BC), standardized(teacher_BC)) if standardize else (student_BC, teacher_BC)
