"""Distillation both ways, where two proxies order the classes alike. B rows, C classes, D width."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdsweep.objective.base import Term
from kdsweep.objective.batch import EMBEDDINGS, Batch, Sizes
from kdsweep.objective.numerics import (
    log_softmax,
    masked_mean,
    row_normalized,
    soft_cross_entropy,
    sum_of_kl,
    true_class,
)
from kdsweep.tasks.registry import CLASSES
from kdsweep.values.paper import Paper


class Proxy(nn.Module):
    """Linear, batch normalisation over the rows that count, LeakyReLU(.1), linear to class scores."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.inner = nn.Linear(width, width)
        self.scale, self.shift = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.outer = nn.Linear(width, classes)

    def forward(self, values_BD: Tensor, rows: Tensor) -> Tensor:
        normal_BD = row_normalized(self.inner(values_BD), rows) * self.scale + self.shift
        scores_BC: Tensor = self.outer(F.leaky_relu(normal_BD, 0.1))
        return scores_BC


def kendall(left_BC: Tensor, right_BC: Tensor) -> Tensor:
    """Kendall's tau-b between each row of the two; 0 where a row is constant and so orders nothing: [B]."""
    taus = []
    rows_a_time = max(1, 2**22 // left_BC.shape[1] ** 2)
    for left, right in zip(torch.split(left_BC, rows_a_time), torch.split(right_BC, rows_a_time), strict=True):
        x = torch.sign(left[:, :, None] - left[:, None, :])
        y = torch.sign(right[:, :, None] - right[:, None, :])
        untied = (x.square().sum((1, 2)) * y.square().sum((1, 2))).sqrt()
        taus.append((x * y).sum((1, 2)) / untied.clamp(min=1))
    return torch.cat(taus)


def others_kl(student_BC: Tensor, teacher_BC: Tensor, labels: Tensor) -> Tensor:
    """KL(teacher || student) per row with the true class's score set to 0, not to minus infinity: [B]."""
    kept_BC = ~true_class(student_BC, labels)
    return soft_cross_entropy(student_BC * kept_BC, teacher_BC * kept_BC, 1.0)


class CustomizedLogits(Term):
    """Distil both ways, through a proxy on each side, where the proxies order the classes alike.

        KL(z_T -> p_T) + KL(p_T -> z_T) + KL(z_S -> p_S) + KL(p_S -> z_S) + N(p_S <- p_T) + N(p_T <- p_S)
        KL(a -> b): b learns a, a detached
        N(a <- b) = (1/B) sum_i [tau_i > krc] KL(b_i || a_i) with the true class's score set to 0, b detached

    p_S, p_T are the proxies' scores of the embeddings; tau_i is Kendall's tau-b between p_T[i] and p_S[i]. The teacher
    trains along.

    Args:
        krc: in [-1, 1]; rows whose rank correlation is not above it do not cross over.
    """

    papers = (
        Paper(
            authors=("Huo", "Xu", "Guo", "Wang", "Guo"),
            title="C2KD: Bridging the Modality Gap for Cross-Modal Knowledge Distillation",
            venue="CVPR",
            year=2024,
        ),
    )
    reads = (*EMBEDDINGS, "student.logits", "teacher.logits", "labels")
    tasks = CLASSES
    mixes = False

    krc: Tensor

    def __init__(self, *, krc: float = 0.0, **schedule: Any) -> None:
        super().__init__(krc=krc, **schedule)

    def setup(self, sizes: Sizes) -> None:
        self.student_proxy = Proxy(sizes.student, sizes.classes)
        self.teacher_proxy = Proxy(sizes.teacher, sizes.classes)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BC = self.student_proxy(batch.student.embedding, rows)
        teacher_BC = self.teacher_proxy(batch.of("teacher").embedding, rows)
        crosses = kendall(teacher_BC.detach(), student_BC.detach()) > self.krc
        across_B = others_kl(student_BC, teacher_BC.detach(), batch.labels) + others_kl(
            teacher_BC, student_BC.detach(), batch.labels
        )
        within_B = _both_learn(batch.of("teacher").logits, teacher_BC) + _both_learn(batch.student.logits, student_BC)
        return masked_mean(within_B + torch.where(crosses, across_B, 0.0), rows)


def _both_learn(left_BC: Tensor, right_BC: Tensor) -> Tensor:
    left, right = log_softmax(left_BC), log_softmax(right_BC)
    return sum_of_kl(left.detach(), right) + sum_of_kl(right.detach(), left)
