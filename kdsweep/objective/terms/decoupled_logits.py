"""Soft logits in two parts: the true class against the rest, and the rest in itself. B rows, C classes."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from kdsweep.objective.base import Term
from kdsweep.objective.batch import Batch
from kdsweep.objective.numerics import log_softmax, logsumexp, masked_mean, sum_of_kl, true_class
from kdsweep.objective.terms._logits import LOGIT_STANDARDIZATION, both_logits
from kdsweep.tasks.registry import CLASSES
from kdsweep.values.paper import Paper

DECOUPLED = Paper(
    authors=("Zhao", "Cui", "Song", "Qiu", "Liang"),
    title="Decoupled Knowledge Distillation",
    venue="CVPR",
    year=2022,
    arxiv="2203.08679",
)


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

    papers: tuple[Paper, ...] = (DECOUPLED,)
    reads = ("student.logits", "teacher.logits", "labels")
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
            self.papers = (DECOUPLED, LOGIT_STANDARDIZATION)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        logits = both_logits(batch, self.standardize)
        target_B = target_divergence(*logits, batch.labels, self.temperature)
        others_B = others_divergence(*logits, batch.labels, self.temperature)
        return masked_mean(self.alpha * target_B + self.beta * others_B, rows)
