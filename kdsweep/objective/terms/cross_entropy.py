"""The term on labels, which no ablation removes from the student. B rows, C classes."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kdsweep.objective.base import Term, mean_over_auxiliaries
from kdsweep.objective.batch import Batch, Outputs, Sizes
from kdsweep.objective.numerics import log_softmax, masked_mean, negative_log_likelihood


class CrossEntropy(Term):
    """Labels: the mean negative log likelihood of the true class.

    Of several labels the mean of the binary cross entropies, of values the mean squared error.

    Smoothed labels give the share `smoothing` to all classes alike (Szegedy et al. 2016, arXiv:1512.00567). Balanced
    ones weigh class c by N / (C n_c), so that the mean weight of the training rows is 1; of several labels, a yes of
    label c by (N - n_c) / n_c. The training recipe says both: they are the same for every arm.

    Args:
        of: "student", "teacher", or "auxiliary": each auxiliary model, then the mean.
    """

    weights: Tensor

    def __init__(self, of: str = "student", **schedule: Any) -> None:
        super().__init__(**schedule)
        self.of, self.reads = of, (f"{of}.logits",)
        self.smoothing, self.balanced = 0.0, False
        if of != "student":
            self.trains = "teacher"

    def setup(self, sizes: Sizes) -> None:
        self.smoothing, self.balanced = sizes.smoothing, sizes.balanced
        if self.balanced:
            assert sizes.labels is not None
            self.register_buffer("weights", class_weights(sizes.labels, sizes.classes))

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        if self.of != "auxiliary":
            return self._blended(batch.of(self.of), batch, rows)
        return mean_over_auxiliaries(
            lambda name, there: self._blended(batch.auxiliary[name], batch, there), batch, rows
        )

    def _blended(self, said: Outputs, batch: Batch, rows: Tensor) -> Tensor:
        """Of rows that are blends of two, each label by its share (Zhang et al. mixup. arXiv:1710.09412)."""
        fault = self._fault(said, batch.labels, rows)
        if batch.mixed is None:
            return fault
        share = batch.mixed.share
        return share * fault + (1 - share) * self._fault(said, batch.mixed.labels, rows)

    def _fault(self, said: Outputs, labels: Tensor, rows: Tensor) -> Tensor:
        if self.task == "regression":
            return masked_mean((said.logits - labels).square().mean(1), rows)
        if self.task == "multilabel":
            target_BC = labels * (1 - self.smoothing) + self.smoothing / 2
            loss_BC = F.binary_cross_entropy_with_logits(said.logits, target_BC, reduction="none")
            weight = torch.where(labels > 0, self.weights, 1.0) if self.balanced else 1.0
            return masked_mean((weight * loss_BC).mean(1), rows)
        loss_B = negative_log_likelihood(said.logits, labels)
        if self.smoothing:
            spread_B = -log_softmax(said.logits).mean(1)
            loss_B = (1 - self.smoothing) * loss_B + self.smoothing * spread_B
        return masked_mean(self.weights[labels] * loss_B if self.balanced else loss_B, rows)


def class_weights(labels: Tensor, classes: int) -> Tensor:
    """[C]: N / (C n_c) of classes [N]; (N - n_c) / n_c of several labels [N, C]. 1 for what never occurs."""
    if labels.dim() == 2:
        count_C = labels.sum(0)
        return torch.where(count_C > 0, (len(labels) - count_C) / count_C.clamp(min=1), 1.0)
    count_C = torch.bincount(labels, minlength=classes).float()
    return torch.where(count_C > 0, len(labels) / (classes * count_C.clamp(min=1)), 1.0)
