"""Correlation congruence: how one row's error goes with the next row's, or kernels of the batch.

    linear:  CE(z_S, y) + weight * mean_{i<B-1} sum_d delta_i delta_{i+1},  delta = |e_S(s) - e_T(t)|, e linear to 128
    rbf:     CE(z_S, y) + weight * mean_ij (K_S - K_T)^2,  K the Taylor form of a Gaussian kernel on unit rows

Both maps are trained. `form` chooses between the two published forms.

Peng, Jin, Liu, Zhou, Wu, Liu, Li, Zhang. Correlation Congruence for Knowledge Distillation. ICCV 2019,
arXiv:1904.01802
"""

from kdsweep import objective
from kdsweep.values.space import Float

TERMS = ("ce", "cc")
CHOICES = {"form": ("linear", "rbf")}
SPACE = {"cc.weight": Float(1e-3, 1.0, log=True)}
NUMBERS = ("cc.gamma",)
WHEN = {"cc.gamma": {"form": ("rbf",)}}


def build(form: str = "linear") -> "objective.Objective":
    term = objective.CorrelationCongruence if form == "linear" else objective.CorrelationKernel
    return objective.Objective(ce=objective.CrossEntropy(), cc=term(weight=0.02))
