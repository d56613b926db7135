"""What the best share of the earlier generations reached, at an eighth, a quarter and half of training."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def thresholds(
    curves: Sequence[Sequence[float]], *, epochs: int, maximize: bool, keep: float
) -> tuple[tuple[int, float], ...]:
    """At each rung, the value of the best `keep` of those who came so far; no rung where there is none."""
    reached = {rung: [curve[rung - 1] for curve in curves if len(curve) >= rung] for rung in rungs(epochs)}
    bars = {rung: threshold(values, keep=keep, maximize=maximize) for rung, values in reached.items()}
    return tuple((rung, bar) for rung, bar in bars.items() if bar is not None)


def rungs(epochs: int) -> tuple[int, ...]:
    """The epochs at which a search trial may stop: an eighth, a quarter and half of training, rounded up."""
    return tuple(sorted({math.ceil(epochs / share) for share in (8, 4, 2)} - {epochs}))


def threshold(values: Iterable[float], *, keep: float, maximize: bool) -> float | None:
    """The value that the best `keep` share of the finite ones reached; None where there is none."""
    finite = sorted((value for value in values if math.isfinite(value)), reverse=maximize)
    return finite[max(1, math.floor(keep * len(finite))) - 1] if finite else None
