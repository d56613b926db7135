"""What a search tried, as the pictures of it read it: points, scores, and the ranges that they came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdsweep.report.facts.runs import Runs
from kdsweep.values.space import Choice, Domain, Float, Int

Array = NDArray[np.float64]
BEST = 0.25  # the share of a search's finished trials that "the best" means in every picture


@dataclass(frozen=True, eq=False)
class Searched:
    """One arm's search.

    Attributes:
        trials: finished and pruned ones that have a score, in the order in which they were proposed: `state`, `score`
            (validation, in the printed unit), `number`, and the searched numbers by their full names.
        space: the ranges of the numbers that differ between trials.
        maximize: whether a larger score is better.
    """

    arm: str
    label: str
    trials: pd.DataFrame
    space: Mapping[str, Domain]
    maximize: bool

    @property
    def complete(self) -> pd.DataFrame:
        return self.trials[self.trials["state"] == "complete"]

    @property
    def best(self) -> pd.DataFrame:
        """The best quarter of the finished trials, the best one first; ties in the order of proposal."""
        ranked = self.complete.sort_values("score", ascending=not self.maximize, kind="stable")
        return ranked.head(max(1, round(BEST * len(ranked)))) if len(ranked) else ranked

    def unit(self, name: str, values: pd.Series) -> Array:
        """Positions of values in a number's range: 0 at the low end, 1 at the high end, on the range's own scale."""
        return position(self.space[name], values)


def searched(runs: Runs, arm: str) -> Searched:
    """An arm's own search, without those of rows and controls; a point that was proposed twice is one trial."""
    trials = runs.select("search", arm).drop_duplicates("trial")
    trials = trials[trials["state"].isin(["complete", "pruned"])].sort_values(["repeat", "fold", "number"])
    trials = trials.assign(score=trials["trial"].map(runs.valid).astype(float) * runs.metric.scale)
    trials = trials[np.isfinite(trials["score"])]
    columns = {str(c): str(c).removeprefix("param.") for c in trials if str(c).startswith("param.")}
    varied = {name: column for column, name in columns.items() if trials[column].dropna().nunique() > 1}
    space = runs.study.arms[arm].space
    kept = trials[["trial", "number", "state", "score", *varied.values()]]
    return Searched(
        arm=arm,
        label=runs.label(arm),
        trials=kept.rename(columns={column: name for name, column in varied.items()}).reset_index(drop=True),
        space={name: _domain(space.get(name), trials[column].dropna()) for name, column in varied.items()},
        maximize=runs.study.maximize,
    )


def position(domain: Domain, values: pd.Series) -> Array:
    """Positions in [0, 1]; a choice's values stand at equal distances, in their order."""
    match domain:
        case Choice(options):
            steps = {option: i / max(1, len(options) - 1) for i, option in enumerate(options)}
            return np.array([steps.get(value, np.nan) for value in values], dtype=float)
        case Float(low, high, log) | Int(low, high, log):
            x = np.asarray(pd.to_numeric(values, errors="coerce"), dtype=float)
            # A weight of exactly 0 can only come from outside the range, and then lies at its low end.
            x, ends = np.clip(x, low, high), np.array([low, high], dtype=float)
            x, ends = (np.log(x), np.log(ends)) if log else (x, ends)
            positions: Array = (x - ends[0]) / (ends[1] - ends[0])
            return positions


def value(domain: Domain, unit: float) -> Any:
    """The number that stands at a position in its range, for the ticks of an axis."""
    match domain:
        case Choice(options):
            return options[round(unit * (len(options) - 1))]
        case Float(low, high, log) | Int(low, high, log):
            return low * (high / low) ** unit if log else low + (high - low) * unit


def thinned(frame: pd.DataFrame, most: int) -> pd.DataFrame:
    """At most so many rows, evenly over the whole: a figure with more shows no more."""
    if len(frame) <= most:
        return frame
    return frame.iloc[np.unique(np.linspace(0, len(frame) - 1, most).round().astype(int))]


def _domain(asked: Domain | None, tried: pd.Series) -> Domain:
    """The study's range; of imported runs, and where an earlier file had another, what was tried."""
    numbers = pd.to_numeric(tried, errors="coerce")
    if numbers.isna().any() or tried.map(lambda value: isinstance(value, bool)).any():
        return Choice(tuple(dict.fromkeys(tried)))
    low, high = float(numbers.min()), float(numbers.max())
    match asked:
        case Choice():
            return asked
        case Float(start, end, log) | Int(start, end, log):
            # Numbers come back in single precision.
            slack = 1e-6 * max(abs(start), abs(end))
            if start - slack <= low <= high <= end + slack:
                return Float(float(start), float(end), log=log)
    return Float(low, high, log=low > 0 and high > 5 * low)
