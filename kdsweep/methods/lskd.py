"""Logit distillation of standardised scores: what counts is the order and shape of each row, not its scale.

    CE(z_S, y) + weight * T^2 KL(softmax(u_T / T) || softmax(u_S / T)),  u = (z - mean_c z) / (std_c z + 1e-7)

The paper weighs labels .1: set `ce.weight: 0.1` for its split.

Sun, Ren, Li, Wang, Cao. Logit Standardization in Knowledge Distillation. CVPR 2024, arXiv:2403.01427
"""

from kdsweep import objective
from kdsweep.methods import CLASSES
from kdsweep.values.space import Float

TASKS = CLASSES
TERMS = ("ce", "lskd")
SPACE = {"lskd.weight": Float(1.0, 30.0, log=True), "lskd.temperature": Float(1.0, 4.0, log=True)}


def build() -> "objective.Objective":
    return objective.Objective(
        ce=objective.CrossEntropy(), lskd=objective.SoftLogits(temperature=2.0, weight=9.0, standardize=True)
    )
