"""The term on labels, which no ablation removes from the student. B rows, C classes."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kdsweep.objective.outputs import Batch, Outputs, masked_mean
from kdsweep.objective.term import Term, mean_over_auxiliaries


class CrossEntropy(Term):
    """Labels: the mean negative log likelihood of the true class.

    Of several labels the mean of the binary cross entropies, of values the mean squared error.

    Args:
        of: "student", "teacher", or "auxiliary": each auxiliary model, then the mean.
    """

    def __init__(self, of: str = "student", **schedule: Any) -> None:
        super().__init__(**schedule)
        self.of, self.reads = of, (f"{of}.logits",)
        if of != "student":
            self.trains = "teacher"

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        def fault(of: Outputs, there: Tensor) -> Tensor:
            return masked_mean(negative_log_likelihood(of.logits, batch.labels, task=self.task), there)

        if self.of != "auxiliary":
            return fault(batch.of(self.of), rows)
        return mean_over_auxiliaries(lambda name, there: fault(batch.auxiliary[name], there), batch, rows)


def negative_log_likelihood(logits_BC: Tensor, labels: Tensor, *, task: str = "classification") -> Tensor:
    """Of the labels, per row: [B]. Of values with a variance of 1/2, less a constant: the squared error."""
    if task == "multilabel":
        return F.binary_cross_entropy_with_logits(logits_BC, labels, reduction="none").mean(1)
    if task == "regression":
        return (logits_BC - labels).square().mean(1)
    return -torch.gather(F.log_softmax(logits_BC, dim=1), 1, labels[:, None])[:, 0]
