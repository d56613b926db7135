"""What one embedding tells of another: a linear map fitted on the training part and judged on test, the same for all.

A critic inside a loss is no estimate of information, and rows without it would have none. N rows, D embedding width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from kdsweep.objective.outputs import Outputs


class Said(NamedTuple):
    """What one network says of the training part and of test."""

    train: Outputs
    test: Outputs


def explained(seen: Said, target: Said) -> float:
    """Held-out R^2 of the target's embedding [N, D] from what is seen, over the rows that both have; NaN without any.

    1 means that the target can be read off linearly; 0, no better than its mean; below 0, worse than that.
    """
    (x, y), (new_x, new_y) = (_both(a, b) for a, b in zip(seen, target, strict=True))
    if len(x) < 2 or len(new_x) < 2:
        return float("nan")
    # The driver that copes with units that are dead or alike.
    weights = torch.linalg.lstsq(_with_ones(x), y, driver="gelsd").solution
    error = (_with_ones(new_x) @ weights - new_y).square().sum()
    spread = (new_y - new_y.mean(0)).square().sum()
    return float("nan") if spread == 0 else float(1 - error / spread)


def probes(student: Said, teacher: Said | None, auxiliaries: Mapping[str, Said]) -> dict[str, float]:
    """How much of the teacher the student tells (low H(T|S)), and how much of the auxiliary models the teacher holds.

    "teacher_from_student", "auxiliary_from_teacher" and "auxiliary_from_student", the latter two as means over models.
    """
    found: dict[str, float] = {}
    if teacher is not None:
        found["teacher_from_student"] = explained(student, teacher)
    if auxiliaries:
        found["auxiliary_from_student"] = _mean(student, auxiliaries)
    if teacher is not None and auxiliaries:
        found["auxiliary_from_teacher"] = _mean(teacher, auxiliaries)
    return found


def _mean(seen: Said, models: Mapping[str, Said]) -> float:
    return sum(explained(seen, model) for model in models.values()) / len(models)


def _both(seen: Outputs, target: Outputs) -> tuple[Tensor, Tensor]:
    there = seen.present & target.present
    return seen.embedding[there].double().cpu(), target.embedding[there].double().cpu()


def _with_ones(x: Tensor) -> Tensor:
    return torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], dim=1)
