"""Student and teacher trained towards each other's scores. B rows, C classes."""

from __future__ import annotations

from torch import Tensor

from kdsweep.objective.base import Term
from kdsweep.objective.batch import Batch
from kdsweep.objective.numerics import masked_mean
from kdsweep.objective.terms.modality_focus import ModalityFocus


class LogitAgreement(Term):
    """Train student and teacher towards each other's scores: mean (z_S - z_T)^2, with gradients to both."""

    papers = ModalityFocus.papers
    reads = ("student.logits", "teacher.logits")

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        return masked_mean((batch.student.logits - batch.of("teacher").logits).square().mean(1), rows)
