"""Pruning: a trial carries its thresholds and judges itself. No messages, nobody kills it from outside."""

from __future__ import annotations

from collections.abc import Sequence


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
