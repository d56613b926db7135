"""Supervised contrast: rows of a class attract each other, within and across student and teacher.

    CE(z_S, y) + weight * -mean_i mean_{p of i's class} log softmax_{a != i}(z_i z_a / tau)
    z: both networks' embeddings, each through a linear map of its own to 128 and divided by its length

Khosla et al. Supervised Contrastive Learning. NeurIPS 2020, arXiv:2004.11362
"""

from kdsweep import objective
from kdsweep.methods import CLASSES
from kdsweep.values.space import Float

TASKS = CLASSES
TERMS = ("ce", "supcon")
SPACE = {"supcon.weight": Float(0.1, 3.0, log=True), "supcon.temperature": Float(0.05, 0.5, log=True)}


def build() -> "objective.Objective":
    return objective.Objective(ce=objective.CrossEntropy(), supcon=objective.SupervisedContrast(temperature=0.07))
