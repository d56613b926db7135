"""What a study of so many seeds and test samples could show, before any run."""

from __future__ import annotations

import math

from kdsweep.report.statistics.crossed import Squares, interval
from kdsweep.report.statistics.intervals import Interval


def detectable(
    seeds: int,
    samples: int,
    *,
    disagreement: float = 0.1,
    shared: float = 0.5,
    seed_sd: float = 0.005,
    groups: int | None = None,
    correlation: float = 0.1,
    alpha: float = 0.05,
    power: float = 0.8,
) -> float:
    """The smallest difference, as a share, that such a study shows with this power: for planning, before any run.

    Args:
        disagreement: the share of test samples on which two arms' runs of one seed disagree.
        shared: how much of that is a property of the sample; the rest differs from seed to seed.
        seed_sd: spread over seeds of the true difference, as a share.
        groups: how many groups the samples fall into, where the dataset names them.
        correlation: of the differences within a group.

    Returns:
        (t(1 - alpha/2) + t(power)) · √v, with v and df those of the crossed interval; infinite below three seeds, two
        samples or two groups, where no verdict is given.
    """
    if not _shows(seeds, samples, groups):
        return math.inf
    plan = _plan(seeds, samples, disagreement, shared, seed_sd, groups, correlation)
    return plan.detectable(alpha, power)


def equivalent_within(
    seeds: int,
    samples: int,
    *,
    disagreement: float = 0.1,
    shared: float = 0.5,
    seed_sd: float = 0.005,
    groups: int | None = None,
    correlation: float = 0.1,
    alpha: float = 0.05,
    power: float = 0.8,
) -> float:
    """The smallest ±r within which such a study shows two equal arms equivalent; arguments as in `detectable`."""
    if not _shows(seeds, samples, groups):
        return math.inf
    plan = _plan(seeds, samples, disagreement, shared, seed_sd, groups, correlation)
    return plan.equivalent_within(alpha, power)


def _shows(seeds: int, samples: int, groups: int | None) -> bool:
    return seeds >= 3 and min(samples, samples if groups is None else groups) >= 2


def _plan(
    seeds: int,
    samples: int,
    disagreement: float,
    shared: float,
    seed_sd: float,
    groups: int | None,
    correlation: float,
) -> Interval:
    units = samples if groups is None else groups
    size = samples / units
    # A mean over a group's samples: what they share does not average out.
    sample = disagreement * shared * (1 + (size - 1) * correlation) / size
    noise = disagreement * (1 - shared) / size
    squares = Squares(noise + units * seed_sd**2, noise + seeds * sample, noise)
    return interval(0.0, squares, seeds, units)
