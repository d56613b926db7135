"""Runs that collapsed: how many, at what rate, and which rates runs without one do not exclude."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from kdsweep.report.statistics.intervals import Bounds

SPREADS = 5  # robust standard deviations from the median beyond which a run is no run like the others
ROBUST = 1.4826  # of the median absolute deviation, which it makes a normal distribution's standard deviation


@dataclass(frozen=True)
class Collapses:
    """Of one side's finished runs.

    Attributes:
        name: the side's.
        seen: how many collapsed.
        runs: of how many.
        loss: what one costs, in the stored unit: the median of those seen, else what the median run has learned beyond
            a constant answer; infinite where neither is known.
    """

    name: str
    seen: int
    runs: int
    loss: float

    @classmethod
    def of(cls, name: str, scores: ArrayLike, *, maximize: bool, chance: float | None) -> Collapses:
        """Count a side's scores.

        Args:
            chance: what the best constant answer scores; None where nobody knows, and then nothing is a collapse.
        """
        values = (1.0 if maximize else -1.0) * np.asarray(scores, dtype=float)
        middle = float(np.median(values)) if len(values) else math.nan
        if chance is None:
            return cls(name, 0, len(values), math.inf)
        learned = middle - (chance if maximize else -chance)
        lost = middle - values[collapsed(values, learned)]
        loss = float(np.median(lost)) if len(lost) else max(learned, 0.0) if len(values) else math.inf
        return cls(name, len(lost), len(values), loss)

    def bounds(self, level: float = 0.95) -> Bounds:
        """Of the rate (Clopper, Pearson 1934)."""
        k, n, tail = self.seen, self.runs, (1 - level) / 2
        low = float(stats.beta.ppf(tail, k, n - k + 1)) if k else 0.0
        return Bounds(low, float(stats.beta.ppf(1 - tail, k + 1, n - k)) if k < n else 1.0)

    @property
    def highest(self) -> float:
        """The highest rate that these runs do not exclude at 5%: 3/n where none collapsed, else the bound's."""
        if not self.runs:
            return 1.0
        return min(3 / self.runs, 1.0) if not self.seen else self.bounds(0.9).high

    @property
    def unseen(self) -> float:
        """How much lower the mean may lie than that of these runs: by collapses at that rate."""
        return (self.highest - self.seen / max(self.runs, 1)) * self.loss if self.loss else 0.0

    @property
    def finding(self) -> str:
        """What was seen, as a sentence; "" where nothing was."""
        if not self.seen:
            return ""
        low, high = self.bounds()
        return (
            f"{self.seen} of {self.runs} runs of {self.name} collapsed ({self.seen / self.runs:.0%}, 95% interval "
            f"{low:.0%} to {high:.0%}): each lost more than half of what its median run has learned beyond a constant "
            "answer."
        )


def collapsed(values: NDArray[np.float64], learned: float) -> NDArray[np.bool_]:
    """Which runs of one side collapsed; higher is better.

    A run that lost more than half of what the median run has learned beyond a constant answer, and that lies five
    robust standard deviations below it: neither a bad seed nor a run among others that have learned nothing.
    """
    lost = np.median(values) - values if len(values) else values
    spread = ROBUST * float(np.median(np.abs(lost))) if len(values) else 0.0
    return np.asarray((learned > 0) & (lost > learned / 2) & (lost > SPREADS * spread))
