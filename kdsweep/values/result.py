"""What the plan needs to know of finished trials, and the points that searches ask for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from kdsweep.values.space import Value
from kdsweep.values.trial import digest


@dataclass(frozen=True)
class Result:
    """What the plan needs to know of a finished trial.

    Attributes:
        state: "complete", "pruned" or "failed".
        selected: the epoch whose weights count; 0 where none does.
        curves: validation metrics by name, one value an epoch.
        width, pace: of the pack that it trained in, and a member's share of its fastest epoch in seconds; 0 where
            nobody measured. How it came to be, not what it is.
    """

    state: str
    selected: int
    curves: Mapping[str, Sequence[float]] = field(default_factory=dict)
    width: int = field(default=0, compare=False)
    pace: float = field(default=0.0, compare=False)

    def score(self, metric: str) -> float:
        """The metric on validation at the selected epoch, or where a pruned trial stopped; NaN where it failed."""
        values = self.curves.get(metric, ())
        if self.state == "failed" or not values:
            return math.nan
        return values[self.selected - 1] if self.state == "complete" and self.selected else values[-1]


@dataclass(frozen=True)
class Proposal:
    """One point of a search: the numbers, and the thresholds it was given when it was asked for."""

    numbers: Mapping[str, Value]
    thresholds: tuple[tuple[int, float], ...] = ()

    @cached_property
    def point(self) -> str:
        """Names the numbers: points of equal ones are one trial."""
        return digest(dict(self.numbers))


@dataclass(frozen=True)
class Tried:
    """One finished point, as a sampler is told of it.

    Attributes:
        state: "complete", "pruned" or "failed".
        value: the metric that counts; NaN where it failed.
        curve: the metric by epoch.
    """

    numbers: Mapping[str, Value]
    state: str
    value: float
    curve: Sequence[float] = ()
