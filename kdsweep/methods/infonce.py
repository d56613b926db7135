"""InfoNCE: each student embedding picks its own teacher embedding among those of the batch, and the other way round.

    CE(z_S, y) + weight * 1/2 [CE(u v^T / tau, diagonal) + CE(v u^T / tau, diagonal)]
    u, v: the two embeddings, each through a linear map of its own to 128 and divided by its length

van den Oord, Li, Vinyals. Representation Learning with Contrastive Predictive Coding. arXiv:1807.03748
"""

from kdsweep import objective
from kdsweep.values.space import Float

TERMS = ("ce", "infonce")
SPACE = {"infonce.weight": Float(0.1, 3.0, log=True), "infonce.temperature": Float(0.05, 0.5, log=True)}


def build() -> "objective.Objective":
    return objective.Objective(
        ce=objective.CrossEntropy(),
        infonce=objective.MutualInformation("student", "teacher", temperature=0.1, detached=("teacher",)),
    )
