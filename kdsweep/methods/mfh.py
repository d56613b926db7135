"""Modality focusing: distil from the teacher less the channels that the modalities have least in common.

    CE(z_S, y) + CE(z_T, y) + agree.weight * mean (z_S - z_T)^2
        + weight * T^2 KL(softmax(h(t') / T) || softmax(z_S / T))

t' is the teacher's embedding with the share `removed` of its channels of the lowest saliency replaced by their batch
means, h the teacher's head. Saliency of channel k: MSE(z_S, z_T with channel k permuted over the batch).

Teacher and student train together, and the distillation joins halfway; the paper trains them together first, measures
saliency once over ten permutations, and distils into a fresh student.

Xue, Gao, Ren, Zhao. The Modality Focusing Hypothesis. ICLR 2023, arXiv:2206.06487
"""

from kdsweep import objective
from kdsweep.methods import CLASSES
from kdsweep.values.space import Float

TEACHER = "joint"
TASKS = CLASSES
TERMS = ("ce", "ce_teacher", "agree", "mfh")
BASE = ("ce_teacher",)
CHOICES = {"removed": (0.75, 0.25, 0.5)}
SPACE = {
    "agree.weight": Float(0.1, 10.0, log=True),
    "mfh.weight": Float(0.1, 10.0, log=True),
    "mfh.temperature": Float(1.0, 8.0, log=True),
}


def build(removed: float = 0.75) -> "objective.Objective":
    return objective.Objective(
        ce=objective.CrossEntropy(),
        ce_teacher=objective.CrossEntropy("teacher"),
        agree=objective.LogitAgreement(),
        mfh=objective.ModalityFocus(removed=removed, temperature=1.0, start=0.5),
    )
