"""The teacher's probabilities, with the true class raised by a power. B rows, C classes."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from kdsweep.objective.base import Term
from kdsweep.objective.batch import Batch
from kdsweep.objective.numerics import log_softmax, masked_mean, true_class
from kdsweep.objective.terms._logits import both_logits
from kdsweep.tasks.registry import CLASSES
from kdsweep.values.paper import Paper


class OneForAll(Term):
    """Cross entropy to the teacher's probabilities, in which the true class is raised by a power.

    mean_i sum_c -((p_T + m)^epsilon - m) log p_S, m = 1 for the true class and 0 elsewhere

    Args:
        epsilon: from 1 up; more is more weight on the true class.
    """

    papers = (
        Paper(
            authors=("Hao", "Guo", "Han", "Tang", "Hu", "Wang", "Xu"),
            title="One-for-All: Bridge the Gap Between Heterogeneous Architectures in Knowledge Distillation",
            venue="NeurIPS",
            year=2023,
            arxiv="2310.19444",
        ),
    )
    reads = ("student.logits", "teacher.logits", "labels")
    tasks = CLASSES
    mixes = False

    epsilon: Tensor

    def __init__(self, *, epsilon: float = 1.0, **schedule: Any) -> None:
        super().__init__(epsilon=epsilon, **schedule)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BC, teacher_BC = both_logits(batch, False)
        true_BC = true_class(student_BC, batch.labels).to(student_BC.dtype)
        goal_BC = (F.softmax(teacher_BC, 1) + true_BC).pow(self.epsilon) - true_BC
        return masked_mean(-(goal_BC * log_softmax(student_BC)).sum(1), rows)
