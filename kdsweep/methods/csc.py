"""Class contrast: each student row picks the teacher's rows of its class among all of the batch.

    CE(z_S, y) + weight * mean_i mean_{j of i's class} -log(softmax_j(cosine_ij / tau) + 1e-10)

At one temperature: the paper also has a filter of noisy pairs.

Xia et al. Robust Cross-Modal Knowledge Distillation for Unconstrained Videos. arXiv:2304.07775
"""

from kdsweep import objective
from kdsweep.methods import CLASSES
from kdsweep.values.space import Float

TASKS = CLASSES
TERMS = ("ce", "csc")
SPACE = {"csc.weight": Float(0.1, 3.0, log=True), "csc.temperature": Float(0.05, 0.5, log=True)}


def build() -> "objective.Objective":
    return objective.Objective(ce=objective.CrossEntropy(), csc=objective.ClassContrast(temperature=0.07))
