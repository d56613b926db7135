"""How every search begins, whatever its sampler: with given points, then a scrambled Sobol sequence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from kdsweep.values.space import Choice, Domain, Float, Int, Value


def start(
    space: Mapping[str, Domain], *, size: int, seed: int, first: Sequence[Mapping[str, Value]] = ()
) -> list[dict[str, Value]]:
    """The first `size` points. Equal arguments give equal points.

    Args:
        first: points to begin with; a value outside its range is moved to the nearest.
    """
    given = [{name: nearest(domain, point[name]) for name, domain in space.items()} for point in first][:size]
    return given + _sobol(space, size - len(given), seed)


def nearest(domain: Domain, value: Value) -> Value:
    """The value of the domain that is nearest to `value`; of a choice without it, the first."""
    match domain:
        case Choice(values):
            # The member itself: 4 and 4.0 are equal and have different hashes.
            return values[values.index(value)] if value in values else values[0]
        case Int(low, high):
            return min(max(round(float(value)), low), high)
        case Float(low, high):
            return min(max(float(value), low), high)


def _sobol(space: Mapping[str, Domain], size: int, seed: int) -> list[dict[str, Value]]:
    from scipy.stats import qmc

    if size <= 0:
        return []
    # Drawn by whole powers of two, as the sequence is balanced there; a cut of it is a prefix.
    points = qmc.Sobol(len(space), scramble=True, rng=seed).random_base2(max(0, math.ceil(math.log2(size))))[:size]
    return [
        {name: _from_unit(domain, float(unit)) for (name, domain), unit in zip(space.items(), point, strict=True)}
        for point in points
    ]


def _from_unit(domain: Domain, unit: float) -> Value:
    match domain:
        case Choice(values):
            return values[min(int(unit * len(values)), len(values) - 1)]
        case Float(low, high, log):
            return min(max(_between(low, high, unit, log), low), high)
        case Int(low, high, log):
            # Every whole number owns an equal share of [low - 1/2, high + 1/2].
            return min(max(round(_between(low - 0.5, high + 0.5, unit, log)), low), high)


def _between(low: float, high: float, unit: float, log: bool) -> float:
    return low * (high / low) ** unit if log else low + (high - low) * unit
