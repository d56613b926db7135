"""Levels and p values where several comparisons are judged together, or one is looked at again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Adjusted(NamedTuple):
    """One test of a family.

    Attributes:
        p: after the adjustment.
        times: what it is of the unadjusted p: an interval at 1 - alpha / times agrees with p ≤ alpha.
    """

    p: float
    times: float


def holm(p: Sequence[float]) -> list[float]:
    """p values adjusted for being a family (Holm 1979), in the order given."""
    return [test.p for test in holm_tests(p)]


def holm_tests(p: Sequence[float]) -> list[Adjusted]:
    """The same, and by how much each p was multiplied: more than its rank asks for where a smaller p failed."""
    adjusted, reached = [Adjusted(1.0, 1.0)] * len(p), 0.0
    for rank, position in enumerate(np.argsort(p, kind="stable")):
        times = len(p) - rank
        reached = max(reached, times * p[position])
        if p[position] > 0:
            times = reached / p[position]
        adjusted[position] = Adjusted(min(1.0, reached), times)
    return adjusted


def level(look: int, alpha: float = 0.05) -> float:
    """What look number `look` is tested at: alpha for the first, alpha / 2^look once the seeds grew."""
    return alpha if look <= 1 else alpha / 2**look
