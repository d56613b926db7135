"""Contrastive representation distillation: noise contrast against memories of every training row, on both sides.

    CE(z_S, y) + weight * [NCE(exp(u M_T / tau) / Z_1) + NCE(exp(v M_S / tau) / Z_2)]
    u, v: the two embeddings, each through a linear map of its own to 128 and divided by its length
    NCE: one positive, its own row, against K negatives of other classes drawn with replacement

`negatives` is K, shrunk to the data. The memories move halfway to the new projections after each step.

Tian, Krishnan, Isola. Contrastive Representation Distillation. ICLR 2020, arXiv:1910.10699
"""

from kdsweep import objective
from kdsweep.values.space import Float

TERMS = ("ce", "crd")
CHOICES = {"negatives": (4096, 256, 1024)}
SPACE = {"crd.weight": Float(0.1, 3.0, log=True), "crd.temperature": Float(0.05, 0.2, log=True)}


def build(negatives: int = 4096) -> "objective.Objective":
    return objective.Objective(
        ce=objective.CrossEntropy(),
        crd=objective.MutualInformation(
            "student",
            "teacher",
            estimator="crd",
            temperature=0.07,
            detached=("teacher",),
            negatives=negatives,
            weight=0.8,
        ),
    )
