"""Logit distillation: labels plus the teacher's softened scores.

    CE(z_S, y) + weight * T^2 KL(softmax(z_T / T) || softmax(z_S / T))

Hinton, Vinyals, Dean. Distilling the Knowledge in a Neural Network. arXiv:1503.02531
"""

from kdsweep import objective
from kdsweep.space import Float

TERMS = ("ce", "kd")
SPACE = {"kd.temperature": Float(1.0, 8.0, log=True), "kd.weight": Float(0.1, 10.0, log=True)}


def build() -> "objective.Objective":
    return objective.Objective(ce=objective.CrossEntropy(), kd=objective.SoftLogits(temperature=4.0, weight=0.9))
