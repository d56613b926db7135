"""What a search tries next: the defaults and a scrambled Sobol sequence, then Optuna, a whole generation at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kdsweep.values.space import Choice, Domain, Float, Int, Value


@dataclass(frozen=True)
class Told:
    """One finished point: its numbers, what became of it ("complete", "pruned", "failed"), and the metric by epoch."""

    numbers: Mapping[str, Value]
    state: str
    value: float
    curve: Sequence[float] = ()


def propose(
    space: Mapping[str, Domain],
    history: Sequence[Told],
    *,
    size: int,
    sampler: str,
    maximize: bool,
    seed: int,
    first: Sequence[Mapping[str, Value]] = (),
) -> list[dict[str, Value]]:
    """The next `size` points. Equal arguments give equal points, and the order of `history` is an argument.

    Args:
        history: every earlier point of this search, in the order in which they were proposed.
        first: points to begin with, while there is no history; a value outside its range is moved to the nearest.
    """
    if not space:
        return [{} for _ in range(size)]
    if not history:
        given = [{name: nearest(domain, point[name]) for name, domain in space.items()} for point in first][:size]
        return given + _sobol(space, size - len(given), seed)
    return _optuna(space, history, size=size, sampler=sampler, maximize=maximize, seed=seed)


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


def _optuna(
    space: Mapping[str, Domain], history: Sequence[Told], *, size: int, sampler: str, maximize: bool, seed: int
) -> list[dict[str, Value]]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions = {name: _distribution(domain) for name, domain in space.items()}
    study = optuna.create_study(
        direction="maximize" if maximize else "minimize", sampler=_sampler(sampler, seed % 2**32)
    )
    study.add_trials([_frozen(told, distributions) for told in history])
    return [dict(study.ask(fixed_distributions=distributions).params) for _ in range(size)]


def _sampler(name: str, seed: int) -> Any:
    import optuna

    match name:
        case "tpe":
            return optuna.samplers.TPESampler(seed=seed)
        case "gp":
            return optuna.samplers.GPSampler(seed=seed)
        case "random":
            return optuna.samplers.RandomSampler(seed=seed)
    raise ValueError(f"sampler is tpe, gp or random, got {name!r}")


def _distribution(domain: Domain) -> Any:
    from optuna import distributions

    match domain:
        case Choice(values):
            return distributions.CategoricalDistribution(values)
        case Float(low, high, log):
            return distributions.FloatDistribution(low, high, log=log)
        case Int(low, high, log):
            return distributions.IntDistribution(low, high, log=log)


def _frozen(told: Told, distributions: Mapping[str, Any]) -> Any:
    """A finished point as Optuna keeps it: a pruned one with what it reached and where, a failed one as failed."""
    from optuna.trial import TrialState, create_trial

    states = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
    return create_trial(
        state=states[told.state],
        value=told.value if told.state == "complete" else None,
        params=dict(told.numbers),
        distributions=dict(distributions),
        intermediate_values=dict(enumerate(told.curve, start=1)) if told.state == "pruned" else {},
    )
