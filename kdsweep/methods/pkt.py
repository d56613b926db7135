"""Probabilistic knowledge transfer: each row picks its neighbours with the teacher's probabilities.

    CE(z_S, y) + weight * mean_ij P_T log((P_T + 1e-7) / (P_S + 1e-7)),  P = c / rowsum(c), c = (cosine + 1) / 2

The gradient shrinks as 1/B.

Passalis, Tefas. Learning Deep Representations with Probabilistic Knowledge Transfer. ECCV 2018
"""

from kdsweep import objective
from kdsweep.values.space import Float

TERMS = ("ce", "pkt")
SPACE = {"pkt.weight": Float(1e3, 1e6, log=True)}


def build() -> "objective.Objective":
    return objective.Objective(ce=objective.CrossEntropy(), pkt=objective.ProbabilisticTransfer(weight=30000.0))
