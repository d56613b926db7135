"""Variational information distillation: a Gaussian guess of the teacher's embedding, with a variance for each width.

    CE(z_S, y) + weight * mean 1/2 [(t - mu(s))^2 / v + log v]

Ahn, Hu, Damianou, Lawrence, Dai. Variational Information Distillation for Knowledge Transfer. CVPR 2019,
arXiv:1904.05835
"""

from kdsweep import objective
from kdsweep.values.space import Float

TERMS = ("ce", "vid")
SPACE = {"vid.weight": Float(0.1, 10.0, log=True)}


def build() -> "objective.Objective":
    return objective.Objective(ce=objective.CrossEntropy(), vid=objective.VariationalInformation())
