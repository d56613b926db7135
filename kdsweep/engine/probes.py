"""What one embedding tells of another: a linear model fitted on the training part and judged on test, the same for all.

A critic inside a loss is no estimate of information, and rows without it would have none. N rows, D embedding width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from kdsweep.objective.batch import Outputs

# Of the largest deviation: units that vary less say nothing.
FAINT = 0.01


class NetworkOutputs(NamedTuple):
    """What one network says of the training part and of test."""

    train: Outputs
    test: Outputs


def explained(seen: NetworkOutputs, target: NetworkOutputs) -> float:
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


class Nats(NamedTuple):
    """What a linear Gaussian model makes of a target: what seeing saves (I), and what is left (H given the seen)."""

    information: float
    entropy: float


def nats(seen: NetworkOutputs, target: NetworkOutputs) -> Nats:
    """Held-out mean log likelihood per row, in nats: I = E log q(y|x) - E log q(y), H(Y|X) = -E log q(y|x).

    q(y|x) is a linear map with normal errors, q(y) a normal distribution, both fitted on training; y is the target's
    embedding, each unit on the scale of its deviation there, so that rows compare. Of what is not linear I knows
    nothing: it is an estimate from below, in the same way for every row. Barber, Agakov. The IM Algorithm. NIPS 2003.
    """
    (x, y), (new_x, new_y) = (_both(a, b) for a, b in zip(seen, target, strict=True))
    if len(x) < 2 or len(new_x) < 2:
        return Nats(float("nan"), float("nan"))
    mean, deviation = y.mean(0), y.std(0)
    # A unit that is all but dead on training and fires on a few new rows would be the whole surprise.
    alive = deviation > max(1e-6, FAINT * float(deviation.max()))
    if not bool(alive.any()):
        # What never changes has nothing to tell.
        return Nats(0.0, float("nan"))
    y, new_y = ((part - mean)[:, alive] / deviation[alive] for part in (y, new_y))
    weights = torch.linalg.lstsq(_with_ones(x), y, driver="gelsd").solution
    given = _surprise(y - _with_ones(x) @ weights, new_y - _with_ones(new_x) @ weights)
    return Nats(_surprise(y, new_y) - given, given)


def _surprise(errors: Tensor, new_errors: Tensor) -> float:
    """Mean of -log N(0, covariance of `errors`) over the new ones, the covariance held 1 % of a unit's away from 0."""
    width = errors.shape[1]
    covariance = errors.T @ errors / len(errors) + 0.01 * torch.eye(width, dtype=errors.dtype)
    factor = torch.linalg.cholesky(covariance)
    whitened = torch.linalg.solve_triangular(factor, new_errors.T, upper=False)
    log_det = 2 * factor.diagonal().log().sum()
    return float(0.5 * (whitened.square().sum(0).mean() + log_det + width * math.log(2 * math.pi)))


def probes(
    student: NetworkOutputs, teacher: NetworkOutputs | None, auxiliaries: Mapping[str, NetworkOutputs]
) -> dict[str, float]:
    """How much of the teacher the student tells (low H(T|S)), and how much of the auxiliary models the teacher holds.

    "explained/": "teacher_from_student", "auxiliary_from_teacher" and "auxiliary_from_student", R^2; "nats/":
    "teacher_student", "teacher_auxiliary" and "teacher_given_student". Those of auxiliary models are means over them.
    """
    metrics: dict[str, float] = {}
    if teacher is not None:
        metrics["explained/teacher_from_student"] = explained(student, teacher)
        metrics["nats/teacher_student"], metrics["nats/teacher_given_student"] = nats(student, teacher)
    if auxiliaries:
        metrics["explained/auxiliary_from_student"] = _mean(explained, student, auxiliaries)
    if teacher is not None and auxiliaries:
        metrics["explained/auxiliary_from_teacher"] = _mean(explained, teacher, auxiliaries)
        metrics["nats/teacher_auxiliary"] = _mean(lambda t, a: nats(t, a).information, teacher, auxiliaries)
    return metrics


def _mean(
    probe: Callable[[NetworkOutputs, NetworkOutputs], float], seen: NetworkOutputs, models: Mapping[str, NetworkOutputs]
) -> float:
    return sum(probe(seen, model) for model in models.values()) / len(models)


def _both(seen: Outputs, target: Outputs) -> tuple[Tensor, Tensor]:
    there = seen.present & target.present
    return seen.embedding[there].double().cpu(), target.embedding[there].double().cpu()


def _with_ones(x: Tensor) -> Tensor:
    return torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], dim=1)
