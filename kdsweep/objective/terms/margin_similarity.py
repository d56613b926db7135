"""Similarity between rows, weighed by how unsure the teacher is of them. B rows, C classes, D width."""

from __future__ import annotations

import torch
from torch import Tensor

from kdsweep.objective.base import Term
from kdsweep.objective.batch import EMBEDDINGS, Batch, both_embeddings
from kdsweep.objective.numerics import blank, log_softmax
from kdsweep.objective.terms._gram import normalized_gram
from kdsweep.tasks.registry import CLASSES
from kdsweep.values.paper import Paper


class MarginSimilarity(Term):
    """Match similarity matrices, most of all towards rows of which the teacher is unsure.

    sum_ij (rown(s s^T) - rown(t t^T))^2_ij w_j, w = H / sum H, H_j the entropy of the teacher's softmax
    """

    papers = (
        Paper(
            authors=("Wei", "Luo", "Luo"),
            title="MMANet: Margin-aware Distillation and Modality-aware Regularization for Incomplete Multimodal "
            "Learning",
            venue="CVPR",
            year=2023,
            arxiv="2304.08028",
        ),
    )
    reads = (*EMBEDDINGS, "teacher.logits")
    tasks = CLASSES

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BB, teacher_BB = (normalized_gram(values, rows) for values in both_embeddings(batch))
        log_q_BC = log_softmax(batch.of("teacher").logits.detach())
        entropy_B = blank(-(log_q_BC.exp() * log_q_BC).sum(1), rows)
        # A teacher that is sure of every row weighs nothing: its sum of entropies underflows to 0.
        share_B = entropy_B / entropy_B.sum().clamp(min=torch.finfo(entropy_B.dtype).tiny)
        return ((student_BB - teacher_BB).square() * share_B).sum()
