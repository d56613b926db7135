"""Which rows of a batch are alike. B rows, D width."""

from __future__ import annotations

from torch import Tensor

from kdsweep.objective.base import Term
from kdsweep.objective.batch import EMBEDDINGS, Batch, both_embeddings
from kdsweep.objective.terms._gram import normalized_gram
from kdsweep.values.paper import Paper


class SimilarityPreserving(Term):
    """Match the batch's similarity matrices: (1 / B^2) |rown(s s^T) - rown(t t^T)|^2.

    Its gradient shrinks as 1/B: keep the batch size in an ablation.
    """

    papers = (
        Paper(
            authors=("Tung", "Mori"),
            title="Similarity-Preserving Knowledge Distillation",
            venue="ICCV",
            year=2019,
            arxiv="1907.09682",
        ),
    )
    reads = EMBEDDINGS

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BB, teacher_BB = (normalized_gram(values, rows) for values in both_embeddings(batch))
        return (student_BB - teacher_BB).square().sum() / rows.sum() ** 2
