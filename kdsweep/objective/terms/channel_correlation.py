"""Inter-channel correlation: how channels of a map go together. B rows, C channels, P positions."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from kdsweep.objective.base import Term
from kdsweep.objective.batch import Batch, Sizes
from kdsweep.objective.numerics import masked_mean, normalize
from kdsweep.objective.terms._maps import MAPS, check_maps
from kdsweep.values.paper import Paper


class ChannelCorrelation(Term):
    """Match each sample's channel Gram matrix, rows of length 1: sum of squared differences / (C B^2).

    Where the numbers of channels differ, a linear map of the student's channels is trained along.
    """

    papers = (
        Paper(
            authors=("Liu", "Huang", "Lin", "Zhang", "Wang"),
            title="Exploring Inter-Channel Correlation for Diversity-Preserved Knowledge Distillation",
            venue="ICCV",
            year=2021,
            arxiv="2202.03680",
        ),
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
