"""The teacher's softened scores. B rows, C classes."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kdsweep.objective.base import Term
from kdsweep.objective.batch import CLASSES, Batch
from kdsweep.objective.numerics import masked_mean
from kdsweep.objective.terms._logits import LOGIT_STANDARDIZATION, both_logits, soft_cross_entropy
from kdsweep.values.paper import Paper

HINTON = Paper(
    authors=("Hinton", "Vinyals", "Dean"),
    title="Distilling the Knowledge in a Neural Network",
    year=2015,
    arxiv="1503.02531",
)


def soft_binary_cross_entropy(student_BC: Tensor, teacher_BC: Tensor, temperature: Tensor | float) -> Tensor:
    """T^2 KL(teacher || student) of yes and no at temperature T, mean over the labels, per row: [B]."""
    kl_BC = torch.zeros_like(student_BC)
    for sign in (1.0, -1.0):
        log_p_BC, log_q_BC = (F.logsigmoid(sign * logits / temperature) for logits in (student_BC, teacher_BC))
        kl_BC = kl_BC + log_q_BC.exp() * (log_q_BC - log_p_BC)
    return temperature**2 * kl_BC.mean(1)


class SoftLogits(Term):
    """Match the teacher's softened class distribution.

    Of several labels, that of each (mean over labels); of values, the values (squared error, without a temperature).

    Args:
        temperature: above 0; larger values weigh the wrong classes more.
        standardize: compare logits by their order and shape alone: each row is standardised first.
    """

    papers: tuple[Paper, ...] = (HINTON,)
    reads = ("student.logits", "teacher.logits")

    temperature: Tensor

    def __init__(self, temperature: float = 4.0, *, standardize: bool = False, **schedule: Any) -> None:
        super().__init__(temperature=temperature, **schedule)
        self.standardize = standardize
        if standardize:
            self.papers, self.tasks = (HINTON, LOGIT_STANDARDIZATION), CLASSES

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BC, teacher_BC = both_logits(batch, self.standardize)
        if self.task == "regression":
            return masked_mean((student_BC - teacher_BC).square().mean(1), rows)
        if self.task == "multilabel":
            return masked_mean(soft_binary_cross_entropy(student_BC, teacher_BC, self.temperature), rows)
        return masked_mean(soft_cross_entropy(student_BC, teacher_BC, self.temperature), rows)
