"""Attention transfer: where the two networks look. B rows, P positions."""

from __future__ import annotations

from torch import Tensor

from kdsweep.objective.base import Term
from kdsweep.objective.batch import Batch, Sizes
from kdsweep.objective.numerics import masked_mean, normalize
from kdsweep.objective.terms._maps import MAPS, both_maps, check_maps
from kdsweep.values.paper import Paper


class Attention(Term):
    """Match where the network looks: mean (q_S - q_T)^2, q = nrm(flatten(mean_c F^2))."""

    papers = (
        Paper(
            authors=("Zagoruyko", "Komodakis"),
            title="Paying More Attention to Attention",
            venue="ICLR",
            year=2017,
            arxiv="1612.03928",
        ),
    )
    reads = MAPS

    def setup(self, sizes: Sizes) -> None:
        check_maps("at", sizes)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BP, teacher_BP = (normalize(x.square().mean(1).flatten(1), dim=1) for x in both_maps(batch))
        return masked_mean((student_BP - teacher_BP).square().mean(1), rows)
