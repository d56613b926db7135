"""Decoupled logit distillation: the true class against the rest, and the rest in itself, with weights of their own.

    CE(z_S, y) + weight * T^2 [alpha KL(b_T || b_S) + beta KL(rest_T || rest_S)]
    b = (p of the true class, p of all others); rest = softmax over the classes that are not the true one

The ramp is the paper's warm-up of 20 epochs of 240.

Zhao, Cui, Song, Qiu, Liang. Decoupled Knowledge Distillation. CVPR 2022, arXiv:2203.08679
"""

from kdsweep import objective
from kdsweep.methods import CLASSES
from kdsweep.values.space import Float

TASKS = CLASSES
TERMS = ("ce", "dkd")
CHOICES = {"standardize": (False, True)}
SPACE = {"dkd.beta": Float(0.5, 16.0, log=True), "dkd.temperature": Float(1.0, 4.0, log=True)}
NUMBERS = ("dkd.alpha",)


def build(standardize: bool = False) -> "objective.Objective":
    return objective.Objective(
        ce=objective.CrossEntropy(),
        dkd=objective.DecoupledLogits(alpha=1.0, beta=8.0, temperature=4.0, ramp=20 / 240, standardize=standardize),
    )
