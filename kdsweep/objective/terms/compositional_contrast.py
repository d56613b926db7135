"""Contrast with a composition of both modalities. B rows, C classes, D width."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from kdsweep.objective.base import Term
from kdsweep.objective.batch import EMBEDDINGS, Batch, Sizes, both_embeddings
from kdsweep.objective.critics import matched
from kdsweep.objective.numerics import (
    log_plus,
    log_softmax,
    log_softmax_over,
    masked_mean,
    mean_where,
    negative_log_likelihood,
    normalize,
    pairs,
    same_label,
)
from kdsweep.tasks.registry import CLASSES
from kdsweep.values.paper import Paper


def label_contrast(left_BD: Tensor, right_BD: Tensor, labels: Tensor, temperature: Tensor, rows: Tensor) -> Tensor:
    """mean_i [mean_{same label} -log(P_ij + 1e-10) + mean_{other label} -log(1 - P_ij + 1e-10)].

    P = softmax_j(nrm(u_i) nrm(v_j) / temperature). Exactly 0 in a batch of one class, which has no others.
    """
    scores_BB = normalize(left_BD, dim=1) @ normalize(right_BD, dim=1).T / temperature
    log_p_BB = log_softmax_over(scores_BB, rows[None, :].expand_as(scores_BB))
    same_BB, counted_BB = same_label(labels), pairs(rows)
    others_BB = counted_BB & ~same_BB
    attract_B = mean_where(-log_plus(log_p_BB), counted_BB & same_BB)
    repel_B = mean_where(-(1 - log_p_BB.exp() + 1e-10).log(), others_BB)
    value = masked_mean(attract_B + repel_B, rows)
    return torch.where(others_BB.any(), value, 0.0)


def half_jeffreys(left_BC: Tensor, right_BC: Tensor, rows: Tensor) -> Tensor:
    """mean_i 1/2 sum_c [p log(p/q + 1e-10) + q log(q/p + 1e-10)] of two softmaxes."""
    log_p_BC, log_q_BC = log_softmax(left_BC), log_softmax(right_BC)
    forward_BC = log_p_BC.exp() * log_plus(log_p_BC - log_q_BC)
    backward_BC = log_q_BC.exp() * log_plus(log_q_BC - log_p_BC)
    return masked_mean((forward_BC + backward_BC).sum(1) / 2, rows)


class Composition(nn.Module):
    """m = a + Linear([nrm a, nrm s]) and its class scores."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.residual = nn.Linear(2 * width, width)
        self.head = nn.Linear(width, classes)

    def forward(self, student_BD: Tensor, teacher_BD: Tensor) -> tuple[Tensor, Tensor]:
        both = torch.cat([normalize(teacher_BD, dim=1), normalize(student_BD, dim=1)], 1)
        mixed_BD = teacher_BD + self.residual(both)
        return mixed_BD, self.head(mixed_BD)


class CompositionalContrast(Term):
    """Contrast the student with a composition of both modalities, and with the teacher.

        student  NCE(s, m) + NCE(m, s) + NCE(s, a) + NCE(a, s) + divergence * J(z_S, z_m)
        head     CE(z_m) + NCE(s, m) + NCE(m, s) + NCE(m, a) + NCE(a, m) + divergence * J(z_S, z_m)

    The value is the sum of both lines; the student gets the gradient of the first alone. Where the widths differ, a
    linear map brings the student's embedding to the teacher's width. A batch of a single class gives 0.

    Args:
        temperature: above 0; the paper's .5 for audio, .1 for images.
        divergence: weight of J.
    """

    papers = (
        Paper(
            authors=("Chen", "Xian", "Koepke", "Shan", "Akata"),
            title="Distilling Audio-Visual Knowledge by Compositional Contrastive Learning",
            venue="CVPR",
            year=2021,
            arxiv="2104.10955",
        ),
    )
    reads = (*EMBEDDINGS, "student.logits", "labels")
    tasks = CLASSES
    mixes = False

    temperature: Tensor
    divergence: Tensor

    def __init__(self, *, temperature: float = 0.5, divergence: float = 1.0, **schedule: Any) -> None:
        super().__init__(temperature=temperature, divergence=divergence, **schedule)

    def setup(self, sizes: Sizes) -> None:
        self.align: Any = matched(sizes.student, sizes.teacher)
        self.composition = Composition(sizes.teacher, sizes.classes)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BD, teacher_BD = both_embeddings(batch)
        student_BD = self.align(student_BD)
        for_student, _ = self.lines(batch.student.logits, student_BD, teacher_BD, batch.labels, rows)
        _, for_head = self.lines(batch.student.logits.detach(), student_BD.detach(), teacher_BD, batch.labels, rows)
        value = for_student + for_head
        several = (pairs(rows) & ~same_label(batch.labels)).any()
        return torch.where(several, value, 0.0)

    def lines(
        self, logits_BC: Tensor, student_BD: Tensor, teacher_BD: Tensor, labels: Tensor, rows: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The student's line and the head's."""
        mixed_BD, mixed_BC = self.composition(student_BD, teacher_BD)

        def both_ways(left_BD: Tensor, right_BD: Tensor) -> Tensor:
            there = label_contrast(left_BD, right_BD, labels, self.temperature, rows)
            return there + label_contrast(right_BD, left_BD, labels, self.temperature, rows)

        shared = both_ways(student_BD, mixed_BD) + self.divergence * half_jeffreys(logits_BC, mixed_BC, rows)
        labelled = masked_mean(negative_log_likelihood(mixed_BC, labels), rows)
        return shared + both_ways(student_BD, teacher_BD), labelled + shared + both_ways(mixed_BD, teacher_BD)
