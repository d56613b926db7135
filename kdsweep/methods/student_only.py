"""The student alone: labels, no teacher. What every other method must beat."""

from kdsweep import objective
from kdsweep.values.space import Space

TEACHER = "none"
SPACE: Space = {}


def build() -> "objective.Objective":
    return objective.Objective(ce=objective.CrossEntropy())
