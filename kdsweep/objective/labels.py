"""The term on labels, which no ablation removes from the student. B rows, C classes."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kdsweep.objective.outputs import Batch, masked_mean
from kdsweep.objective.term import Term, mean_over_auxiliaries


class CrossEntropy(Term):
    """Labels: the mean negative log likelihood of the true class.

    Float labels are taken for what they are: [B, C] are yes or no for each class (mean of the binary cross entropies),
    [B] are values (mean squared error).

    Args:
        of: "student", "teacher", or "auxiliary": each auxiliary model, then the mean.
    """

    def __init__(self, of: str = "student", **schedule: Any) -> None:
        super().__init__(**schedule)
        self.of, self.reads = of, (f"{of}.logits",)
        if of != "student":
            self.trains = "teacher"

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        if self.of != "auxiliary":
            return masked_mean(negative_log_likelihood(batch.of(self.of).logits, batch.labels), rows)
        return mean_over_auxiliaries(
            lambda name, there: masked_mean(negative_log_likelihood(batch.auxiliary[name].logits, batch.labels), there),
            batch,
            rows,
        )


def negative_log_likelihood(logits_BC: Tensor, labels: Tensor) -> Tensor:
    """Of the labels, per row: [B]."""
    if not labels.is_floating_point():
        return -torch.gather(F.log_softmax(logits_BC, dim=1), 1, labels[:, None])[:, 0]
    if labels.dim() == 2:
        return F.binary_cross_entropy_with_logits(logits_BC, labels, reduction="none").mean(1)
    return (logits_BC[:, 0] - labels).square()
