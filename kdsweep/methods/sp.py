"""Similarity preserving: rows that the teacher finds alike are alike for the student.

    CE(z_S, y) + weight / B^2 * |rown(s s^T) - rown(t t^T)|^2

The gradient shrinks as 1/B.

Tung, Mori. Similarity-Preserving Knowledge Distillation. ICCV 2019, arXiv:1907.09682
"""

from kdsweep import objective
from kdsweep.values.space import Float

TERMS = ("ce", "sp")
SPACE = {"sp.weight": Float(1e2, 1e5, log=True)}


def build() -> "objective.Objective":
    return objective.Objective(ce=objective.CrossEntropy(), sp=objective.SimilarityPreserving(weight=3000.0))
