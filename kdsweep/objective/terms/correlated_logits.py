"""Correlation with the teacher's probabilities, in rows and in classes. B rows, C classes."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from kdsweep.objective.base import Term
from kdsweep.objective.batch import Batch
from kdsweep.objective.numerics import blank, masked_mean, mean_of_rows
from kdsweep.objective.terms._logits import both_logits
from kdsweep.tasks.registry import CLASSES
from kdsweep.values.paper import Paper


def correlation(left: Tensor, right: Tensor, dim: int) -> Tensor:
    """Cosine of two centered tensors along `dim`, with 1e-8 added to the product of the lengths."""
    lengths = left.norm(dim=dim) * right.norm(dim=dim)
    cosine: Tensor = (left * right).sum(dim) / (lengths + 1e-8)
    return cosine


class CorrelatedLogits(Term):
    """Correlate with the teacher's probabilities, within each sample and within each class over the batch.

    T^2 [beta (1 - mean_i rho(p_S[i], p_T[i])) + gamma (1 - mean_c rho(p_S[:, c], p_T[:, c]))]

    Args:
        temperature: above 0.
        beta, gamma: weights of the two parts.
    """

    papers = (
        Paper(
            authors=("Huang", "You", "Wang", "Qian", "Xu"),
            title="Knowledge Distillation from A Stronger Teacher",
            venue="NeurIPS",
            year=2022,
            arxiv="2205.10536",
        ),
    )
    reads = ("student.logits", "teacher.logits")
    tasks = CLASSES

    temperature: Tensor
    beta: Tensor
    gamma: Tensor

    def __init__(self, *, temperature: float = 1.0, beta: float = 1.0, gamma: float = 1.0, **schedule: Any) -> None:
        super().__init__(temperature=temperature, beta=beta, gamma=gamma, **schedule)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        p_BC, q_BC = (F.softmax(logits / self.temperature, 1) for logits in both_logits(batch, False))
        within_rows = correlation(p_BC - p_BC.mean(1, keepdim=True), q_BC - q_BC.mean(1, keepdim=True), 1)
        within_classes = correlation(_less_row_mean(p_BC, rows), _less_row_mean(q_BC, rows), 0)
        parts = self.beta * (1 - masked_mean(within_rows, rows)) + self.gamma * (1 - within_classes.mean())
        return self.temperature**2 * parts


def _less_row_mean(values_BC: Tensor, rows: Tensor) -> Tensor:
    return blank(values_BC - mean_of_rows(values_BC, rows), rows)
