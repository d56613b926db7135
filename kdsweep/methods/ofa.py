"""One-for-all: cross entropy to the teacher's probabilities, in which the true class is raised by a power.

    CE(z_S, y) + weight * mean_i sum_c -((p_T + m)^epsilon - m) log p_S,  m = 1 for the true class and 0 elsewhere

On the last layer alone: the paper adds branches inside the student.

Hao, Guo, Han, Tang, Hu, Wang, Xu. One-for-All: Bridge the Gap Between Heterogeneous Architectures in Knowledge
Distillation. NeurIPS 2023, arXiv:2310.19444
"""

from kdsweep import objective
from kdsweep.methods import CLASSES
from kdsweep.values.space import Float

TASKS = CLASSES
TERMS = ("ce", "ofa")
SPACE = {"ofa.weight": Float(0.1, 10.0, log=True), "ofa.epsilon": Float(1.0, 1.5)}


def build() -> "objective.Objective":
    return objective.Objective(ce=objective.CrossEntropy(), ofa=objective.OneForAll(epsilon=1.0))
