"""Terms made for distillation between modalities. B rows, C classes, D width."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdsweep.objective.base import Term
from kdsweep.objective.batch import (
    CLASSES,
    EMBEDDINGS,
    Batch,
    Sizes,
    both_embeddings,
    log_softmax,
    masked_mean,
    normalize,
    pairs,
)
from kdsweep.objective.contrastive import log_plus, log_softmax_over, mean_where, same_label
from kdsweep.objective.features import matched, row_normalized
from kdsweep.objective.labels import negative_log_likelihood
from kdsweep.objective.logits import soft_cross_entropy, sum_of_kl, true_class


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

    paper = (
        "Chen, Xian, Koepke, Shan, Akata. Distilling Audio-Visual Knowledge by Compositional Contrastive Learning. "
        "CVPR 2021, arXiv:2104.10955"
    )
    reads = (*EMBEDDINGS, "student.logits")
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

    paper = "Huo, Xu, Guo, Wang, Guo. C2KD: Bridging the Modality Gap for Cross-Modal Knowledge Distillation. CVPR 2024"
    reads = (*EMBEDDINGS, "student.logits", "teacher.logits")
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
