"""Relational distillation: relative distances between pairs of rows, and angles between triples.

    CE(z_S, y) + weight * [mean_ij smoothL1(d_S - d_T) + angle * mean_ijk smoothL1(A_S - A_T)]

d are Euclidean distances divided by their mean, A_ijk the cosine at row i between rows j and k. The authors' weights
are 1 and 2, other codes' 25 and 50: `angle` is their ratio.

Park, Kim, Lu, Cho. Relational Knowledge Distillation. CVPR 2019, arXiv:1904.05068
"""

from kdsweep import objective
from kdsweep.values.space import Float

TERMS = ("ce", "rkd")
SPACE = {"rkd.weight": Float(0.03, 30.0, log=True)}
NUMBERS = ("rkd.angle",)


def build() -> "objective.Objective":
    return objective.Objective(ce=objective.CrossEntropy(), rkd=objective.RelationalDistances(angle=2.0, weight=1.0))
