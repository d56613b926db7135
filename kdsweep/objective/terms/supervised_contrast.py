"""Contrast of classes, within and across student and teacher. N rows of both, B rows of the batch, D width."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kdsweep.objective.base import Term
from kdsweep.objective.batch import EMBEDDINGS, Batch, Sizes, both_embeddings
from kdsweep.objective.critics import PROJECTED_WIDTH, Projections
from kdsweep.objective.numerics import log_softmax_over, masked_mean, mean_where, other_pairs, same_label
from kdsweep.tasks.registry import CLASSES
from kdsweep.values.paper import Paper


def supervised_contrast(units_ND: Tensor, labels_N: Tensor, temperature: Tensor, rows_N: Tensor) -> Tensor:
    """-mean_i mean_{p of i's class} log softmax_{a != i} (z_i z_a / temperature), over unit rows z."""
    others_NN = other_pairs(rows_N)
    log_p_NN = log_softmax_over(units_ND @ units_ND.T / temperature, others_NN)
    return masked_mean(-mean_where(log_p_NN, same_label(labels_N) & others_NN), rows_N)


class SupervisedContrast(Term):
    """Rows of a class attract each other, within and across student and teacher; all others are pushed away.

    Both embeddings through linear maps of their own to 128, divided by their lengths.

    Args:
        temperature: above 0.
    """

    papers = (
        Paper(
            authors=("Khosla", "others"),
            title="Supervised Contrastive Learning",
            venue="NeurIPS",
            year=2020,
            arxiv="2004.11362",
        ),
    )
    reads = (*EMBEDDINGS, "labels")
    tasks = CLASSES
    mixes = False

    temperature: Tensor

    def __init__(self, *, temperature: float = 0.07, **schedule: Any) -> None:
        super().__init__(temperature=temperature, **schedule)

    def setup(self, sizes: Sizes) -> None:
        self.projections = Projections(sizes.student, sizes.teacher, PROJECTED_WIDTH)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        units_ND = torch.cat(self.projections(*both_embeddings(batch)))
        labels_N, rows_N = torch.cat([batch.labels, batch.labels]), torch.cat([rows, rows])
        return supervised_contrast(units_ND, labels_N, self.temperature, rows_N)
