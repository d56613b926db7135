"""The teacher's softened scores. B rows, C classes."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from kdsweep.objective.base import Term
from kdsweep.objective.batch import Batch
from kdsweep.objective.numerics import masked_mean
from kdsweep.objective.terms._logits import LOGIT_STANDARDIZATION, both_logits
from kdsweep.tasks.registry import CLASSES, load
from kdsweep.values.paper import Paper

HINTON = Paper(
    authors=("Hinton", "Vinyals", "Dean"),
    title="Distilling the Knowledge in a Neural Network",
    year=2015,
    arxiv="1503.02531",
)


class SoftLogits(Term):
    """Match the teacher's softened scores.

    What that is, the task says: of classes their distribution, of several labels that of each, of values the squared
    difference, without a temperature.

    Args:
        temperature: above 0; larger values weigh the wrong classes more.
        standardize: compare logits by their order and shape alone: each row is standardised first.
    """

    papers: tuple[Paper, ...] = (HINTON,)
    reads = ("student.logits", "teacher.logits")

    temperature: Tensor

    def __init__(self, temperature: float = 4.0, *, standardize: bool = False, **schedule: Any) -> None:
        super().__init__(temperature=temperature, **schedule)
        self.standardize = standardize
        if standardize:
            self.papers, self.tasks = (HINTON, LOGIT_STANDARDIZATION), CLASSES

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BC, teacher_BC = both_logits(batch, self.standardize)
        return masked_mean(load(self.task).scores.distil(student_BC, teacher_BC, self.temperature), rows)
