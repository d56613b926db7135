"""Levels and p values where several comparisons are judged together, or one is looked at again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(p: Sequence[float]) -> list[float]:
    """p values adjusted for being a family (Holm 1979), in the order given."""
    adjusted, reached = [0.0] * len(p), 0.0
    for rank, position in enumerate(np.argsort(p, kind="stable")):
        reached = max(reached, min(1.0, (len(p) - rank) * p[position]))
        adjusted[position] = reached
    return adjusted


def level(look: int, alpha: float = 0.05) -> float:
    """What look number `look` is tested at: alpha for the first, alpha / 2^look once the seeds grew."""
    return alpha if look <= 1 else alpha / 2**look
