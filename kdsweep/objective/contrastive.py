"""Contrast beyond the batch, and with labels. B rows, D width, K negatives, N rows of the training set."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from kdsweep.objective.base import Term
from kdsweep.objective.batch import (
    CLASSES,
    EMBEDDINGS,
    Batch,
    Sizes,
    both_embeddings,
    logsumexp,
    masked_mean,
    normalize,
    other_pairs,
    pairs,
)

EPSILON = 1e-7
MOMENTUM = 0.5
# Of the projections in which embeddings are compared.
WIDTH = 128


def noise_contrast(scores_BK: Tensor, samples: int, rows: Tensor) -> Tensor:
    """NCE over scores [B, 1 + K], exponentiated and divided by Z, the positive in column 0; K / N is the noise.

    -mean_i [log(o_0 / (o_0 + K/N + 1e-7)) + sum_k log((K/N) / (o_k + K/N + 1e-7))]
    """
    noise = (scores_BK.shape[1] - 1) / samples
    positive_B, negative_BK = scores_BK[:, 0], scores_BK[:, 1:]
    found_B = (positive_B / (positive_B + noise + EPSILON)).log()
    refused_B = (noise / (negative_BK + noise + EPSILON)).log().sum(1)
    return masked_mean(-(found_B + refused_B), rows)


class MemoryBank(nn.Module):
    """CRD's memory: the last projections of every training row, on both sides, and the constants Z of the first batch.

    Args:
        width: of the projections.
        negatives: K, at most as many as there are rows outside the largest class.
    """

    left: Tensor
    right: Tensor
    left_z: Tensor
    right_z: Tensor
    order: Tensor
    group: Tensor
    start: Tensor
    count: Tensor

    def __init__(self, sizes: Sizes, *, width: int, negatives: int) -> None:
        super().__init__()
        labels = sizes.labels
        single = labels is not None and labels.dim() == 1 and not labels.is_floating_point()
        # Without classes, each row is a class of its own.
        group = labels.long().cpu() if labels is not None and single else torch.arange(sizes.samples)
        count = torch.bincount(group)
        outside = sizes.samples - int(count.max())
        if outside < 1:
            raise ValueError(f"negatives come from other classes, but all {sizes.samples} rows are of one class")
        self.samples, self.negatives = sizes.samples, min(negatives, outside)
        self.register_buffer("group", group)
        self.register_buffer("order", torch.argsort(group, stable=True))
        self.register_buffer("count", count)
        self.register_buffer("start", count.cumsum(0) - count)
        bound = 1 / math.sqrt(width / 3)
        for side in ("left", "right"):
            self.register_buffer(side, (torch.rand(sizes.samples, width) * 2 - 1) * bound)
            # 0 until the first batch has set it.
            self.register_buffer(f"{side}_z", torch.zeros(()))

    def pick(self, samples: Tensor, uniform_BK: Tensor) -> Tensor:
        """[B, K] rows of other classes than each sample's, from numbers in [0, 1): with replacement."""
        count_B1, start_B1 = (table[self.group[samples]][:, None] for table in (self.count, self.start))
        outside_B1 = self.samples - count_B1
        place_BK = torch.minimum((uniform_BK * outside_B1).long(), outside_B1 - 1)
        # Rows lie sorted by class: step over the sample's own block.
        return self.order[torch.where(place_BK >= start_B1, place_BK + count_B1, place_BK)]

    def loss(
        self,
        left_BD: Tensor,
        right_BD: Tensor,
        temperature: Tensor,
        *,
        samples: Tensor,
        negatives: Tensor,
        rows: Tensor,
    ) -> Tensor:
        index_BK = torch.cat([samples[:, None], negatives], 1)
        value = torch.zeros((), dtype=left_BD.dtype, device=left_BD.device)
        for anchor_BD, bank_ND, z in ((left_BD, self.right, self.left_z), (right_BD, self.left, self.right_z)):
            scores_BK = _scores(anchor_BD, bank_ND, index_BK, temperature)
            z = torch.where(z > 0, z, self._z(scores_BK, rows))
            value = value + noise_contrast(scores_BK / z, self.samples, rows)
        return value

    def remember(
        self,
        left_BD: Tensor,
        right_BD: Tensor,
        temperature: Tensor,
        *,
        samples: Tensor,
        negatives: Tensor,
        rows: Tensor,
    ) -> None:
        """Fix Z if no batch has yet, then move the batch's entries halfway towards their new projections."""
        index_BK = torch.cat([samples[:, None], negatives], 1)
        for anchor_BD, bank_ND, z in ((left_BD, self.right, self.left_z), (right_BD, self.left, self.right_z)):
            first = self._z(_scores(anchor_BD, bank_ND, index_BK, temperature), rows)
            z.copy_(torch.where((z > 0) | (rows.sum() < 2), z, first))
        for bank_ND, new_BD in ((self.left, left_BD), (self.right, right_BD)):
            old_BD = bank_ND[samples]
            moved_BD = normalize(MOMENTUM * old_BD + (1 - MOMENTUM) * new_BD.to(old_BD.dtype), dim=1)
            kept_BD = torch.where(rows[:, None], moved_BD, old_BD)
            bank_ND.index_put_((samples,), kept_BD)

    def _z(self, scores_BK: Tensor, rows: Tensor) -> Tensor:
        return masked_mean(scores_BK.detach().mean(1), rows) * self.samples


