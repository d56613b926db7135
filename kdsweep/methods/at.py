"""Attention transfer: match where the networks look. For networks that show feature maps.

    CE(z_S, y) + weight * mean (q_S - q_T)^2,  q = nrm(flatten(mean_c F^2))

Zagoruyko, Komodakis. Paying More Attention to Attention. ICLR 2017, arXiv:1612.03928
"""

from kdsweep import objective
from kdsweep.values.space import Float

TERMS = ("ce", "at")
SPACE = {"at.weight": Float(1e1, 1e4, log=True)}


def build() -> "objective.Objective":
    return objective.Objective(ce=objective.CrossEntropy(), at=objective.Attention(weight=1000.0))
