"""Projected regression: batch-normalised embeddings compared on a steep scale.

    CE(z_S, y) + weight * 2 log sum |BN(W s) - BN(t)|^4

Miles, Mikolajczyk. Understanding the Role of the Projector in Knowledge Distillation. AAAI 2024, arXiv:2303.11098
"""

from kdsweep import objective
from kdsweep.values.space import Float

TERMS = ("ce", "srd")
SPACE = {"srd.weight": Float(0.01, 10.0, log=True)}


def build() -> "objective.Objective":
    return objective.Objective(ce=objective.CrossEntropy(), srd=objective.ProjectedRegression())
