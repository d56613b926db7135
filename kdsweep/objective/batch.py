"""What a network shows a loss, and what a loss sees of one batch.

Letters in tensor names: B rows of the batch, C classes, D embedding width.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from kdsweep.objective.numerics import widen

EMBEDDINGS = ("student.embedding", "teacher.embedding")


class Outputs(NamedTuple):
    """What one network says about one batch.

    Attributes:
        logits: [B, C] scores of classes or labels, or predicted values.
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

    def widen(self) -> Outputs:
        features = {name: widen(feature) for name, feature in self.features.items()}
        return Outputs(widen(self.logits), widen(self.embedding), self.present, features)


class Mixed(NamedTuple):
    """Rows that are blends of two (mixup): `share` of the row of `Batch.labels`, the rest of a row of `labels`.

    Attributes:
        labels: as `Batch.labels`.
        share: 0-dim, in [0, 1].
    """

    labels: Tensor
    share: Tensor


class Batch(NamedTuple):
    """All that a term may read.

    Attributes:
        student: what the student says.
        labels: [B] int64 classes; float [B, C] of 0 and 1 (multilabel) or of values (regression); zeros where a row has
            none.
        samples: [B] int64, the rows' places in the training set, for terms that remember samples.
        progress: 0-dim float in [0, 1], the share of training already done.
        teacher: None where the method has none. A frozen teacher's outputs carry no gradient.
        auxiliary: the auxiliary models' outputs, by modality.
        draws: random numbers that the term itself asked for, in `Term.draw`.
        teacher_head: the teacher's map from embedding [B, D] to logits [B, C], for terms that look through it.
        mixed: None where every row is one row of the data.
        labelled: [B] bool, the rows that have a label; None where all of the training set have one.
    """

    student: Outputs
    labels: Tensor
    samples: Tensor
    progress: Tensor
    teacher: Outputs | None = None
    auxiliary: Mapping[str, Outputs] = {}
    draws: Mapping[str, Tensor] = {}
    teacher_head: Callable[[Tensor], Tensor] | None = None
    mixed: Mixed | None = None
    labelled: Tensor | None = None

    def detach(self) -> Batch:
        """The same batch, through which no gradient flows: what a critic trains on."""
        return self._replace(
            student=self.student.detach(),
            teacher=self.teacher.detach() if self.teacher is not None else None,
            auxiliary={name: outputs.detach() for name, outputs in self.auxiliary.items()},
        )

    def widen(self) -> Batch:
        """The same batch with nothing below float32: losses under autocast."""
        return self._replace(
            student=self.student.widen(),
            labels=widen(self.labels),
            teacher=self.teacher.widen() if self.teacher is not None else None,
            auxiliary={name: outputs.widen() for name, outputs in self.auxiliary.items()},
        )

    def of(self, source: str) -> Outputs:
        """The outputs of "student", "teacher", or the auxiliary model of a modality."""
        if source == "student":
            return self.student
        outputs = self.teacher if source == "teacher" else self.auxiliary[source]
        assert outputs is not None
        return outputs

    def there(self, source: str) -> Tensor:
        """[B] bool: the rows that have "labels", "student", "teacher", the model of a modality, or any "auxiliary"."""
        if source == "labels":
            return self.labelled if self.labelled is not None else torch.ones_like(self.student.present)
        return self.any_auxiliary() if source == "auxiliary" else self.of(source).present

    def any_auxiliary(self) -> Tensor:
        """[B] bool: at least one auxiliary modality is present."""
        there = [outputs.present for outputs in self.auxiliary.values()]
        return functools.reduce(operator.or_, there or [torch.zeros_like(self.student.present)])


class Sizes(NamedTuple):
    """What a term must know to make its projections, banks and critics.

    Attributes:
        student, teacher: embedding widths; teacher is 0 where there is none.
        classes: width of the logits.
        samples: rows of the training set.
        auxiliary: embedding widths by modality.
        features: shapes of inner layers without the batch axis, by "student.name" or "teacher.name".
        labels: the training set's labels [samples] or [samples, C], for terms that draw samples of other classes.
        labelled: [samples] bool, which of them there are; None where all are.
        task: what the labels are.
        smoothing: share of every label that goes to all classes alike.
        mixed: whether rows are blends of two.
        balanced: whether every class weighs the same in the label losses, however rare it is.
    """

    student: int
    classes: int
    samples: int
    teacher: int = 0
    auxiliary: Mapping[str, int] = {}
    features: Mapping[str, tuple[int, ...]] = {}
    labels: Tensor | None = None
    task: str = "classification"
    smoothing: float = 0.0
    balanced: bool = False
    mixed: bool = False
    labelled: Tensor | None = None

    def width(self, source: str) -> int:
        """Embedding width of "student", "teacher", or the auxiliary model of a modality."""
        if source == "student":
            return self.student
        return self.teacher if source == "teacher" else self.auxiliary[source]


def both_embeddings(batch: Batch) -> tuple[Tensor, Tensor]:
    """The student's [B, Ds] and the teacher's [B, Dt], which is a target: no gradient reaches it."""
    return batch.student.embedding, batch.of("teacher").embedding.detach()
