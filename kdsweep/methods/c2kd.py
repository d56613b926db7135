"""C2KD: distil both ways through a proxy on each side, where the proxies order the classes alike.

    CE(z_S, y) + CE(z_T, y) + weight * [KL(z_T -> p_T) + KL(p_T -> z_T) + KL(z_S -> p_S) + KL(p_S -> z_S)
                                        + N(p_S <- p_T) + N(p_T <- p_S)]
    N over the rows whose Kendall tau-b between p_T and p_S is above krc, the true class's score set to 0

The teacher trains with the student inside the trial, from fresh weights: the paper's is trained beforehand as well.

Huo, Xu, Guo, Wang, Guo. C2KD: Bridging the Modality Gap for Cross-Modal Knowledge Distillation. CVPR 2024
"""

from kdsweep import objective
from kdsweep.methods import CLASSES
from kdsweep.values.space import Float

TEACHER = "joint"
TASKS = CLASSES
TERMS = ("ce", "ce_teacher", "c2kd")
BASE = ("ce_teacher",)
SPACE = {"c2kd.weight": Float(0.3, 3.0, log=True), "c2kd.krc": Float(-0.2, 0.2)}


def build() -> "objective.Objective":
    return objective.Objective(
        ce=objective.CrossEntropy(), ce_teacher=objective.CrossEntropy("teacher"), c2kd=objective.CustomizedLogits()
    )
