"""Probabilities at several temperatures, by row, by class and by pair of rows. B rows, C classes."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kdsweep.objective.base import Term
from kdsweep.objective.batch import Batch
from kdsweep.objective.numerics import blank, masked_mean, soft_cross_entropy
from kdsweep.objective.terms._logits import both_logits
from kdsweep.tasks.registry import CLASSES
from kdsweep.values.paper import Paper

MULTI_LEVEL = (2.0, 3.0, 4.0, 5.0, 6.0)


class MultiLevelLogits(Term):
    """Match probabilities at five temperatures, sample by sample, between classes and between samples.

    For each T of 2, 3, 4, 5, 6, with P = softmax(z / T):
        sum:   T^2 KL(P_T || P_S) + |P_S' P_S - P_T' P_T|^2 / C + |P_S P_S' - P_T P_T'|^2 / B, added up
        mean:  the squared differences are averaged over their entries instead; the mean over temperatures and parts

    Args:
        reduction: "sum" (the paper's, of one view) or "mean".
    """

    papers = (Paper(authors=("Jin", "Wang", "Lin"), title="Multi-Level Logit Distillation", venue="CVPR", year=2023),)
    reads = ("student.logits", "teacher.logits")
    tasks = CLASSES

    def __init__(self, *, reduction: str = "sum", **schedule: Any) -> None:
        super().__init__(**schedule)
        self.reduction = reduction

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BC, teacher_BC = both_logits(batch, False)
        n, n_classes = rows.sum(), student_BC.shape[1]
        total = torch.zeros_like(self.weight)
        for temperature in MULTI_LEVEL:
            p_BC, q_BC = (blank(F.softmax(z / temperature, 1), rows) for z in (student_BC, teacher_BC))
            instances = masked_mean(soft_cross_entropy(student_BC, teacher_BC, temperature), rows)
            classes = (p_BC.T @ p_BC - q_BC.T @ q_BC).square().sum()
            samples = (p_BC @ p_BC.T - q_BC @ q_BC.T).square().sum()
            if self.reduction == "sum":
                total = total + instances + classes / n_classes + samples / n
            else:
                total = total + (instances + classes / n_classes**2 + samples / n**2) / (3 * len(MULTI_LEVEL))
        return total
