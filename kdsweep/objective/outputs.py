"""What a network shows a loss, and what a loss sees of one batch.

Letters in tensor names: B rows of the batch, C classes, D embedding width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor


class Outputs(NamedTuple):
    """What one network says about one batch.

    Attributes:
        logits: [B, C] class scores (regression: [B, 1]).
        embedding: [B, D] the layer below the scores.
        present: [B] bool; False where the network had nothing to look at: that row is zero-filled and counts nowhere.
        features: inner layers by name, [B, ...] each.
    """

    logits: Tensor
    embedding: Tensor
    present: Tensor
    features: Mapping[str, Tensor] = {}

    def detach(self) -> Outputs:
        features = {name: feature.detach() for name, feature in self.features.items()}
        return Outputs(self.logits.detach(), self.embedding.detach(), self.present, features)


class Batch(NamedTuple):
    """All that a term may read.

    Attributes:
        student: what the student says.
        labels: [B] int64 classes; multilabel [B, C] and regression [B] are float.
        samples: [B] int64, the rows' places in the training set, for terms that remember samples.
        progress: 0-dim float in [0, 1], the share of training already done.
        teacher: None where the method has none. A frozen teacher's outputs carry no gradient.
        auxiliary: the auxiliary models' outputs, by modality.
        draws: random numbers that the term itself asked for, in `Term.draw`.
        teacher_head: the teacher's map from embedding [B, D] to logits [B, C], for terms that look through it.
    """

    student: Outputs
    labels: Tensor
    samples: Tensor
    progress: Tensor
    teacher: Outputs | None = None
    auxiliary: Mapping[str, Outputs] = {}
    draws: Mapping[str, Tensor] = {}
    teacher_head: Callable[[Tensor], Tensor] | None = None

    def detach(self) -> Batch:
        """The same batch, through which no gradient flows: what a critic trains on."""
        return self._replace(
            student=self.student.detach(),
            teacher=self.teacher.detach() if self.teacher is not None else None,
            auxiliary={name: outputs.detach() for name, outputs in self.auxiliary.items()},
        )


class Sizes(NamedTuple):
    """What a term must know to make its projections, banks and critics.

    Attributes:
        student, teacher: embedding widths; teacher is 0 where there is none.
        classes: width of the logits.
        samples: rows of the training set.
        auxiliary: embedding widths by modality.
        features: shapes of inner layers without the batch axis, by "student.name" or "teacher.name".
        labels: the training set's labels [samples], for terms that draw samples of other classes.
    """

    student: int
    classes: int
    samples: int
    teacher: int = 0
    auxiliary: Mapping[str, int] = {}
    features: Mapping[str, tuple[int, ...]] = {}
    labels: Tensor | None = None


def masked_mean(values: Tensor, rows: Tensor) -> Tensor:
    """Mean of values [B] over the rows that count [B] bool. Masks multiply, never select: terms are stacked."""
    kept = torch.where(rows, values, torch.zeros_like(values))
    return kept.sum() / rows.sum().clamp(min=1)
