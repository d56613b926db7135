"""DIST: correlate with the teacher's probabilities within each sample and within each class.

    CE(z_S, y) + weight * T^2 [beta (1 - mean_i rho(p_S[i], p_T[i])) + gamma (1 - mean_c rho(p_S[:, c], p_T[:, c]))]
    p = softmax(z / T), rho Pearson's correlation

Huang, You, Wang, Qian, Xu. Knowledge Distillation from A Stronger Teacher. NeurIPS 2022, arXiv:2205.10536
"""

from kdsweep import objective
from kdsweep.methods import CLASSES
from kdsweep.values.space import Float

TASKS = CLASSES
TERMS = ("ce", "dist")
SPACE = {"dist.weight": Float(0.5, 8.0, log=True), "dist.temperature": Float(1.0, 4.0, log=True)}
NUMBERS = ("dist.beta", "dist.gamma")


def build() -> "objective.Objective":
    return objective.Objective(
        ce=objective.CrossEntropy(), dist=objective.CorrelatedLogits(temperature=1.0, weight=2.0)
    )
