"""Maximum mean discrepancy: match the distribution of embeddings, whichever row they come from.

    CE(z_S, y) + weight * mean(K_SS + K_TT - K_ST - K_TS),  K a sum of five Gaussian kernels

Where the widths differ, a linear map of the student's embedding is trained along.

Gretton, Borgwardt, Rasch, Schoelkopf, Smola. A Kernel Two-Sample Test. JMLR 2012
"""

from kdsweep import objective
from kdsweep.values.space import Float

TERMS = ("ce", "mmd")
SPACE = {"mmd.weight": Float(0.1, 100.0, log=True)}


def build() -> "objective.Objective":
    return objective.Objective(ce=objective.CrossEntropy(), mmd=objective.MeanDiscrepancy())