def _scores(anchor_BD: Tensor, bank_ND: Tensor, index_BK: Tensor, temperature: Tensor) -> Tensor:
    # One product with the whole bank, then a choice, unless the chosen rows are the smaller table.
    if len(bank_ND) <= index_BK.shape[1] * bank_ND.shape[1]:
        cosine_BK = torch.gather(anchor_BD @ bank_ND.T, 1, index_BK)
    else:
        cosine_BK = (anchor_BD[:, None, :] * bank_ND[index_BK]).sum(2)
    return (cosine_BK / temperature).exp()


class Projections(nn.Module):
    """A linear map for each side, to unit vectors of one width."""

    def __init__(self, left: int, right: int, width: int) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(left, width), nn.Linear(right, width)

    def forward(self, left_BD: Tensor, right_BD: Tensor) -> tuple[Tensor, Tensor]:
        return normalize(self.left(left_BD), dim=1), normalize(self.right(right_BD), dim=1)


def log_softmax_over(scores_BB: Tensor, columns_BB: Tensor) -> Tensor:
    """log softmax of each row over the columns that count; 0 elsewhere, and in rows without any."""
    hidden_BB = torch.where(columns_BB, scores_BB, -math.inf)
    some_B1 = columns_BB.any(1, keepdim=True)
    # Masked before, not after: a row without columns would be NaN, and NaN * 0 is NaN.
    total_B1 = logsumexp(torch.where(some_B1, hidden_BB, 0.0), 1, keepdim=True)
    return torch.where(columns_BB, scores_BB - total_B1, 0.0)


def mean_where(values_BB: Tensor, mask_BB: Tensor) -> Tensor:
    """Mean of each row over the columns of the mask, 0 where there are none: [B]."""
    kept_BB = torch.where(mask_BB, values_BB, 0.0)
    return kept_BB.sum(1) / mask_BB.sum(1).clamp(min=1)


def same_label(labels: Tensor) -> Tensor:
    return labels[:, None] == labels[None, :]


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

    paper = "Khosla et al. Supervised Contrastive Learning. NeurIPS 2020, arXiv:2004.11362"
    reads = EMBEDDINGS
    tasks = CLASSES
    mixes = False

    temperature: Tensor

    def __init__(self, *, temperature: float = 0.07, **schedule: Any) -> None:
        super().__init__(temperature=temperature, **schedule)

    def setup(self, sizes: Sizes) -> None:
        self.projections = Projections(sizes.student, sizes.teacher, WIDTH)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        units_ND = torch.cat(self.projections(*both_embeddings(batch)))
        labels_N, rows_N = torch.cat([batch.labels, batch.labels]), torch.cat([rows, rows])
        return supervised_contrast(units_ND, labels_N, self.temperature, rows_N)


def class_contrast(left_BD: Tensor, right_BD: Tensor, labels: Tensor, temperature: Tensor, rows: Tensor) -> Tensor:
    """mean_i mean_{j of i's class} -log(softmax_j(cosine_ij / temperature) + 1e-10)."""
    scores_BB = normalize(left_BD, dim=1) @ normalize(right_BD, dim=1).T / temperature
    log_p_BB = log_softmax_over(scores_BB, rows[None, :].expand_as(scores_BB))
    return masked_mean(-mean_where(log_plus(log_p_BB), same_label(labels) & pairs(rows)), rows)


def log_plus(log_values: Tensor) -> Tensor:
    """log(x + 1e-10) from log x: x itself may be 0, or beyond all bounds, when a softmax saturates."""
    return torch.logaddexp(log_values, torch.full_like(log_values, math.log(1e-10)))


class ClassContrast(Term):
    """Each student row picks the teacher's rows of its class among all of the batch.

    Both embeddings through linear maps of their own to 128, divided by their lengths.

    Args:
        temperature: above 0.
    """

    paper = "Xia et al. Robust Cross-Modal Knowledge Distillation for Unconstrained Videos. arXiv:2304.07775"
    reads = EMBEDDINGS
    tasks = CLASSES
    mixes = False

    temperature: Tensor

    def __init__(self, *, temperature: float = 0.07, **schedule: Any) -> None:
        super().__init__(temperature=temperature, **schedule)

    def setup(self, sizes: Sizes) -> None:
        self.projections = Projections(sizes.student, sizes.teacher, WIDTH)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BD, teacher_BD = self.projections(*both_embeddings(batch))
        return class_contrast(student_BD, teacher_BD, batch.labels, self.temperature, rows)
