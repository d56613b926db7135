"""The distribution of channels' patterns on a map. B rows, C channels, P positions."""

from __future__ import annotations

from torch import Tensor

from kdsweep.objective.base import Term
from kdsweep.objective.batch import Batch, Sizes
from kdsweep.objective.numerics import masked_mean, normalize
from kdsweep.objective.terms._maps import MAPS, both_maps, check_maps
from kdsweep.values.paper import Paper


class NeuronSelectivity(Term):
    """Match the distribution of channels' patterns: k(t, t) + k(s, s) - 2 k(s, t).

    k(a, b) = mean over channels c, c' of <a_c, b_c'>^2, each channel divided by its length over positions
    """

    papers = (
        Paper(
            authors=("Huang", "Wang"),
            title="Like What You Like: Knowledge Distill via Neuron Selectivity Transfer",
            year=2017,
            arxiv="1707.01219",
        ),
    )
    reads = MAPS

    def setup(self, sizes: Sizes) -> None:
        check_maps("nst", sizes)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student, teacher = (normalize(x.flatten(2), dim=2) for x in both_maps(batch))
        kernel_B = _kernel(teacher, teacher) + _kernel(student, student) - 2 * _kernel(student, teacher)
        return masked_mean(kernel_B, rows)


def _kernel(left_BCP: Tensor, right_BCP: Tensor) -> Tensor:
    return (left_BCP @ right_BCP.mT).square().mean((1, 2))
