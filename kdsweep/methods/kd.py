"""Logit distillation: labels plus the teacher's softened scores.

    CE(z_S, y) + weight * T^2 KL(softmax(z_T / T) || softmax(z_S / T))

The defaults are the paper's split of .9 and .1, with labels at 1: for the split itself set `ce.weight: 0.1`.
`standardize` compares logits by shape alone: `lskd`. Of several labels each has a KL of its own, of values the squared
error takes its place, without a temperature.

Hinton, Vinyals, Dean. Distilling the Knowledge in a Neural Network. arXiv:1503.02531
"""

from kdsweep import methods, objective
from kdsweep.values.space import Float

TERMS = ("ce", "kd")
CHOICES = {"standardize": (False, True)}
WHEN = {"kd.temperature": {"task": methods.TEMPERED}}
SPACE = {"kd.weight": Float(0.1, 10.0, log=True), "kd.temperature": Float(1.0, 8.0, log=True)}


def TASKS(standardize: bool) -> tuple[str, ...]:
    return methods.CLASSES if standardize else methods.TASKS


def build(standardize: bool = False) -> "objective.Objective":
    return objective.Objective(
        ce=objective.CrossEntropy(), kd=objective.SoftLogits(temperature=4.0, weight=0.9, standardize=standardize)
    )
