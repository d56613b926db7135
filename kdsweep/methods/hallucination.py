"""Hallucination: the student imitates the squashed activations of the teacher, and its softened scores.

    CE(z_S, y) + hallucination.weight * mean_i sum_d (sigmoid(s) - sigmoid(t))^2 + kd.weight * T^2 KL(z_T || z_S)

Where the widths differ, a linear map of the student's embedding is trained along.

Hoffman, Gupta, Darrell. Learning with Side Information through Modality Hallucination. CVPR 2016
"""

from kdsweep import objective
from kdsweep.methods import TEMPERED
from kdsweep.values.space import Float

TERMS = ("ce", "hallucination", "kd")
WHEN = {"kd.temperature": {"task": TEMPERED}}
SPACE = {
    "hallucination.weight": Float(5e-4, 0.5, log=True),
    "kd.weight": Float(0.1, 10.0, log=True),
    "kd.temperature": Float(1.0, 8.0, log=True),
}


def build() -> "objective.Objective":
    return objective.Objective(
        ce=objective.CrossEntropy(),
        # The published 1/2 times .01.
        hallucination=objective.Hallucination(weight=0.005),
        kd=objective.SoftLogits(temperature=4.0, weight=1.0),
    )
