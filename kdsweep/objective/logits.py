"""Terms on class scores. B rows, C classes."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kdsweep.objective.outputs import Batch, masked_mean
from kdsweep.objective.term import Term


def soft_cross_entropy(student_BC: Tensor, teacher_BC: Tensor, temperature: Tensor) -> Tensor:
    """T^2 KL(teacher || student) at temperature T, per row: [B]."""
    log_p_BC = F.log_softmax(student_BC / temperature, dim=1)
    log_q_BC = F.log_softmax(teacher_BC / temperature, dim=1)
    # Written out: kl_div has no batching rule, and a stack of trials would run as a loop.
    return temperature**2 * (log_q_BC.exp() * (log_q_BC - log_p_BC)).sum(1)


class CrossEntropy(Term):
    """Labels: the mean negative log likelihood of the true class."""

    reads = ("student.logits",)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        log_p_BC = F.log_softmax(batch.student.logits, dim=1)
        return masked_mean(-torch.gather(log_p_BC, 1, batch.labels[:, None])[:, 0], rows)


class SoftLogits(Term):
    """Match the teacher's softened class distribution.

    Args:
        temperature: above 0; larger values weigh the wrong classes more.
    """

    paper = "Hinton, Vinyals, Dean. Distilling the Knowledge in a Neural Network. arXiv:1503.02531"
    reads = ("student.logits", "teacher.logits")

    temperature: Tensor

    def __init__(self, temperature: float = 4.0, **schedule: Any) -> None:
        super().__init__(temperature=temperature, **schedule)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        assert batch.teacher is not None
        return masked_mean(soft_cross_entropy(batch.student.logits, batch.teacher.logits, self.temperature), rows)
