"""Neuron selectivity transfer: match the distribution of channels' patterns. For networks that show feature maps.

    CE(z_S, y) + weight * [k(t, t) + k(s, s) - 2 k(s, t)],  k(a, b) = mean_cc' <a_c, b_c'>^2 on unit channels

Huang, Wang. Like What You Like: Knowledge Distill via Neuron Selectivity Transfer. arXiv:1707.01219
"""

from kdsweep import objective
from kdsweep.values.space import Float

TERMS = ("ce", "nst")
SPACE = {"nst.weight": Float(1.0, 1e3, log=True)}


def build() -> "objective.Objective":
    return objective.Objective(ce=objective.CrossEntropy(), nst=objective.NeuronSelectivity(weight=50.0))
