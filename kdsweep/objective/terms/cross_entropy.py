"""The term on labels, which no ablation removes from the student. B rows, C classes."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from kdsweep.objective.base import Term, mean_over_auxiliaries
from kdsweep.objective.batch import Batch, Outputs, Sizes
from kdsweep.objective.numerics import masked_mean
from kdsweep.tasks.registry import load


class CrossEntropy(Term):
    """Labels, by the task's own loss.

    Of classes the mean negative log likelihood of the true one, of several labels the mean of the binary cross
    entropies, of values the mean squared error.

    Smoothed labels give the share `smoothing` to all classes alike (Szegedy et al. 2016, arXiv:1512.00567). Balanced
    ones weigh class c by N / (C n_c), so that the mean weight of the training rows is 1; of several labels, a yes of
    label c by (N - n_c) / n_c. Rows without a label do not count. The training recipe says both: they are the same
    for every arm.

    Args:
        of: "student", "teacher", or "auxiliary": each auxiliary model, then the mean.
    """

    weights: Tensor

    def __init__(self, of: str = "student", **schedule: Any) -> None:
        super().__init__(**schedule)
        self.of, self.reads = of, (f"{of}.logits", "labels")
        self.smoothing, self.balanced = 0.0, False
        if of != "student":
            self.trains = "teacher"

    def setup(self, sizes: Sizes) -> None:
        self.smoothing, self.balanced = sizes.smoothing, sizes.balanced
        if self.balanced:
            assert sizes.labels is not None
            labels = sizes.labels if sizes.labelled is None else sizes.labels[sizes.labelled]
            self.register_buffer("weights", load(self.task).scores.balanced(labels, sizes.classes))

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
        weights_C = self.weights if self.balanced else None
        loss_B = load(self.task).scores.loss(said.logits, labels, smoothing=self.smoothing, weights_C=weights_C)
        return masked_mean(loss_B, rows)
