"""Pruning: a trial carries its thresholds and judges itself. No messages, nobody kills it from outside."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def rungs(epochs: int) -> tuple[int, ...]:
    """The epochs at which a search trial may stop: an eighth, a quarter and half of training, rounded up."""
    return tuple(sorted({math.ceil(epochs / share) for share in (8, 4, 2)} - {epochs}))


def threshold(values: Iterable[float], *, keep: float, maximize: bool) -> float | None:
    """The value that the best `keep` share of the finite ones reached; None where there is none."""
    finite = sorted((value for value in values if math.isfinite(value)), reverse=maximize)
    return finite[max(1, math.floor(keep * len(finite))) - 1] if finite else None


def falls_behind(
    epoch: int,
    value: float,
    *,
    thresholds: Sequence[tuple[int, float]],
    maximize: bool,
    not_before: float,
) -> bool:
    """Whether a trial stops after this epoch. `not_before`: the epochs until its slowest schedule is at full height."""
    if epoch < not_before:
        return False
    return any(epoch == rung and (value < bar if maximize else value > bar) for rung, bar in thresholds)
