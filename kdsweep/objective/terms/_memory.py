"""Contrast against memories of every training row. B rows, D width, K negatives, N rows of the training set."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from kdsweep.objective.batch import Sizes
from kdsweep.objective.numerics import masked_mean, normalize

EPSILON = 1e-7
MOMENTUM = 0.5


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
        if single and sizes.labelled is not None:
            # Nor is it known of a row without a label who shares its class.
            group = torch.where(sizes.labelled.cpu(), group, sizes.classes + torch.arange(sizes.samples))
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
            scores_BK = cosine_scores(anchor_BD, bank_ND, index_BK, temperature)
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
            first = self._z(cosine_scores(anchor_BD, bank_ND, index_BK, temperature), rows)
            z.copy_(torch.where((z > 0) | (rows.sum() < 2), z, first))
        for bank_ND, new_BD in ((self.left, left_BD), (self.right, right_BD)):
            old_BD = bank_ND[samples]
            moved_BD = normalize(MOMENTUM * old_BD + (1 - MOMENTUM) * new_BD.to(old_BD.dtype), dim=1)
            kept_BD = torch.where(rows[:, None], moved_BD, old_BD)
            bank_ND.index_put_((samples,), kept_BD)

    def _z(self, scores_BK: Tensor, rows: Tensor) -> Tensor:
        return masked_mean(scores_BK.detach().mean(1), rows) * self.samples


def cosine_scores(anchor_BD: Tensor, bank_ND: Tensor, index_BK: Tensor, temperature: Tensor) -> Tensor:
    """[B, K]: exp(cosine / temperature) of each anchor with rows of the memory."""
    # One product with the whole bank, then a choice, unless the chosen rows are the smaller table.
    if len(bank_ND) <= index_BK.shape[1] * bank_ND.shape[1]:
        cosine_BK = torch.gather(anchor_BD @ bank_ND.T, 1, index_BK)
    else:
        cosine_BK = (anchor_BD[:, None, :] * bank_ND[index_BK]).sum(2)
    return (cosine_BK / temperature).exp()
