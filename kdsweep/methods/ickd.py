"""Inter-channel correlation: match each sample's channel Gram matrix. For networks that show feature maps.

    CE(z_S, y) + weight / (C B^2) * sum_i |rown(F_S F_S^T) - rown(F_T F_T^T)|^2

Where the numbers of channels differ, a linear map of the student's channels is trained along.

Liu, Huang, Lin, Zhang, Wang. Exploring Inter-Channel Correlation for Diversity-Preserved Knowledge Distillation.
ICCV 2021, arXiv:2202.03680
"""

from kdsweep import objective
from kdsweep.values.space import Float

TERMS = ("ce", "ickd")
SPACE = {"ickd.weight": Float(1e1, 1e4, log=True)}


def build() -> "objective.Objective":
    return objective.Objective(ce=objective.CrossEntropy(), ickd=objective.ChannelCorrelation(weight=500.0))
