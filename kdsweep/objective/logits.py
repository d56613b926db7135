"""Terms on class scores. B rows, C classes."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kdsweep.objective.base import Term
from kdsweep.objective.batch import CLASSES, Batch, blank, log_softmax, logsumexp, masked_mean, root

HINTON = "Hinton, Vinyals, Dean. Distilling the Knowledge in a Neural Network. arXiv:1503.02531"
LOGIT_STANDARDIZATION = (
    "Sun, Ren, Li, Wang, Cao. Logit Standardization in Knowledge Distillation. CVPR 2024, arXiv:2403.01427"
)
DECOUPLED = "Zhao, Cui, Song, Qiu, Liang. Decoupled Knowledge Distillation. CVPR 2022, arXiv:2203.08679"
MULTI_LEVEL = (2.0, 3.0, 4.0, 5.0, 6.0)


def standardized(logits_BC: Tensor) -> Tensor:
    """Each row less its mean, divided by its (unbiased) standard deviation + 1e-7."""
    centered_BC = logits_BC - logits_BC.mean(1, keepdim=True)
    variance_B1 = centered_BC.square().sum(1, keepdim=True) / (logits_BC.shape[1] - 1)
    return centered_BC / (root(variance_B1) + 1e-7)


def soft_cross_entropy(student_BC: Tensor, teacher_BC: Tensor, temperature: Tensor | float) -> Tensor:
    """T^2 KL(teacher || student) at temperature T, per row: [B]."""
    log_p_BC = log_softmax(student_BC / temperature)
    log_q_BC = log_softmax(teacher_BC / temperature)
    return temperature**2 * sum_of_kl(log_q_BC, log_p_BC)


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

    paper = HINTON
    reads = ("student.logits", "teacher.logits")

    temperature: Tensor

    def __init__(self, temperature: float = 4.0, *, standardize: bool = False, **schedule: Any) -> None:
        super().__init__(temperature=temperature, **schedule)
        self.standardize = standardize
        if standardize:
            self.paper, self.tasks = f"{HINTON}; {LOGIT_STANDARDIZATION}", CLASSES

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BC, teacher_BC = both_logits(batch, self.standardize)
        if self.task == "regression":
            return masked_mean((student_BC - teacher_BC).square().mean(1), rows)
        if self.task == "multilabel":
            return masked_mean(soft_binary_cross_entropy(student_BC, teacher_BC, self.temperature), rows)
        return masked_mean(soft_cross_entropy(student_BC, teacher_BC, self.temperature), rows)


def both_logits(batch: Batch, standardize: bool) -> tuple[Tensor, Tensor]:
    """The student's scores and the teacher's, which are a target: no gradient reaches them."""
    student_BC, teacher_BC = batch.student.logits, batch.of("teacher").logits.detach()
    return (standardized(student_BC), standardized(teacher_BC)) if standardize else (student_BC, teacher_BC)


def target_divergence(student_BC: Tensor, teacher_BC: Tensor, labels: Tensor, temperature: Tensor) -> Tensor:
    """T^2 KL(b_T || b_S) per row, b = (p of the true class, p of all others)."""
    log_p, log_q = (_log_binary(logits / temperature, labels) for logits in (student_BC, teacher_BC))
    return temperature**2 * sum_of_kl(log_q, log_p)


def others_divergence(student_BC: Tensor, teacher_BC: Tensor, labels: Tensor, temperature: Tensor) -> Tensor:
    """T^2 KL per row between the distributions over the classes that are not the true one."""
    # 1000 below the rest is no probability at all, in any precision: exp(-1000) is 0.
    hidden_BC = 1000.0 * true_class(student_BC, labels)
    log_p_BC = log_softmax(student_BC / temperature - hidden_BC)
    log_q_BC = log_softmax(teacher_BC / temperature - hidden_BC)
    return temperature**2 * sum_of_kl(log_q_BC, log_p_BC)


def true_class(logits_BC: Tensor, labels: Tensor) -> Tensor:
    """[B, C] bool. Written out: one_hot is refused under torch.func.grad."""
    return labels[:, None] == torch.arange(logits_BC.shape[1], device=labels.device)


def sum_of_kl(log_q_BC: Tensor, log_p_BC: Tensor) -> Tensor:
    """KL(q || p) per row. Written out: kl_div has no batching rule, and a stack of trials would run as a loop."""
    return (log_q_BC.exp() * (log_q_BC - log_p_BC)).sum(1)


def _log_binary(logits_BC: Tensor, labels: Tensor) -> Tensor:
    """[B, 2] log probability of the true class and of the rest, by logsumexp: a student that is wrong for sure has
    a finite loss."""
    true_BC = true_class(logits_BC, labels)
    true_B = torch.where(true_BC, logits_BC, 0.0).sum(1)
    rest_B = logsumexp(torch.where(true_BC, -math.inf, logits_BC), 1)
    return log_softmax(torch.stack([true_B, rest_B], 1))


class DecoupledLogits(Term):
    """Soft logits in two parts with weights of their own: the true class against the rest, and the rest in itself.

    T^2 [alpha KL(b_T || b_S) + beta KL(rest_T || rest_S)]

    Args:
        alpha, beta: weights of the two parts.
        temperature: above 0.
        standardize: compare standardised logits.
    """

    paper = DECOUPLED
    reads = ("student.logits", "teacher.logits")
    tasks = CLASSES
    mixes = False

    alpha: Tensor
    beta: Tensor
    temperature: Tensor

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        beta: float = 8.0,
        temperature: float = 4.0,
        standardize: bool = False,
        **schedule: Any,
    ) -> None:
        super().__init__(alpha=alpha, beta=beta, temperature=temperature, **schedule)
        self.standardize = standardize
        if standardize:
            self.paper = f"{DECOUPLED}; {LOGIT_STANDARDIZATION}"

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        logits = both_logits(batch, self.standardize)
        target_B = target_divergence(*logits, batch.labels, self.temperature)
        others_B = others_divergence(*logits, batch.labels, self.temperature)
        return masked_mean(self.alpha * target_B + self.beta * others_B, rows)


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

    paper = "Huang, You, Wang, Qian, Xu. Knowledge Distillation from A Stronger Teacher. NeurIPS 2022, arXiv:2205.10536"
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
    mean_C = blank(values_BC, rows).sum(0) / rows.sum()
    return blank(values_BC - mean_C, rows)


class MultiLevelLogits(Term):
    """Match probabilities at five temperatures, sample by sample, between classes and between samples.

    For each T of 2, 3, 4, 5, 6, with P = softmax(z / T):
        sum:   T^2 KL(P_T || P_S) + |P_S' P_S - P_T' P_T|^2 / C + |P_S P_S' - P_T P_T'|^2 / B, added up
        mean:  the squared differences are averaged over their entries instead; the mean over temperatures and parts

    Args:
        reduction: "sum" (the paper's, of one view) or "mean".
    """

    paper = "Jin, Wang, Lin. Multi-Level Logit Distillation. CVPR 2023"
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


class OneForAll(Term):
    """Cross entropy to the teacher's probabilities, in which the true class is raised by a power.

    mean_i sum_c -((p_T + m)^epsilon - m) log p_S, m = 1 for the true class and 0 elsewhere

    Args:
        epsilon: from 1 up; more is more weight on the true class.
    """

    paper = (
        "Hao, Guo, Han, Tang, Hu, Wang, Xu. One-for-All: Bridge the Gap Between Heterogeneous Architectures in "
        "Knowledge Distillation. NeurIPS 2023, arXiv:2310.19444"
    )
    reads = ("student.logits", "teacher.logits")
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
