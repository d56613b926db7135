"""What a network shows a loss, and what a loss sees of one batch.

Letters in tensor names: B rows of the batch, C classes, D embedding width.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

CLASSES = ("classification", "retrieval")
TASKS = (*CLASSES, "multilabel", "regression")
# Below so many classes torch's own log_softmax takes three times as long on a CPU: less than what a vector holds.
FEW = 16
# What shorter vectors are divided by, as in torch's own.
SHORTEST = 1e-12
EMBEDDINGS = ("student.embedding", "teacher.embedding")


def widen(values: Tensor) -> Tensor:
    """Half precision as float32; everything else as it is."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


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
        labels: [B] int64 classes; float [B, C] of 0 and 1 (multilabel) or of values (regression).
        samples: [B] int64, the rows' places in the training set, for terms that remember samples.
        progress: 0-dim float in [0, 1], the share of training already done.
        teacher: None where the method has none. A frozen teacher's outputs carry no gradient.
        auxiliary: the auxiliary models' outputs, by modality.
        draws: random numbers that the term itself asked for, in `Term.draw`.
        teacher_head: the teacher's map from embedding [B, D] to logits [B, C], for terms that look through it.
        mixed: None where every row is one row of the data.
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

    def width(self, source: str) -> int:
        """Embedding width of "student", "teacher", or the auxiliary model of a modality."""
        if source == "student":
            return self.student
        return self.teacher if source == "teacher" else self.auxiliary[source]


def both_embeddings(batch: Batch) -> tuple[Tensor, Tensor]:
    """The student's [B, Ds] and the teacher's [B, Dt], which is a target: no gradient reaches it."""
    return batch.student.embedding, batch.of("teacher").embedding.detach()


def masked_mean(values: Tensor, rows: Tensor) -> Tensor:
    """Mean of values [B] over the rows that count [B] bool, or of [B, B] over the pairs that count [B, B].

    Masks multiply, never select: terms are stacked.
    """
    kept = torch.where(rows, values, 0.0)
    return kept.sum() / rows.sum().clamp(min=1)


def log_softmax(scores_BC: Tensor) -> Tensor:
    """log of each row's softmax."""
    if scores_BC.shape[1] >= FEW:
        return F.log_softmax(scores_BC, dim=1)
    below_BC = scores_BC - scores_BC.detach().amax(1, keepdim=True)
    return below_BC - below_BC.exp().sum(1, keepdim=True).log()


def logsumexp(values: Tensor, dim: int | tuple[int, ...], *, keepdim: bool = False) -> Tensor:
    """log of the sum of exponentials; -inf where all values are. torch's own takes every exponential again for its
    gradient, which is a third of its time."""
    # The largest, or a finite number where there is none: -inf less -inf would be NaN.
    highest = values.detach().amax(dim, keepdim=True).clamp(min=torch.finfo(values.dtype).min)
    total = (values - highest).exp().sum(dim, keepdim=True).log() + highest
    return total if keepdim else total.squeeze(dim)


def normalize(values: Tensor, dim: int = 1) -> Tensor:
    """Vectors along an axis divided by their lengths, those below 1e-12 by 1e-12. torch's own divides on the way back
    five times where products do."""
    return values * torch.rsqrt(values.square().sum(dim, keepdim=True).clamp(min=SHORTEST**2))


def blank(values: Tensor, rows: Tensor) -> Tensor:
    """values [B, ...] with zeros in the rows that do not count."""
    return torch.where(rows.view(-1, *[1] * (values.dim() - 1)), values, 0.0)


def root(values: Tensor) -> Tensor:
    """Square root, and 0 with a gradient of 0 where there is nothing to take it of."""
    above = values > 0
    return torch.where(above, torch.where(above, values, 1.0).sqrt(), 0.0)


def softplus(values: Tensor) -> Tensor:
    """log(1 + e^x). torch's own takes other code for the last few of all values: bits would know their lane."""
    return (values + values.abs()) / 2 + (-values.abs()).exp().log1p()


def square_distances(values_ND: Tensor) -> Tensor:
    """[N, N] squared Euclidean distances by one matrix product; a table [N, N, D] would be what a step waits for.

    0, with a gradient of 0, below the rounding of the difference: there two rows are one, and a root's slope would be
    up to 5e11.
    """
    # No distance depends on where the rows lie together, but what is left of a difference of squares does.
    values_ND = values_ND - values_ND.detach().mean(0)
    squares_N = values_ND.square().sum(1)
    both_NN = squares_N[:, None] + squares_N[None, :]
    apart_NN = both_NN - 2 * values_ND @ values_ND.T
    return torch.where(apart_NN > 8 * torch.finfo(values_ND.dtype).eps * both_NN, apart_NN, 0.0)


def pairs(rows: Tensor) -> Tensor:
    """[B, B] bool: both rows count."""
    return rows[:, None] & rows[None, :]


def other_pairs(rows: Tensor) -> Tensor:
    """[B, B] bool: both rows count, and they are two."""
    return pairs(rows) & ~torch.eye(len(rows), dtype=torch.bool, device=rows.device)
