"""Margin-aware distillation: similarity matrices, most of all towards rows of which the teacher is unsure.

    CE(z_S, y) + weight * sum_ij (rown(s s^T) - rown(t t^T))^2_ij w_j,  w = H / sum H, H_j the teacher's entropy

The start is the paper's fifth epoch of a hundred.

Wei, Luo, Luo. MMANet: Margin-aware Distillation and Modality-aware Regularization for Incomplete Multimodal Learning.
CVPR 2023, arXiv:2304.08028
"""

from kdsweep import objective
from kdsweep.methods import CLASSES
from kdsweep.values.space import Float

TASKS = CLASSES
TERMS = ("ce", "mad")
SPACE = {"mad.weight": Float(1.0, 100.0, log=True)}


def build() -> "objective.Objective":
    return objective.Objective(ce=objective.CrossEntropy(), mad=objective.MarginSimilarity(weight=30.0, start=0.05))
