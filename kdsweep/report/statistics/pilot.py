"""The variances that a study found, to plan another with: for metrics whose differences nobody can guess beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kdsweep.report.facts.runs import Runs
from kdsweep.report.statistics.crossed import Squares, interval
from kdsweep.report.statistics.intervals import Interval
from kdsweep.report.statistics.verdicts import ALPHA, against_baselines


class Shown(NamedTuple):
    """What a study can show with 80% power, in the metric's printed unit."""

    difference: float
    margin: float


@dataclass(frozen=True)
class Pilot:
    """The median variances of a study's comparisons: of their spread, and not of which arm was ahead.

    Attributes:
        name: the study's.
        metric: what was measured.
        grouped: whether its test units are groups.
        seed, sample, noise: variances between seeds, between test units, and what is left.
        comparisons: how many they are the medians of.
    """

    name: str
    metric: str
    grouped: bool
    seed: float
    sample: float
    noise: float
    comparisons: int

    @classmethod
    def of(cls, runs: Runs) -> Pilot | None:
        """None where no two arms have runs on several seeds and test units."""
        compared = [judgement.comparison.crossed for judgement in against_baselines(runs).values()]
        tables = [crossed for crossed in compared if crossed is not None and max(crossed.squares) > 0]
        if not tables:
            return None
        seed, sample, noise = np.median([(one.seed, one.sample, one.noise) for one in tables], axis=0)
        study = runs.study
        return cls(study.name, study.metric, runs.grouped, float(seed), float(sample), float(noise), len(tables))

    def check(self, metric: str, *, grouped: bool) -> None:
        """Nothing, if these are variances of such a study.

        Raises:
            ValueError: they are of another metric, or of other test units.
        """
        if metric != self.metric:
            raise ValueError(f"a pilot measures what the study measures, {metric}; {self.name} measures {self.metric}")
        if grouped != self.grouped:
            words = {True: "names groups", False: "names no groups"}
            raise ValueError(
                f"a pilot's test part has groups where the study's has: that of {self.name} {words[self.grouped]}, "
                f"and this one {words[grouped]}"
            )

    def interval(self, seeds: int, units: int) -> Interval:
        """Of a difference of 0, by the formula of every interval."""
        squares = Squares(self.noise + units * self.seed, self.noise + seeds * self.sample, self.noise)
        return interval(0.0, squares, seeds, units)

    def shown(self, seeds: int, units: int, scale: float) -> Shown:
        """What so many seeds on so many test units can show."""
        planned = self.interval(seeds, units)
        return Shown(scale * planned.detectable(ALPHA), scale * planned.equivalent_within(ALPHA))
