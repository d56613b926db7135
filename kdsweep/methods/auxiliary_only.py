"""An auxiliary model: one auxiliary modality, labels alone. What AMID and unimodal teachers read."""

from kdsweep import objective
from kdsweep.values.space import Space

# The network in training is an auxiliary model: it stands in the student's place of the objective.
TEACHER = "self"
SPACE: Space = {}


def build() -> "objective.Objective":
    return objective.Objective(ce=objective.CrossEntropy())
