"""Multi-level logit distillation: probabilities matched sample by sample, between classes and between samples.

    CE(z_S, y) + weight * sum_T [T^2 KL(P_T || P_S) + |P_S' P_S - P_T' P_T|^2 / C + |P_S P_S' - P_T P_T'|^2 / B]
    P = softmax(z / T), T in 2, 3, 4, 5, 6

Of one view: the paper adds strongly augmented ones. `reduction: mean` averages squared differences, temperatures and
parts.

Jin, Wang, Lin. Multi-Level Logit Distillation. CVPR 2023
"""

from kdsweep import objective
from kdsweep.methods import CLASSES
from kdsweep.values.space import Float

TASKS = CLASSES
TERMS = ("ce", "mlld")
CHOICES = {"reduction": ("sum", "mean")}
SPACE = {"mlld.weight": Float(0.1, 10.0, log=True)}


def build(reduction: str = "sum") -> "objective.Objective":
    return objective.Objective(ce=objective.CrossEntropy(), mlld=objective.MultiLevelLogits(reduction=reduction))
