"""Terms on feature maps. B rows, C channels, P positions; a sequence [B, T, D] enters as [B, D, T, 1]."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from kdsweep.objective.base import Term
from kdsweep.objective.batch import Batch, Sizes, masked_mean, normalize

MAPS = ("student.map", "teacher.map")


def check_maps(term: str, sizes: Sizes) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shapes of the student's and the teacher's map, without the batch axis.

    Raises:
        ValueError: one of them shows none, or shows a pooled vector, on which the term is 0 for any student.
    """
    shapes = []
    for name in MAPS:
        shape = sizes.features.get(name)
        if shape is None or len(shape) != 3 or shape[1] * shape[2] < 2:
            raise ValueError(
                f"{term} compares maps [channels, height, width] of two positions or more, got {name}={shape}"
            )
        shapes.append(shape)
    return shapes[0], shapes[1]


def both_maps(batch: Batch) -> tuple[Tensor, Tensor]:
    """The two maps, the larger averaged to the height and width of the smaller."""
    student, teacher = batch.student.features["map"], batch.of("teacher").features["map"].detach()
    size = (min(student.shape[2], teacher.shape[2]), min(student.shape[3], teacher.shape[3]))
    return F.adaptive_avg_pool2d(student, size), F.adaptive_avg_pool2d(teacher, size)


class Attention(Term):
    """Match where the network looks: mean (q_S - q_T)^2, q = nrm(flatten(mean_c F^2))."""

    paper = "Zagoruyko, Komodakis. Paying More Attention to Attention. ICLR 2017, arXiv:1612.03928"
    reads = MAPS

    def setup(self, sizes: Sizes) -> None:
        check_maps("at", sizes)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BP, teacher_BP = (normalize(x.square().mean(1).flatten(1), dim=1) for x in both_maps(batch))
        return masked_mean((student_BP - teacher_BP).square().mean(1), rows)


class NeuronSelectivity(Term):
    """Match the distribution of channels' patterns: k(t, t) + k(s, s) - 2 k(s, t).

    k(a, b) = mean over channels c, c' of <a_c, b_c'>^2, each channel divided by its length over positions
    """

    paper = "Huang, Wang. Like What You Like: Knowledge Distill via Neuron Selectivity Transfer. arXiv:1707.01219"
    reads = MAPS

    def setup(self, sizes: Sizes) -> None:
        check_maps("nst", sizes)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student, teacher = (normalize(x.flatten(2), dim=2) for x in both_maps(batch))
        kernel_B = _kernel(teacher, teacher) + _kernel(student, student) - 2 * _kernel(student, teacher)
        return masked_mean(kernel_B, rows)


def _kernel(left_BCP: Tensor, right_BCP: Tensor) -> Tensor:
    return (left_BCP @ right_BCP.mT).square().mean((1, 2))


class ChannelCorrelation(Term):
    """Match each sample's channel Gram matrix, rows of length 1: sum of squared differences / (C B^2).

    Where the numbers of channels differ, a linear map of the student's channels is trained along.
    """

    paper = (
        "Liu, Huang, Lin, Zhang, Wang. Exploring Inter-Channel Correlation for Diversity-Preserved Knowledge "
        "Distillation. ICCV 2021, arXiv:2202.03680"
    )
    reads = MAPS

    def setup(self, sizes: Sizes) -> None:
        student, teacher = check_maps("ickd", sizes)
        self.channels: Any = nn.Identity() if student[0] == teacher[0] else nn.Conv2d(student[0], teacher[0], 1)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student, teacher = batch.student.features["map"], batch.of("teacher").features["map"].detach()
        difference_BCC = channel_gram(self.channels(student)) - channel_gram(teacher)
        return masked_mean(difference_BCC.square().sum((1, 2)), rows) / (difference_BCC.shape[1] * rows.sum())


def channel_gram(maps: Tensor) -> Tensor:
    flat_BCP = maps.flatten(2)
    return normalize(flat_BCP @ flat_BCP.mT, dim=2)
