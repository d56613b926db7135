"""The teacher: all modalities, labels alone. The network that other arms distil from, and a reference row."""

from kdsweep import objective
from kdsweep.values.space import Space

# The network in training is the teacher's: it stands in the student's place of the objective.
TEACHER = "self"
SPACE: Space = {}


def build() -> "objective.Objective":
    return objective.Objective(ce=objective.CrossEntropy())
